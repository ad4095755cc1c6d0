/* SPDX-License-Identifier: MIT */
/*
 * compare.c - the same load in several ways, one after the other. Each way is a run of its own and
 * is judged like any other run. Then one table shows all. The last way, a fork() for each job, is
 * the measure for the others.
 */
#include "findings.h"
#include "rates.h"
#include "report.h"

#include <stdio.h>

static const struct {
	const char *name;
	enum way way;
	uint32_t dispatch;
} ways[COMPARED_MAX] = {
	{ "handoff, call", WAY_CALL, BROOD_PATH_HANDOFF },
	{ "lease, call", WAY_CALL, BROOD_PATH_LEASE },
	{ "lease, submit", WAY_SUBMIT, BROOD_PATH_LEASE },
	{ "fork a job", WAY_FORK, BROOD_PATH_AUTO },
};

static int run_one(const struct options *o, unsigned i, struct comparison *c)
{
	int r;

	c->name = ways[i].name;
	c->options = *o;
	options_way(&c->options, ways[i].way, ways[i].dispatch);
	if (!o->quiet)
		fprintf(stderr, "brood-load: %s\n", c->name);
	r = judge_run(&c->options, &c->findings);
	c->rate = rates_achieved(&c->findings);
	c->to_fork = -1;
	if (r < 2)
		c->latency = findings_latency(&c->findings);
	return r;
}

int compare_run(const struct options *o, struct comparison *all, unsigned *ret_count)
{
	unsigned count = 0;
	int worst = 0;

	while (count < COMPARED_MAX && worst < 2 && !(count && all[count - 1].findings.asked)) {
		int r = run_one(o, count, &all[count]);

		count++;
		worst = r > worst ? r : worst;
	}
	for (unsigned i = 0; i < count && count == COMPARED_MAX; i++) {
		if (all[count - 1].rate > 0)
			all[i].to_fork = all[i].rate / all[count - 1].rate;
	}
	*ret_count = count;
	return worst;
}
