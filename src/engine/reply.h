/* SPDX-License-Identifier: MIT */
/* reply.h - the reply of a brood_call() that the caller reads in place: options.ret_reply. */
#ifndef BROOD_ENGINE_REPLY_H
#define BROOD_ENGINE_REPLY_H

#include "queue_job.h"

/* The job's reply becomes the call's, if it has its own memory. */
void reply_to_call(struct queue_job *job);
/*
 * Makes what the program gets. The memory of *m is the reply's from now on, and *m is empty. Sets
 * *ret to NULL if the size is 0. 0; -ENOMEM, also if *m is empty and the size is not 0.
 */
int reply_give(struct reply_memory *m, size_t size, struct brood_reply **ret);

#endif
