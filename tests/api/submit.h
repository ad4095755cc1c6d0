/* SPDX-License-Identifier: MIT */
/* submit.h - what the tests of queues share: each case twice, with workers and inline. */
#ifndef BROOD_TESTS_SUBMIT_H
#define BROOD_TESTS_SUBMIT_H

#include "pool.h"

#define BOUND 20000

static uint32_t mode; /* BROOD_INLINE or 0 */
static inline struct brood *start(void)
{
	return pool_start(&(struct brood_options){ .size = sizeof(struct brood_options),
		.flags = mode | BROOD_NO_CORE,
		.workers = 2 });
}
static inline void run_inline(void *body)
{
	mode = BROOD_INLINE;
	(*(void (**)(void))body)();
}

#define TWICE(name)                                          \
	Test(submit, name) { case_run(name, 2 * BOUND); }    \
	Test(submit, name##_inline)                          \
	{                                                    \
		void (*body)(void) = name;                   \
                                                             \
		case_run_with(run_inline, &body, 2 * BOUND); \
	}

static inline int job_arg(struct brood_job *job) { return *(const int *)brood_job_arg(job, NULL); }
static inline int submit_arg(struct brood *brood, int code, const struct brood_job_options *options)
{
	struct brood_job_options o = *options;

	o.size = sizeof o;
	o.arg = &code;
	o.arg_size = sizeof code;
	return brood_submit(brood, job_arg, NULL, 0, &o, NULL);
}

/* All that is out, taken one by one: the sum of the codes. */
static inline int sum_of(struct brood_queue *queue, int *ret_count)
{
	const struct brood_result *result;
	int sum = 0, count = 0, n;

	while ((n = brood_queue_wait(queue, BOUND)) > 0)
		while (brood_take(queue, &result, 1) == 1) {
			CHECK_EQ(result->verdict.outcome,
				result->verdict.code ? BROOD_FAILED : BROOD_DONE);
			sum += result->verdict.code;
			count++;
		}
	CHECK_EQ(n, 0);
	*ret_count = count;
	return sum;
}

#endif
