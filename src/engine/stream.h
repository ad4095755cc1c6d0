/* SPDX-License-Identifier: MIT */
/* stream.h - submitted jobs that are handed off. All under the queue's lock. */
#ifndef BROOD_ENGINE_STREAM_H
#define BROOD_ENGINE_STREAM_H

#include <stdint.h>

struct lane;
struct lane_job;

void stream_event(struct lane *l, struct lane_job *job);
int stream_begin(struct lane *l, struct lane_job *job, uint64_t *ret_id);
void stream_free(struct lane *l, struct lane_job *job);
void stream_inbox(struct lane *l);
void stream_cancel(struct lane *l, struct lane_job *job);

#endif
