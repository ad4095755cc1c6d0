/* plant.c - see plant.h. PLANT is defined in test builds only, each of which holds one bug. */
#include "plant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PLANT
#define PLANT 0
#endif
#define PLANT_LOST       1
#define PLANT_TWICE      2
#define PLANT_SWAPPED    3
#define PLANT_FLIPPED    4
#define PLANT_FD         5
#define PLANT_ZOMBIE     6
#define PLANT_GRANDCHILD 7
#define PLANT_SLOT       8
#define EVERY            10000

#if PLANT == PLANT_LOST || PLANT == PLANT_TWICE || PLANT == PLANT_SWAPPED || PLANT == PLANT_FLIPPED
/* True once in so many. */
static bool now_and_then(void)
{
	static _Atomic uint64_t count;

	return atomic_fetch_add(&count, 1) % EVERY == EVERY / 2;
}
#endif

int plant_open(struct brood *brood, const struct load_job *job, int *ret_fd, struct brood_handle **ret_handle)
{
	return brood_open_named(brood, job_function(job->kind), job_name(job->kind), &job->options, ret_fd, ret_handle);
}

#if PLANT == PLANT_LOST
static _Atomic(struct brood_handle *) plant_lost;

static bool plant_verdict(struct brood_handle *handle, struct brood_verdict *verdict)
{
	(void)verdict;
	if (!handle)
		return now_and_then();
	if (handle == atomic_load(&plant_lost))
		return true;
	if (!atomic_load(&plant_lost) && now_and_then())
		atomic_store(&plant_lost, handle);
	return handle == atomic_load(&plant_lost);
}
#elif PLANT == PLANT_TWICE
static __thread struct brood_verdict plant_last;

static bool plant_verdict(struct brood_handle *handle, struct brood_verdict *verdict)
{
	static _Thread_local bool given;

	(void)handle;
	given = plant_last.size && now_and_then();
	if (given)
		*verdict = plant_last;
	else
		plant_last = *verdict;
	return false;
}
#else
static bool plant_verdict(struct brood_handle *handle, struct brood_verdict *verdict)
{
	(void)handle;
	(void)verdict;
	return false;
}
#endif

int plant_fetch(struct brood_handle *handle, struct brood_verdict *ret_verdict)
{
	int r = brood_fetch(handle, ret_verdict);

	if (r == 0 && plant_verdict(handle, ret_verdict))
		return -EAGAIN;
	return r;
}

void plant_received(const struct load_job *job, void *data, size_t size)
{
	(void)job;
	(void)data;
	(void)size;
#if PLANT == PLANT_FLIPPED
	if (now_and_then())
		((unsigned char *)data)[size / 2] ^= 4;
#elif PLANT == PLANT_SWAPPED
	static _Thread_local unsigned char other[256];
	unsigned char mine[256];

	if (size > sizeof other)
		return;
	memcpy(mine, data, size);
	if (now_and_then())
		memcpy(data, other, size);
	memcpy(other, mine, size);
#endif
}

ssize_t plant_call(struct brood *brood, const struct load_job *job, const struct plant_bytes *bytes, struct brood_verdict *ret_verdict)
{
	ssize_t n = brood_call_named(brood, job_function(job->kind), job_name(job->kind), bytes->request, bytes->request_size, bytes->reply,
	                             bytes->reply_size, &job->options, ret_verdict);

	if (n > 0)
		plant_received(job, bytes->reply, (size_t)n);
	if (plant_verdict(NULL, ret_verdict))
		memset(ret_verdict, 0, sizeof *ret_verdict);
	return n;
}

uint32_t plant_init_ms(void)
{
	return PLANT == PLANT_SLOT ? BROOD_FOREVER : 0;
}

/* The first worker that replaces another never gets ready. */
void plant_worker_init(const struct tally *tally, uint32_t birth)
{
	bool stuck = PLANT == PLANT_SLOT && atomic_load(&tally->engine.phase) == PHASE_RUN && birth == tally->engine.stats.workers;

	while (stuck)
		pause();
}

#if PLANT == PLANT_FD
static void plant_leave(const struct tally *tally)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	(void)tally;
	if (fd < 0)
		abort();
}
#elif PLANT == PLANT_ZOMBIE
static void plant_leave(const struct tally *tally)
{
	pid_t pid = fork();

	(void)tally;
	if (pid == 0)
		_exit(0);
}
#elif PLANT == PLANT_GRANDCHILD
static void plant_leave(const struct tally *tally)
{
	pid_t pid = fork();

	(void)tally;
	if (pid) {
		waitpid(pid, NULL, 0);
		return;
	}
	setsid();
	pid = fork();
	if (pid)
		_exit(0);
	alarm(60);       /* the judge kills it; if there is none, it goes by itself */
	for (;;)
		pause();
}
#else
static void plant_leave(const struct tally *tally)
{
	(void)tally;
}
#endif

void plant_engine(const struct tally *tally)
{
	plant_leave(tally);
}
