/* SPDX-License-Identifier: MIT */
/*
 * ring_out.h - jobs out of a worker's ring before they have begun. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_RING_OUT_H
#define BROOD_ENGINE_RING_OUT_H

struct queue;
struct queue_job;
struct lease;

/* 0: it is nobody's now (NEW again, with its bytes); -EBUSY: it runs; -ENOMEM */
int ring_out_withdraw(struct lease *lease, struct queue_job *job);
/* the same without asking: the worker is gone. -ENOMEM: its bytes are lost */
int ring_out_rescue(struct lease *lease, struct queue_job *job);
/* back to the queue, to be placed again; on a pinned lease it is refused */
void ring_out_again(struct queue *l, struct queue_job *job);
/* no new ones; what has not begun goes elsewhere */
void ring_out_all(struct lease *lease);

#endif
