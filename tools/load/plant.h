/* SPDX-License-Identifier: MIT */
/*
 * plant.h - one thin layer between brood-load and the library's calls. Built with PLANT=1..13, the
 * layer has one bug of the kind that a library could have. With each bug the tool must exit with 1
 * and name the right invariant. Without PLANT every function here only calls the library.
 *
 *   1  a verdict in 10,000 is lost             one_verdict_per_job
 *   2  a verdict in 10,000 is given twice      one_verdict_per_job
 *   3  two replies are swapped, now and then   replies_intact
 *   4  a bit of a reply flips, now and then    replies_intact
 *   5  an fd is leaked                         nothing_left
 *   6  a zombie is left                        nothing_left
 *   7  a grandchild is left                    nothing_left
 *   8  a slot of the pool is lost              pool_full
 *   9  a verdict in 10,000 is not complete     one_verdict_per_job
 *  10  a verdict comes 7 s late                one_verdict_per_job
 *  11  a job runs in another pool              one_verdict_per_job
 *  12  a job is refused while a reload goes on chaos_expected
 *  13  a histogram is off by a bucket          counters_agree
 */
#ifndef BROOD_LOAD_PLANT_H
#define BROOD_LOAD_PLANT_H

#include "load.h"

int plant_open(const struct driver *d, const struct load_job *job, int *ret_fd,
	struct brood_handle **ret_handle);
int plant_fetch(struct brood_handle *handle, struct brood_verdict *ret_verdict);
/* For data that was read from the job's socket. */
void plant_received(const struct load_job *job, void *data, size_t size);
struct plant_bytes {
	const void *request;
	size_t request_size;
	void *reply;
	size_t reply_size;
};
ssize_t plant_call(const struct driver *d, const struct load_job *job,
	const struct plant_bytes *bytes, struct brood_verdict *ret_verdict);
/* Like the library's calls; but `results` has room for one more than plant_take() is told. */
int plant_submit(
	const struct driver *d, const struct load_job *job, const void *request, uint64_t *ret_id);
int plant_take(struct brood_queue *queue, const struct brood_result **ret_results, size_t room);
int plant_histogram(struct brood_pool *pool, enum brood_time which, struct brood_histogram *ret);
/* Called in worker_init, with the number of this birth. */
void plant_worker_init(const struct tally *tally, uint32_t birth);
uint32_t plant_init_ms(void);
/* Called once, in the engine, when the load begins. */
void plant_engine(const struct tally *tally);

#endif
