/* SPDX-License-Identifier: MIT */
/* stream.h - submitted jobs that are handed off. All under the queue's lock. */
#ifndef BROOD_ENGINE_STREAM_H
#define BROOD_ENGINE_STREAM_H

#include <stdint.h>

struct queue;
struct queue_job;

void stream_event(struct queue *l, struct queue_job *job);
int stream_begin(struct queue *l, struct queue_job *job, uint64_t *ret_id);
void stream_free(struct queue *l, struct queue_job *job);
void stream_inbox(struct queue *l);
/* Refuses kept jobs (job_files.h) that have waited for too long. */
void stream_late(struct queue *l, uint64_t now);
void stream_cancel(struct queue *l, struct queue_job *job);

#endif
