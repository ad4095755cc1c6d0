/* SPDX-License-Identifier: MIT */
/* carried.h - jobs whose request and reply travel in the messages: see carried.c. */
#ifndef BROOD_WORKER_CARRIED_H
#define BROOD_WORKER_CARRIED_H

#include "job.h"
#include "../wire/frame.h"

/* Copies the request: job->request_size bytes, at most MESSAGE_ARG_MAX. */
void carried_take(struct brood_job *job, const void *request);
/*
 * If so many bytes more have no room in the carried reply, the job gets a socket. 0, or as
 * carried_make_socket(): then the reply takes no more bytes.
 */
int carried_make_way(struct brood_job *job, size_t size);
/* Adds to the reply, which has room. */
void carried_write(struct brood_job *job, const void *data, size_t size);
/*
 * Makes the job a socket: the rest of the request comes over it, and the reply goes there from its
 * beginning. From then on the job is one with a socket. 0; -EPERM in a child of the job; -errno:
 * there is no room for the socket.
 */
int carried_make_socket(struct brood_job *job);
/* Puts the reply of a job that is still carried into the message FINISHED. */
void carried_finish(const struct brood_job *job, struct frame *f);

#endif
