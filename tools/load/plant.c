/* SPDX-License-Identifier: MIT */
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
#define PLANT_INCOMPLETE 9
#define PLANT_LATE       10
#define PLANT_POOL       11
#define PLANT_RELOAD     12
#define PLANT_HISTOGRAM  13
#define EVERY            4000
#define LATE_BY_NS       (7 * NS_S)

#if (PLANT >= PLANT_LOST && PLANT <= PLANT_FLIPPED) || PLANT == PLANT_INCOMPLETE || \
	PLANT == PLANT_LATE || PLANT == PLANT_POOL
/* True once in a fixed number of calls. */
static bool now_and_then(void)
{
	static _Atomic uint64_t count;

	return atomic_fetch_add(&count, 1) % EVERY == EVERY / 2;
}
#endif

#if PLANT == PLANT_POOL
/* Now and then: the options for the pool of the next thread. */
static const struct brood_job_options *plant_options(const struct driver *d)
{
	static _Thread_local struct brood_job_options other;

	if (!now_and_then())
		return &d->options;
	other = d->options;
	other.pool = pools_of_thread(d->engine, d->index + 1);
	return &other;
}
#else
static const struct brood_job_options *plant_options(const struct driver *d) { return &d->options; }
#endif

/* Once, while a reload goes on. */
static bool plant_refuses(const struct driver *d)
{
#if PLANT == PLANT_RELOAD
	static _Atomic bool refused;
	const struct chaos_tally *t = &d->engine->tally->chaos;

	return atomic_load(&t->reloads) > atomic_load(&t->reloads_over) &&
		!atomic_exchange(&refused, true);
#else
	(void)d;
	return false;
#endif
}

int plant_open(const struct driver *d, const struct load_job *job, int *ret_fd,
	struct brood_handle **ret_handle)
{
	const struct work *work = job_work(job->kind, d->engine->whole);

