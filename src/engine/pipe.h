/* SPDX-License-Identifier: MIT */
/*
 * pipe.h - large requests and replies of a call on a lease: the bytes go over a socket pair.
 *
 * A socket hands the same warm memory on again and again, where a file in memory of that size needs
 * fresh pages for each job. So a request that is too large for the ring comes with a socket, and a
 * reply that grows too large for it is written into a socket: that of the request, or one that the
 * worker sends over the side socket. The thread that waits for the call moves the bytes. Nobody
 * need wait for a submitted job, so its bytes go by files in memory.
 *
 * All under the queue's lock.
 */
#ifndef BROOD_ENGINE_PIPE_H
#define BROOD_ENGINE_PIPE_H

#include <stdbool.h>
#include <stdint.h>

struct given;
struct queue;
struct queue_job;

/* The request shall go over a pipe. Each attempt makes a new one. 0 or -ENOMEM. */
int pipe_order(struct queue_job *job, const struct given *given);
/* Makes the socket pair for this attempt. *ret_theirs is the worker's end. 0 or -errno. */
int pipe_open(struct queue_job *job, int *ret_theirs);
/* The worker's end is on its way: begins to write. */
void pipe_begin(struct queue *l, struct queue_job *job);
/* Takes the worker's socket for the reply. The pipe owns it, also on failure. 0 or -errno. */
int pipe_take(struct queue *l, struct queue_job *job, int fd);
/* The socket can be read or written: moves bytes. */
void pipe_event(struct queue *l, struct queue_job *job);
/* The job has ended: reads what is in the socket. True: the reply has `size` bytes in all. */
bool pipe_finish(struct queue_job *job, uint64_t size);
/* The worker has died: how many bytes of the reply had come over the pipe. */
uint64_t pipe_so_far(struct queue_job *job);
void pipe_free(struct queue *l, struct queue_job *job);

#endif
