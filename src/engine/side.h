/* SPDX-License-Identifier: MIT */
/*
 * side.h - the side socket of a lease: descriptors on their way to its worker, and back when the
 * worker never read them.
 */
#ifndef BROOD_ENGINE_SIDE_H
#define BROOD_ENGINE_SIDE_H

#include <stdint.h>

struct queue_job;
struct lease;

/* Makes the socket pair: both ends are the lease's. 0 or -errno. */
int side_make(struct lease *lease);
void side_close(struct lease *lease);
/*
 * Sends the descriptors that the job needs, before its entry is published. 0: sent; -ENOBUFS: not
 * now; -EBADF: the job's descriptors are lost; -errno: this lease cannot take the job.
 */
int side_send(struct lease *lease, struct queue_job *job, uint64_t sequence);
/*
 * The entry of a job that needs the side socket is published: the engine keeps no copy, unless the
 * job may be tried again.
 */
void side_sent(struct lease *lease, struct queue_job *job);
/*
 * Takes back the descriptors of a job in the ring, if the worker did not read them. To be called
 * only when the worker will not read any more: it is gone, or the job was withdrawn.
 */
void side_take_back(struct lease *lease, const struct queue_job *job);

#endif
