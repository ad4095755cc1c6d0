/* SPDX-License-Identifier: MIT */
/*
 * peer_spawn.c - --peer posix_spawn: the child. It is this program again, started for one job. Its
 * standard input is a socket: the request comes from there, up to its end, and the reply goes back.
 */
#include "peer.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* argv: brood-load PEER_CHILD KIND VALUE VARIANT SIZE */
#define CHILD_ARGUMENTS 6
/* The exit code of a child that was called by hand, or lost its request. */
#define CODE_USAGE 2

int peer_spawn_start(const struct load_job *job, int fd, pid_t *ret_pid)
{
	static char program[] = "brood-load", option[] = PEER_CHILD;
	char kind[12], value[24], variant[12], size[24];
	char *const argv[] = { program, option, kind, value, variant, size, NULL };
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	snprintf(kind, sizeof kind, "%u", (unsigned)job->kind);
	snprintf(value, sizeof value, "%llu", (llu)job->arg.value);
	snprintf(variant, sizeof variant, "%u", job->arg.variant);
	snprintf(size, sizeof size, "%zu", job->size);
	/* dup2() leaves copies without close-on-exec: these two stay open in the child. */
	r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	r = r ? r : posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	r = r ? r : posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Reads up to the end of the stream. True: there were `size` bytes. */
static bool read_request(char *data, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, data + used, size + 1 - used)) > 0)
		used += (size_t)n;
	return n == 0 && used == size;
}

int peer_spawn_main(int argc, char **argv)
{
	struct job_arg arg = { 0 };
	struct forked_job job = { .arg = &arg, .fd = STDOUT_FILENO };
	static char *request; /* a job may end the process before it could be freed */
	unsigned kind;

	if (argc != CHILD_ARGUMENTS)
		return CODE_USAGE;
	kind = (unsigned)strtoul(argv[2], NULL, 10);
	arg.value = strtoull(argv[3], NULL, 10);
	arg.variant = (uint32_t)strtoul(argv[4], NULL, 10);
	arg.size = job.request_size = strtoull(argv[5], NULL, 10);
	request = malloc(job.request_size + 1);
	if (kind >= KINDS || !request || !read_request(request, job.request_size))
		return CODE_USAGE;
	job.request = request;
	return jobs_run_forked(job_work((enum kind)kind, true), &job);
}
