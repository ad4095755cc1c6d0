/* SPDX-License-Identifier: MIT */
/* map.h - what the tests of brood_map() share: items, and what on_item is told about them. */
#ifndef BROOD_TESTS_MAP_H
#define BROOD_TESTS_MAP_H

#include "pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define BOUND 60000

static uint32_t mode; /* BROOD_INLINE or 0 */

/* An item is a number, and its job replies it. */
struct work {
	struct brood *brood;
	size_t count;
	uint32_t *numbers;
	struct iovec *items;
	struct brood_map_options options;
	struct brood_job_options job;
	int fds; /* of the engine, before the first map */
	/* what on_item was told */
	unsigned char *told; /* of each item: how often */
	size_t tells, last, stop_after;
	size_t outcomes[BROOD_OUTCOMES];
};

static inline void work_items(struct work *w, size_t count)
{
	w->count = count;
	w->numbers = calloc(count + 1, sizeof *w->numbers);
	w->items = calloc(count + 1, sizeof *w->items);
	w->told = calloc(count + 1, 1);
	CHECK(w->numbers && w->items && w->told);
	for (size_t i = 0; i < count; i++) {
		w->numbers[i] = (uint32_t)i;
		w->items[i] = (struct iovec){ &w->numbers[i], sizeof *w->numbers };
	}
	w->tells = 0;
	memset(w->outcomes, 0, sizeof w->outcomes);
}

static inline void work_items_free(struct work *w)
{
	free(w->numbers);
	free(w->items);
	free(w->told);
}

static inline void work_start(struct work *w, size_t count, struct brood_options options)
{
	memset(w, 0, sizeof *w);
	options.size = sizeof options;
	options.flags |= mode | BROOD_NO_CORE;
	if (!options.workers)
		options.workers = 2;
	w->brood = pool_start(&options);
	w->options.size = sizeof w->options;
	w->options.job = &w->job;
	w->job.size = sizeof w->job;
	w->fds = proc_own_fds();
	work_items(w, count);
}

/* Nothing is left: the fds here; processes and zombies are the case's to see. */
static inline void work_end(struct work *w)
{
	static char list[8192];

	CHECK_MSG(WAIT_UNTIL(brood_dispatch(w->brood) >= 0 && proc_own_fds() <= w->fds, 10000),
		"%d fds at first, now %d: %s", w->fds, proc_own_fds(),
		proc_fd_list(getpid(), list, sizeof list));
	CHECK_EQ(brood_stop(w->brood), 0);
	work_items_free(w);
}

static inline int job_number(struct brood_job *job)
{
	size_t size;
	const void *number = brood_job_request(job, &size);

	return brood_job_reply(job, number, size) == (ssize_t)size ? 0 : 1;
}

static inline uint32_t number_of(struct brood_job *job)
{
	uint32_t number = UINT32_MAX;
	size_t size;
	const void *request = brood_job_request(job, &size);

	if (request && size == sizeof number)
		memcpy(&number, request, size);
	return number;
}

/* Each item once, with its own number, and in order where that was asked for. */
static inline int on_number(void *context, size_t index, const struct brood_result *result)
{
	struct work *w = context;
	uint32_t number;

	CHECK(result->context == context);
	CHECK_EQ(result->size, sizeof *result);
	CHECK_LT(index, w->count);
	CHECK_EQ(w->told[index]++, 0);
	if (w->options.flags & BROOD_MAP_ORDERED)
		CHECK_EQ(index, w->tells);
	w->outcomes[result->verdict.outcome]++;
	if (result->verdict.outcome == BROOD_DONE) {
		CHECK_EQ(result->reply_size, sizeof number);
		memcpy(&number, result->reply, sizeof number);
		CHECK_EQ(number, index);
	}
	w->last = index;
	return ++w->tells == w->stop_after ? 1 : 0;
}

#define WORK_MAP(w, fn) \
	brood_map((w)->brood, fn, (w)->items, (w)->count, &(w)->options, on_number, w)

static inline void run_inline(void *body)
{
	mode = BROOD_INLINE;
	(*(void (**)(void))body)();
}

#define ONCE(name) \
	Test(map, name) { case_run(name, BOUND); }
/* with workers, and inline */
#define TWICE(name)                                      \
	ONCE(name)                                       \
	Test(map, name##_inline)                         \
	{                                                \
		void (*body)(void) = name;               \
                                                         \
		case_run_with(run_inline, &body, BOUND); \
	}

#endif
