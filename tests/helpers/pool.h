/* SPDX-License-Identifier: MIT */
/*
 * pool.h - starts a Brood inside a case, and has jobs that many tests give. It needs only the
 * public header.
 */
#ifndef BROOD_TESTS_POOL_H
#define BROOD_TESTS_POOL_H

#include <brood.h>
#include "case.h"

#define POOL_READY_MS 10000

/*
 * Starts a Brood with these options (NULL: defaults; .size is set), waits until the pool is ready,
 * and CHECKs all of it.
 */
struct brood *pool_start(const struct brood_options *options);
struct brood *pool_start_workers(uint32_t workers);
/* Stops the Brood. CHECKs that the stop went well and left no handle open. */
void pool_stop(struct brood *brood);
/* A log callback: each log line becomes a note of the case. */
void note_log(void *context, const struct brood_log *log);
struct brood_stats pool_stats(struct brood *brood);
/* every slot has a ready worker */
bool pool_full(struct brood *brood);

/*
 * Makes a call with default options. Returns the verdict; *ret_n, if not NULL, is the reply's size
 * or an error.
 */
struct brood_verdict pool_call(struct brood *brood, brood_fn *fn, const char *name,
	const void *request, size_t size, ssize_t *ret_n);
#define POOL_CALL(brood, fn) pool_call(brood, fn, #fn, "", 0, NULL)
struct brood_verdict pool_call_with(
	struct brood *brood, brood_fn *fn, const struct brood_job_options *options);

/* CHECKs outcome and detail. The message of a failure is the whole verdict. */
void verdict_is(
	const struct brood_verdict *v, enum brood_outcome outcome, enum brood_detail detail);

/* The call returns this error, and brood_error() has these words. */
#define REFUSES(call, error, words)                                                             \
	do {                                                                                    \
		ssize_t refused_ = (ssize_t)(call);                                             \
		CHECK_MSG(refused_ == (error), "%zd instead of %d: %s", refused_, (int)(error), \
			brood_error());                                                         \
		CHECK_CONTAINS(brood_error(), words);                                           \
	} while (0)

int job_nothing(struct brood_job *job);
/* reads to the end, and writes back meanwhile */
int job_echo(struct brood_job *job);
int job_sleep_forever(struct brood_job *job); /* hangs and ignores SIGTERM */
/* polls the cancel fd, then returns 42 */
int job_until_cancelled(struct brood_job *job);
int job_overflows(struct brood_job *job); /* overflows its stack */
int job_pid(struct brood_job *job);       /* replies with its pid_t */
pid_t pool_ask_pid(struct brood *brood);

#endif
