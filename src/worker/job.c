/* SPDX-License-Identifier: MIT */
/*
 * job.c - see job.h; and the public calls that tell a job what it is. Other public calls stand
 * where their subject is: the soft step (soft.c), log lines (report.c), progress (worker_lease.c),
 * request and reply (payload.c), fds (files.c).
 */
#include "job.h"

struct brood_job the_job = { .tag = "", .fd = -1, .stream = -1, .cancel_fd = -1 };

static void set_tag(struct brood_job *job, const void *data, size_t size)
{
	static char tag[BROOD_TAG_MAX];

	memcpy(tag, data, size);
	tag[size - 1] = '\0';
	job->tag = tag;
}

void job_set_arg(
	struct brood_job *job, const void *data, size_t size, size_t plugin_size, size_t tag_size)
{
	static _Alignas(16) unsigned char arg[BROOD_ARG_MAX + 1];

	tag_size = MIN(tag_size, MIN(size, (size_t)BROOD_TAG_MAX));
	job->tag = "";
	if (tag_size > 0)
		set_tag(job, (const char *)data + size - tag_size, tag_size);
	size = MIN(size - tag_size, (size_t)BROOD_ARG_MAX);
	if (size > 0)
		memcpy(arg, data, size);
	arg[size] = 0;
	job->arg = arg;
	job->plugin_size = (uint32_t)MIN(plugin_size, size);
	job->arg_size = size - job->plugin_size;
}

uint64_t brood_job_id(const struct brood_job *job) BROOD_NOEXCEPT { return job->id; }
uint32_t brood_job_attempt(const struct brood_job *job) BROOD_NOEXCEPT { return job->attempt; }
const char *brood_job_tag(const struct brood_job *job) BROOD_NOEXCEPT { return job->tag; }
size_t brood_job_request_size(const struct brood_job *job) BROOD_NOEXCEPT
{
	return job->request_size;
}

const void *brood_job_arg(const struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT
{
	static const _Alignas(16) char none[1];

	if (ret_size)
		*ret_size = job->arg_size;
	return job->arg_size > 0 ? job->arg : none;
}
