/* SPDX-License-Identifier: MIT */
/* payload.h - the bytes of a job: its request and its reply. */
#ifndef BROOD_WORKER_PAYLOAD_H
#define BROOD_WORKER_PAYLOAD_H

#include "../wire/ring_done.h"
#include "job.h"

/*
 * Ends a reply that does not lie in the ring, or brings fds: seals the memory file and sends BACK.
 */
void payload_finish(struct brood_job *job, struct ring_done *done);
/* Room in the ring for the whole reply, all zero; NULL: it does not fit there. */
void *payload_room(struct brood_job *job, size_t size);
void payload_unmap(struct brood_job *job);

#endif
