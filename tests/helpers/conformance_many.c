/* SPDX-License-Identifier: MIT */
/* conformance_many.c - see conformance.h: the names of the ways; arrays of jobs. */
#include "conformance.h"

const char *const way_names[WAYS] = {
	"handoff, call",
	"handoff, open",
	"handoff, give",
	"handoff, submit",
	"handoff, an array of jobs",
	"side socket, open",
	"side socket, give",
	"side socket, open on an explicit lease",
	"ring, call",
	"ring, submit and take",
	"ring, an array of jobs",
	"ring, submit with a callback",
	"ring, call on an explicit lease",
	"ring, submit on an explicit lease",
	"ring, an array of jobs on an explicit lease",
};

int given_many(struct given *g)
{
	const struct what *w = &g->what;
	struct brood_submission job = { .size = sizeof job,
		.request = w->pieces ? NULL : w->request,
		.request_size = w->pieces ? 0 : w->size,
		.pieces = w->pieces,
		.pieces_count = w->pieces_count };
	uint64_t *ret_id = w->options.ret_id;
	struct brood_job_options o = w->options;
	ssize_t n;

	o.ret_id = NULL;
	n = brood_submit_many_named(g->site->brood, w->fn, w->name, &job, 1, &o);
	CHECK_MSG(n == 1 || n < 0, "%s: %zd of 1", way_names[g->way], n);
	if (n < 0)
		return (int)n;
	g->id = job.id;
	if (ret_id)
		*ret_id = job.id;
	return 0;
}
