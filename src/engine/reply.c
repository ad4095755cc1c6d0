/* SPDX-License-Identifier: MIT */
/*
 * reply.c - see reply.h. A large reply of a worker on lease is a sealed memory file, mapped here
 * without MAP_POPULATE: a page that the program does not read costs nothing. Any other reply
 * lies in memory from malloc().
 */
#include "reply.h"

#include "engine.h"

#include <stdlib.h>
#include <sys/mman.h>

struct reply {
	struct brood_reply public; /* first member */
	struct reply_memory memory;
};

void reply_to_call(struct queue_job *job)
{
	struct reply_memory *to = &job->call->memory;

	if (!job->result.reply)
		return;
	if (job->result.reply == job->reply.mapped) {
		*to = (struct reply_memory){ .mapped = job->reply.mapped,
			.mapped_size = job->reply.mapped_size };
		job->reply.mapped = NULL;
	} else if (job->result.reply == job->reply.buffer) {
		to->buffer = job->reply.buffer;
		job->reply.buffer = NULL;
		job->reply.buffer_size = 0;
	}
}

static void memory_free(struct reply_memory *m)
{
	if (m->mapped)
		munmap(m->mapped, m->mapped_size);
	free(m->buffer);
	*m = (struct reply_memory){ 0 };
}

int reply_give(struct reply_memory *m, size_t size, struct brood_reply **ret)
{
	struct reply *reply;

	*ret = NULL;
	reply = size > 0 && (m->mapped || m->buffer) ? malloc(sizeof *reply) : NULL;
	if (!reply) {
		memory_free(m);
		return size > 0 ? -ENOMEM : 0;
	}
	*reply = (struct reply){ .public = { .size = sizeof reply->public,
					 .data = m->mapped ? m->mapped : m->buffer,
					 .data_size = size },
		.memory = *m };
	*m = (struct reply_memory){ 0 };
	*ret = &reply->public;
	return 0;
}

void engine_reply_free(struct brood_reply *public)
{
	struct reply *reply = container_of(public, struct reply, public);

	memory_free(&reply->memory);
	free(reply);
}