	if (plant_refuses(d))
		return -EAGAIN;
	return brood_open_named(
		d->engine->brood, work->fn, work->name, plant_options(d), ret_fd, ret_handle);
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
#elif PLANT == PLANT_INCOMPLETE
static bool plant_verdict(struct brood_handle *handle, struct brood_verdict *verdict)
{
	(void)handle;
	if (now_and_then())
		verdict->pid = 0;
	return false;
}
#elif PLANT == PLANT_LATE
static bool plant_verdict(struct brood_handle *handle, struct brood_verdict *verdict)
{
	static _Atomic(struct brood_handle *) late;
	static _Atomic bool once;
	static uint64_t until_ns;

	(void)verdict;
	if (now_and_then() && !atomic_exchange(&once, true)) {
		const struct timespec pause = { .tv_sec = (time_t)(LATE_BY_NS / NS_S) };

		until_ns = load_now() + LATE_BY_NS;
		if (handle)
			atomic_store(&late, handle);
		else
			nanosleep(&pause, NULL);
	}
	return handle && handle == atomic_load(&late) && load_now() < until_ns;
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

ssize_t plant_call(const struct driver *d, const struct load_job *job,
	const struct plant_bytes *bytes, struct brood_verdict *ret_verdict)
{
	const struct work *work = job_work(job->kind, d->engine->whole);
	ssize_t n = plant_refuses(d) ? -EAGAIN
				     : brood_call_named(d->engine->brood, work->fn, work->name,
					       bytes->request, bytes->request_size, bytes->reply,
					       bytes->reply_size, plant_options(d), ret_verdict);

	if (n > 0)
		plant_received(job, bytes->reply, (size_t)n);
	if (plant_verdict(NULL, ret_verdict))
		memset(ret_verdict, 0, sizeof *ret_verdict);
	return n;
}

int plant_submit(
	const struct driver *d, const struct load_job *job, const void *request, uint64_t *ret_id)
{
	const struct work *work = job_work(job->kind, d->engine->whole);

	if (plant_refuses(d))
		return -EAGAIN;
	return brood_submit_named(
		d->engine->brood, work->fn, work->name, request, job->size, &d->options, ret_id);
}

#if (PLANT >= PLANT_LOST && PLANT <= PLANT_FLIPPED) || PLANT == PLANT_INCOMPLETE
#define REPLY_MAX 256

/* The last reply of the batch before. */
static _Thread_local unsigned char plant_other[REPLY_MAX];

/* Returns a copy of one result, which the caller may change. */
static struct brood_result *plant_copy(const struct brood_result *result)
{
	static _Thread_local unsigned char reply[REPLY_MAX];
	static _Thread_local struct brood_result copy;

	copy = *result;
	if (copy.reply_size && copy.reply_size <= REPLY_MAX) {
		memcpy(reply, copy.reply, copy.reply_size);
		copy.reply = reply;
		if (PLANT == PLANT_FLIPPED)
			reply[copy.reply_size / 2] ^= 4;
		if (PLANT == PLANT_SWAPPED)
			memcpy(reply, plant_other, copy.reply_size);
	}
	if (PLANT == PLANT_INCOMPLETE)
		copy.verdict.pid = 0;
	return &copy;
}

/* Returns how many results there are now. */
static int plant_spoil(const struct brood_result **results, int n)
{
	const struct brood_result *last = n > 0 ? results[n - 1] : NULL;
	int count = n;

	for (int i = 0; i < n; i++) {
		if (!now_and_then())
			continue;
		if (PLANT == PLANT_LOST)
			results[i] = results[--count];
		else if (PLANT == PLANT_TWICE)
			results[count++] = plant_copy(results[i]);
		else
			results[i] = plant_copy(results[i]);
		break;
	}
	if (last && last->reply_size && last->reply_size <= REPLY_MAX)
		memcpy(plant_other, last->reply, last->reply_size);
	return count;
}
#elif PLANT == PLANT_LATE
/* Keeps one result back; results have room for it. */
static int plant_spoil(const struct brood_result **results, int n)
{
	static _Thread_local struct brood_result kept;
	static _Thread_local unsigned char reply[256];
	static _Thread_local uint64_t until_ns;
	static _Thread_local bool once;
	int count = n > 0 ? n : 0;

	for (int i = 0; i < n && !once; i++) {
		if (!now_and_then() || results[i]->reply_size > sizeof reply)
			continue;
		once = true;
		until_ns = load_now() + LATE_BY_NS;
		kept = *results[i];
		if (kept.reply_size)
			kept.reply = memcpy(reply, kept.reply, kept.reply_size);
		results[i] = results[--count];
	}
	if (until_ns && load_now() >= until_ns) {
		until_ns = 0;
		results[count++] = &kept;
	}
	return count ? count : n < 0 ? n : 0;
}
#else
static int plant_spoil(const struct brood_result **results, int n)
{
	(void)results;
	return n;
}
#endif

int plant_take(struct brood_queue *queue, const struct brood_result **ret_results, size_t room)
{
	return plant_spoil(ret_results, brood_take(queue, ret_results, room));
}

uint32_t plant_init_ms(void) { return PLANT == PLANT_SLOT ? BROOD_FOREVER : 0; }

/* The first worker that replaces another never gets ready. */
void plant_worker_init(const struct tally *tally, uint32_t birth)
{
	bool stuck = PLANT == PLANT_SLOT && atomic_load(&tally->engine.phase) == PHASE_RUN &&
		birth == tally->engine.stats.workers;

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
	alarm(60); /* without a judge to kill this process, the alarm ends it */
	for (;;)
		pause();
}
#else
static void plant_leave(const struct tally *tally) { (void)tally; }
#endif

void plant_engine(const struct tally *tally) { plant_leave(tally); }

int plant_histogram(struct brood_pool *pool, enum brood_time which, struct brood_histogram *ret)
{
	int r = brood_histogram(pool, which, ret);

#if PLANT == PLANT_HISTOGRAM
	memmove(ret->buckets + 1, ret->buckets, sizeof ret->buckets - sizeof ret->buckets[0]);
	ret->buckets[0] = 0;
#endif
	return r;
}
