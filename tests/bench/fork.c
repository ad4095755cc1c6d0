/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a program without a pool: it makes a process for each job, with a socketpair for request
 * and reply, and waits for the process's end. One row uses fork(), whose price grows with the
 * memory of the program. Another uses posix_spawn() of a small program: this one, with a special
 * argument.
 */
#include "peers.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void touch_open(const struct params *p)
{
	void *memory;

	if (!p->touched)
		return;
	memory = mmap(NULL, p->touched, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		station_skip("no memory for an engine of %llu MiB",
			(unsigned long long)(p->touched >> 20));
	/* Like malloc()'s memory, where huge pages are only for programs that ask. */
	madvise(memory, p->touched, MADV_NOHUGEPAGE);
	memset(memory, 1, p->touched);
}

/* Runs in the new process, made by fork() or by posix_spawn(). */
static int echo(int fd)
{
	unsigned char message[MESSAGE_SIZE];

	return read(fd, message, sizeof message) == (ssize_t)sizeof message &&
			write(fd, message, sizeof message) == (ssize_t)sizeof message
		? 0
		: 1;
}

int spawned_echo(void) { return echo(0); }

pid_t fork_echo(const int *pair)
{
	pid_t pid = fork();

	station_need(pid >= 0, "fork");
	if (!pid) {
		close(pair[0]);
		_exit(echo(pair[1]));
	}
	return pid;
}

pid_t spawn_echo(const int *pair)
{
	static char name[] = "brood-bench", word[] = "--spawned";
	char *argv[] = { name, word, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	errno = posix_spawn_file_actions_init(&actions);
	if (!errno)
		errno = posix_spawn_file_actions_adddup2(&actions, pair[1], 0);
	if (!errno)
		errno = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
	station_need(!errno, "posix_spawn");
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void block(pid_t (*make)(const int *pair), uint32_t jobs, double *values)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < jobs; i++) {
		int pair[2], status = -1;
		pid_t pid;

		message_fill(sent, i);
		station_need(
			!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
		pid = make(pair);
		close(pair[1]);
		station_need(
			send(pair[0], sent, sizeof sent, MSG_NOSIGNAL) == MESSAGE_SIZE, "send");
		station_need(recv(pair[0], got, sizeof got, 0) == MESSAGE_SIZE, "recv");
		message_check(got, sent);
		if (waitpid(pid, &status, 0) != pid || status)
			station_fail("a process made for a job ended with %#x", (unsigned)status);
		close(pair[0]);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

static void fork_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)p;
	block(fork_echo, jobs, values);
}

static void spawn_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)p;
	block(spawn_echo, jobs, values);
}

const struct kind bench_fork = { touch_open, fork_block, NULL };
const struct kind bench_spawn = { touch_open, spawn_block, NULL };
