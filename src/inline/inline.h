/* SPDX-License-Identifier: MIT */
/*
 * inline.h - BROOD_INLINE: the same calls without processes. See inline.c. Contracts as in brood.h.
 */
#ifndef BROOD_INLINE_H
#define BROOD_INLINE_H

#include "../engine/engine.h"

/* options: resolved, valid for good */
int inline_start(const struct brood_options *options, struct brood **ret_brood);
int inline_open(struct brood *b, const struct engine_job *job, int *ret_fd,
	struct brood_handle **ret_handle);
int inline_give(
	struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle);
ssize_t inline_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict);
uint64_t inline_id(const struct brood_handle *h);
int inline_fetch(struct brood_handle *h, struct brood_verdict *ret);
int inline_wait(struct brood_handle *h, uint32_t timeout_ms, struct brood_verdict *ret);
void inline_release(struct brood_handle *h);
int inline_cancel(struct brood *b, uint64_t id);
int inline_fd(struct brood *b);
int inline_dispatch(struct brood *b);
int inline_wait_ready(struct brood *b);
int inline_stop(struct brood *b);
int inline_set_init_data(
	struct brood *b, const void *data, size_t size, const int *fds, size_t fds_count);
int inline_notify(struct brood *b);
int inline_stats(struct brood *b, struct brood_stats *ret);

int inline_submit(struct brood *b, const struct engine_job *job, const struct iovec *request,
	size_t count, uint64_t *ret_id);
int inline_queue_new(
	struct brood *b, const struct brood_queue_options *options, struct brood_queue **ret);
void inline_queue_free(struct brood_queue *q);
struct brood_queue *inline_own_queue(struct brood *b);
int inline_queue_fd(struct brood_queue *q);
int inline_queue_dispatch(struct brood_queue *q);
int inline_queue_wait(struct brood_queue *q, uint32_t timeout_ms);
int inline_take(struct brood_queue *q, const struct brood_result **ret, size_t room);
size_t inline_queue_out(struct brood_queue *q);
int inline_lease(
	struct brood *b, const struct brood_lease_options *options, struct brood_lease **ret);
void inline_lease_end(struct brood_lease *l);
struct brood_queue *inline_lease_queue(struct brood_lease *l);
int inline_lease_worker(
	struct brood_lease *l, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation);

#endif
