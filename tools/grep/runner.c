/* SPDX-License-Identifier: MIT */
/*
 * Tasks. The submitting thread reads chunks and consumes results. A few other threads take tasks
 * and wait in brood_call(), which any thread may call at any time. The ring below keeps the order
 * of submission, in which results are consumed:
 *
 *   ring[tail % size] .. ring[next % size - 1]   taken or done
 *   ring[next % size] .. ring[head % size - 1]   not begun
 *
 * Only the submitting thread moves head and tail. Only the other threads move next. The lock guards
 * all three. When the ring is full, runner_submit() consumes the oldest task first, which bounds
 * the memory. Without a pool there are no threads: runner_submit() itself runs the task.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 128
#define STACK_SIZE  (256 * 1024)

struct runner {
	struct brood *brood;
	consume_fn *consume;
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t more; /* a task was added, or `ended` was set */
	pthread_cond_t done; /* a task is done */
	struct task *ring;
	uint64_t size, head, next, tail;
	bool ended;
	pthread_t *threads;
	size_t threads_count;
};

/* Tasks begin in order, so a skipped task always stands after the task that fell. */
static void run(struct brood *brood, struct task *task)
{
	task->finding.skipped = atomic_load(task->fallen);
	if (task->finding.skipped || (task->chunk && task->chunk->complaint))
		return;
	job_run(brood, task);
	if (task->finding.fell)
		atomic_store(task->fallen, true);
}

static void *work(void *context)
{
	struct runner *runner = context;
	pthread_mutex_lock(&runner->lock);
	for (;;) {
		while (runner->next == runner->head && !runner->ended)
			pthread_cond_wait(&runner->more, &runner->lock);
		if (runner->next == runner->head)
			break;
		struct task *task = &runner->ring[runner->next++ % runner->size];
		pthread_mutex_unlock(&runner->lock);
		run(runner->brood, task);
		pthread_mutex_lock(&runner->lock);
		task->done = true;
		pthread_cond_signal(&runner->done);
	}
	pthread_mutex_unlock(&runner->lock);
	return NULL;
}

static size_t threads_wanted(struct brood *brood)
{
	struct brood_stats stats = { .size = sizeof stats };
	if (brood_stats(brood, &stats) < 0 || stats.workers == 0)
		return 2;
	return stats.workers * 2 < THREADS_MAX ? stats.workers * 2 : THREADS_MAX;
}

static void start_threads(struct runner *runner)
{
	size_t wanted = threads_wanted(runner->brood);
	pthread_attr_t attributes;
	runner->size = wanted + 8;
	runner->ring = must_alloc(NULL, runner->size * sizeof *runner->ring);
	runner->threads = must_alloc(NULL, wanted * sizeof *runner->threads);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (size_t i = 0; i < wanted; i++) {
		int error = pthread_create(&runner->threads[i], &attributes, work, runner);
		if (error && i == 0) {
			complain("cannot start a thread: %s", strerror(error));
			exit(GREP_TROUBLE);
		}
		if (error)
			break;
		runner->threads_count++;
	}
	pthread_attr_destroy(&attributes);
}

struct runner *runner_new(struct brood *brood, consume_fn *consume, void *context)
{
	struct runner *runner = must_alloc(NULL, sizeof *runner);
	*runner = (struct runner){ .brood = brood, .consume = consume, .context = context };
	pthread_mutex_init(&runner->lock, NULL);
	pthread_cond_init(&runner->more, NULL);
	pthread_cond_init(&runner->done, NULL);
	if (brood)
		start_threads(runner);
	return runner;
}

static void consume(struct runner *runner, struct task *task)
{
	runner->consume(runner->context, task);
	chunk_unref(task->chunk);
	free(task->finding.starts);
}

static void consume_oldest(struct runner *runner)
{
	struct task *task = &runner->ring[runner->tail % runner->size];
	pthread_mutex_lock(&runner->lock);
	while (!task->done)
		pthread_cond_wait(&runner->done, &runner->lock);
	pthread_mutex_unlock(&runner->lock);
	consume(runner, task);
	runner->tail++;
}

/*
 * Consumes finished tasks at the ring's tail at once: output does not wait until the ring is full.
 */
static void consume_done(struct runner *runner)
{
	bool done = true;
	while (done && runner->tail < runner->head) {
		pthread_mutex_lock(&runner->lock);
		done = runner->ring[runner->tail % runner->size].done;
		pthread_mutex_unlock(&runner->lock);
		if (done)
			consume_oldest(runner);
	}
}

void runner_submit(struct runner *runner, const struct task *task)
{
	if (!runner->brood) {
		struct task own = *task;
		run(NULL, &own);
		consume(runner, &own);
		return;
	}
	if (runner->head - runner->tail == runner->size)
		consume_oldest(runner);
	pthread_mutex_lock(&runner->lock);
	runner->ring[runner->head % runner->size] = *task;
	runner->head++;
	pthread_cond_signal(&runner->more);
	pthread_mutex_unlock(&runner->lock);
	consume_done(runner);
}

void runner_finish(struct runner *runner)
{
	while (runner->tail < runner->head)
		consume_oldest(runner);
}

struct runner *runner_free(struct runner *runner)
{
	if (!runner)
		return NULL;
	runner_finish(runner);
	pthread_mutex_lock(&runner->lock);
	runner->ended = true;
	pthread_cond_broadcast(&runner->more);
	pthread_mutex_unlock(&runner->lock);
	for (size_t i = 0; i < runner->threads_count; i++)
		pthread_join(runner->threads[i], NULL);
	pthread_mutex_destroy(&runner->lock);
	pthread_cond_destroy(&runner->more);
	pthread_cond_destroy(&runner->done);
	free(runner->threads);
	free(runner->ring);
	free(runner);
	return NULL;
}
