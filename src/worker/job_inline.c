/* SPDX-License-Identifier: MIT */
/* job_inline.c - see job_inline.h. */
#include "job_inline.h"

#include "../os/standard.h"
#include "files.h"
#include "payload.h"
#include "reply_room.h"
#include "soft.h"

#include <stdio.h>

static void take_inline_fds(struct brood_job *job)
{
	const struct job_inline *in = job->in_line;

	files_take_socket(job, in->fd, in->own_pair);
	if (identity_get(in->fd, &job->identity) < 0)
		job->identity = (struct identity){ 0 };
	for (size_t i = 0; i < in->fds_count && i < BROOD_JOB_FDS_MAX; i++) {
		job->extra.fds[i] = in->fds[i];
		if (identity_get(in->fds[i], &job->extra.identities[i]) < 0)
			job->extra.identities[i] = (struct identity){ 0 };
		job->extra.count = (uint32_t)i + 1;
	}
}

static void give_inline_fds(struct brood_job *job)
{
	if (!job->in_line->ret_fds)
		return;
	for (uint32_t i = 0; i < job->back_count; i++)
		job->in_line->ret_fds[i] = job->back[i];
	*job->in_line->ret_fds_count = job->back_count;
	job->back_count = 0;
}

int job_inline_run(brood_fn *fn, const struct job_inline *in_line, bool *ret_took_fd)
{
	struct brood_job job = {
		.id = in_line->id,
		.sequence = SEQUENCE_INLINE,
		.soft_ns = TIME_NEVER,
		.request_size = in_line->request_size,
		.fn = fn,
		.arg = in_line->arg,
		.arg_size = in_line->arg_size,
		.tag = in_line->tag,
		.attempt = 1,
		.stream = -1,
		.cancel_fd = -1,
		.in_line = in_line,
		.request = { .bytes = in_line->request },
	};
	struct standard standard;
	int code;

	snprintf(job.name, sizeof job.name, "%s", in_line->name);
	take_inline_fds(&job);
	standard_look(&standard);
	code = fn(&job);
	if (job.reply.room)
		reply_room_end(&job);
	standard.is_noted = true;
	for (int i = 0; i < STANDARD_FILES; i++)
		standard_put_back(&standard, i);
	soft_close_fd(&job);
	files_release(&job, true);
	payload_unmap(&job);
	give_inline_fds(&job);
	files_close_back(&job);
	*ret_took_fd = job.taken;
	return code;
}
