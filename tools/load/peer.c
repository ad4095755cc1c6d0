/* SPDX-License-Identifier: MIT */
/* peer.c - see peer.h. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

int peer_begin(struct engine *e)
{
	/* The judge finds a child of any depth by this. */
	setenv("BROOD_LOAD", e->tally->marker, 1);
	switch (e->options->way) {
	case WAY_CONTROL: return peer_control_begin(e);
	case WAY_FPM: return peer_fpm_begin(e);
	default: return 0;
	}
}

void peer_end(struct engine *e)
{
	switch (e->options->way) {
	case WAY_CONTROL: peer_control_end(); break;
	case WAY_FPM: peer_fpm_end(); break;
	default: break;
	}
}

void peer_verdict(const struct load_job *job, pid_t pid, struct brood_verdict *ret)
{
	const struct work *work = job_work(job->kind, true);

	*ret = (struct brood_verdict){ .size = sizeof *ret,
		.id = job->number + 1,
		.started = 1,
		.pid = pid,
		.generation = 1,
		.attempts = 1,
		.run_us = (load_now() - job->start_ns) / NS_US };
	memcpy(ret->name, work->name, work->name_size);
}
