/* SPDX-License-Identifier: MIT */
/*
 * drive_call.c - a caller that blocks: brood_call(), one job at a time. Several threads make the
 * concurrency.
 */
#include "load.h"
#include "plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct buffers {
	unsigned char *request, *reply;
};

/* True: the call failed before Brood took the job. Then there is perhaps no verdict. */
static bool refused_at_once(ssize_t n, const struct brood_verdict *verdict)
{
	if (verdict->outcome)
		return verdict->outcome == BROOD_REFUSED && (!verdict->id || chaos_is_short(n));
	return n == -EAGAIN || chaos_is_short(n);
}

static void call_one(struct driver *d, const struct load_job *job, const struct buffers *buffers)
{
	struct plant_bytes bytes = { buffers->request, job->size, buffers->reply, job->size };
	struct brood_verdict verdict = { 0 };
	struct reply reply = { .judged = true };
	ssize_t n;

	payload_fill(job->key, 0, buffers->request, job->size);
	n = plant_call(d, job, &bytes, &verdict);
	if (n == -EINVAL || n == -EPERM || n == -ESHUTDOWN || n == -EFAULT) {
		engine_failed(d->engine, "brood_call()", n);
		return;
	}
	if (refused_at_once(n, &verdict)) {
		const struct timespec pause = { .tv_nsec = 2 * (long)NS_MS };

		drive_refused(d, job, n);
		nanosleep(&pause, NULL);
		return;
	}
	reply.size = verdict.reply_size;
	reply.intact = payload_same(job->key, 0, buffers->reply,
		reply.size < job->size ? (size_t)reply.size : job->size);
	if (chaos_is_short(n))
		reply.judged = !chaos_reply_lost(d, job);
	if (!drive_verdict(d, job, &verdict, &reply))
		drive_overdue(d, job, "brood_call() returned without its verdict");
}

void *drive_call(void *driver)
{
	struct driver *d = driver;
	struct buffers buffers = { malloc(d->engine->options->size_max + 1),
		malloc(d->engine->options->size_max + 1) };
	struct load_job job;

	if (!buffers.request || !buffers.reply)
		engine_break_off(d->engine,
			"no memory for requests and replies of %zu bytes: give a smaller --size or "
			"-c",
			d->engine->options->size_max);
	while (drive_next(d, &job))
		call_one(d, &job, &buffers);
	free(buffers.request);
	free(buffers.reply);
	return NULL;
}
