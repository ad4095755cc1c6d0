/* SPDX-License-Identifier: MIT */
/* pool.c - starts a pool to measure, has the jobs that run in it, and checks each job's verdict. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READY_MS 240000u

int job_echo(struct brood_job *job)
{
	size_t size = 0;
	const void *request = brood_job_request(job, &size);

	if (!request)
		return 1;
	return brood_job_reply(job, request, size) == (ssize_t)size ? 0 : 2;
}

int job_answer(struct brood_job *job)
{
	size_t size = 0;
	const void *message = brood_job_arg(job, &size);

	return brood_job_write(job, message, size) == (ssize_t)size ? 0 : 1;
}

/* Starts fewer workers, and says so, where the machine's limits do not allow this many. */
static struct brood *start_what_fits(struct brood_options *o, uint64_t *ret_began_ns)
{
	struct brood *brood = NULL;
	uint32_t wanted = o->workers;
	int r;

	*ret_began_ns = now_ns();
	while ((r = brood_start(o, &brood)) == -EMFILE && o->workers > 16) {
		o->workers -= o->workers / 10;
		*ret_began_ns = now_ns();
	}
	if (r)
		station_fail("brood_start: %s", brood_error());
	if (o->workers < wanted)
		station_note("%u workers: the limit on open files allows no more", o->workers);
	return brood;
}

struct brood *pool_begin(
	const struct params *p, const struct brood_options *options, uint64_t *ret_began_ns)
{
	struct brood_options o = options ? *options : (struct brood_options){ 0 };

	o.size = sizeof o;
	o.workers = p->workers;
	o.title = "brood-bench";
	if (!o.dispatch)
		o.dispatch = p->path;
	if (!o.init_ms)
		o.init_ms = 120000; /* one CPU must make thousands of workers */
	o.stop_ms = 30000;          /* and must end them */
	if (o.backlog < p->out)
		o.backlog = p->out > 1024 ? p->out : 0;
	return start_what_fits(&o, ret_began_ns);
}

struct brood *pool_start(const struct params *p, const struct brood_options *options)
{
	uint64_t began_ns;
	struct brood *brood = pool_begin(p, options, &began_ns);
	int r = brood_wait_ready(brood, READY_MS);

	if (r == -ETIMEDOUT || r == -EHOSTDOWN)
		station_skip("%u workers were not ready: %s", p->workers, brood_error());
	if (r)
		station_fail("brood_wait_ready: %s", brood_error());
	return brood;
}

void pool_check(const struct brood_verdict *v, uint64_t id, uint32_t path)
{
	char text[300];

	if (v->outcome == BROOD_DONE && v->id == id && v->started && v->pid > 0 &&
		v->attempts >= 1 && v->generation > 0 && !v->code && !v->signal && !v->left &&
		v->name[0] == 'j' && (!path || v->path == path))
		return;
	brood_verdict_format(v, text, sizeof text);
	station_fail("a wrong verdict (path %u, left %u, attempts %u) of job %llu: %s", v->path,
		v->left, v->attempts, (unsigned long long)id, text);
}

void message_fill(unsigned char *message, uint64_t number)
{
	uint64_t words[2] = { number, ~number };

	memcpy(message, words, MESSAGE_SIZE);
}

void message_check(const unsigned char *got, const unsigned char *sent)
{
	if (memcmp(got, sent, MESSAGE_SIZE))
		station_fail("the answer is not what was sent");
}
