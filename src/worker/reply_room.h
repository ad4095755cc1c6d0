/* SPDX-License-Identifier: MIT */
/* reply_room.h - a reply that the job fills in place. */
#ifndef BROOD_WORKER_REPLY_ROOM_H
#define BROOD_WORKER_REPLY_ROOM_H

#include "job.h"

/* fn has returned, and job.reply.room is set: the reply is complete. */
void reply_room_end(struct brood_job *job);

#endif
