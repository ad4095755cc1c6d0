/*
 * inline.h - BROOD_INLINE: the same calls without processes. See inline.c. Contracts as in brood.h.
 */
#ifndef BROOD_INLINE_H
#define BROOD_INLINE_H

#include "engine/engine.h"

int inline_start(const struct brood_options *options, struct brood **ret_brood);   /* options: resolved, valid for good */
int inline_open(struct brood *b, const struct engine_job *job, int *ret_fd, struct brood_handle **ret_handle);
int inline_give(struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle);
ssize_t inline_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes, struct brood_verdict *ret_verdict);
uint64_t inline_id(const struct brood_handle *h);
int inline_fetch(struct brood_handle *h, struct brood_verdict *ret);
int inline_wait(struct brood_handle *h, uint32_t timeout_ms, struct brood_verdict *ret);
void inline_release(struct brood_handle *h);
int inline_cancel(struct brood *b, uint64_t id);
int inline_fd(struct brood *b);
int inline_dispatch(struct brood *b);
int inline_wait_ready(struct brood *b);
int inline_stop(struct brood *b);
int inline_set_init_data(struct brood *b, const void *data, size_t size, const int *fds, size_t fds_count);
int inline_notify(struct brood *b);
int inline_stats(struct brood *b, struct brood_stats *ret);

#endif
