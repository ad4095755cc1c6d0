/* SPDX-License-Identifier: MIT */
/*
 * --kill-rate: a thread of the engine kills workers at random, whether busy or idle.
 *
 * Each worker's init hook writes the worker's pid into a shared page. The worker may be long dead
 * and its pid in use by another process. So the killer first opens a pidfd, then checks that the
 * process is a child of the supervisor, and only then kills, by the pidfd. If the pid changes hands
 * in between, the pidfd does not follow.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct pids {
	atomic_uint next;
	atomic_int pid[];
};

struct killer {
	uint32_t per_second;
	uint32_t places;
	struct pids *pids; /* shared with the workers */
	size_t pids_size;
	uint64_t random;
	uint64_t killed;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopped;
};

struct killer *killer_new(uint32_t per_second, uint32_t workers)
{
	struct killer *killer = must_alloc(NULL, sizeof *killer);
	*killer = (struct killer){ .per_second = per_second, .random = 0x9e3779b97f4a7c15u };
	killer->places = workers > 256 ? workers * 4 : 1024;
	killer->pids_size = sizeof *killer->pids + killer->places * sizeof killer->pids->pid[0];
	killer->pids = mmap(
		NULL, killer->pids_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (killer->pids == MAP_FAILED)
		out_of_memory();
	return killer;
}

int killer_worker_init(void *context)
{
	struct killer *killer = context;
	unsigned place = atomic_fetch_add(&killer->pids->next, 1) % killer->places;
	atomic_store(&killer->pids->pid[place], getpid());
	return 0;
}

static uint64_t next_random(struct killer *killer)
{
	uint64_t x = killer->random;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return killer->random = x;
}

/* True: the process is alive, and a child of our own parent, the supervisor. */
static bool is_worker(pid_t pid)
{
	char path[40], text[512], state;
	int parent;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *after_name = strrchr(text, ')');
	return after_name && sscanf(after_name + 1, " %c %d", &state, &parent) == 2 &&
		state != 'Z' && state != 'X' && parent == getppid();
}

static bool kill_worker(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return false;
	bool killed = is_worker(pid) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	close(fd);
	return killed;
}

/*
 * Chooses one of the pids that were written and are not known to be dead, each with the same
 * chance. NULL: there is no such pid.
 */
static atomic_int *pick(struct killer *killer)
{
	uint32_t used = atomic_load(&killer->pids->next), count = 0;
	atomic_int *picked = NULL;
	if (used > killer->places)
		used = killer->places;
	for (uint32_t i = 0; i < used; i++)
		if (atomic_load(&killer->pids->pid[i]) != 0 && next_random(killer) % ++count == 0)
			picked = &killer->pids->pid[i];
	return picked;
}

static void kill_one(struct killer *killer)
{
	atomic_int *place;
	bool killed = false;
	while (!killed && (place = pick(killer))) {
		int pid = atomic_load(place);
		killed = kill_worker(pid);
		/*
		 * The worker is dead. The exchange fails if a newer worker has written its pid
		 * there meanwhile.
		 */
		atomic_compare_exchange_strong(place, &pid, 0);
	}
	killer->killed += killed;
}

static void *work(void *context)
{
	struct killer *killer = context;
	struct timespec when;
	clock_gettime(CLOCK_MONOTONIC, &when);
	pthread_mutex_lock(&killer->lock);
	while (!killer->stopped) {
		when.tv_nsec += 1000000000 / killer->per_second;
		if (when.tv_nsec >= 1000000000) {
			when.tv_sec++;
			when.tv_nsec -= 1000000000;
		}
		while (!killer->stopped &&
			pthread_cond_timedwait(&killer->wake, &killer->lock, &when) != ETIMEDOUT)
			;
		if (!killer->stopped)
			kill_one(killer);
	}
	pthread_mutex_unlock(&killer->lock);
	return NULL;
}

void killer_start(struct killer *killer)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&killer->lock, NULL);
	pthread_cond_init(&killer->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	int error = pthread_create(&killer->thread, NULL, work, killer);
	if (error) {
		complain("cannot start a thread: %s", strerror(error));
		exit(GREP_TROUBLE);
	}
}

uint64_t killer_stop(struct killer *killer)
{
	pthread_mutex_lock(&killer->lock);
	killer->stopped = true;
	pthread_cond_signal(&killer->wake);
	pthread_mutex_unlock(&killer->lock);
	pthread_join(killer->thread, NULL);
	pthread_cond_destroy(&killer->wake);
	pthread_mutex_destroy(&killer->lock);
	uint64_t killed = killer->killed;
	munmap(killer->pids, killer->pids_size);
	free(killer);
	return killed;
}
