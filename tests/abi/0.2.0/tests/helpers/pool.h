/* pool.h - starting a Brood inside a case, and the jobs that many tests give. Needs only the public header. */
#ifndef BROOD_TESTS_POOL_H
#define BROOD_TESTS_POOL_H

#include <brood.h>
#include "case.h"

#define POOL_READY_MS 10000

/* Starts with these options (NULL: defaults; .size is set), waits until the pool is ready, all CHECKed. `quiet` log callbacks are the test's business. */
struct brood *pool_start(const struct brood_options *options);
struct brood *pool_start_workers(uint32_t workers);
void pool_stop(struct brood *brood);                               /* CHECKs that it went well and left no handle open */
struct brood_stats pool_stats(struct brood *brood);
bool pool_full(struct brood *brood);                               /* every place has a ready worker */

/* A call with default options; the verdict, and the reply's size or error in *ret_n when not NULL. */
struct brood_verdict pool_call(struct brood *brood, brood_fn *fn, const char *name, const void *request, size_t size, ssize_t *ret_n);
#define POOL_CALL(brood, fn) pool_call(brood, fn, #fn, "", 0, NULL)
struct brood_verdict pool_call_with(struct brood *brood, brood_fn *fn, const struct brood_job_options *options);

int job_nothing(struct brood_job *job);
int job_echo(struct brood_job *job);                               /* reads to the end while it writes back */
int job_sleep_forever(struct brood_job *job);                      /* deaf to everything */
int job_until_cancelled(struct brood_job *job);                    /* polls the cancel fd; returns 42 */
int job_pid(struct brood_job *job);                                /* replies its pid_t */
pid_t pool_ask_pid(struct brood *brood);

#endif
