/* SPDX-License-Identifier: MIT */
/* pools_flow.c - see pools.h. */
#include "pools.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>

#define AT_ONCE 64 /* so many jobs are given before results are looked for */
#define TICK_NS 100000000u

static __thread struct flow *running; /* whose callbacks run in this thread */

/* splitmix64 */
static uint64_t random_number(struct flow *f)
{
	uint64_t z = f->seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static double seconds_of(const struct flow *f, uint64_t ns)
{
	return (double)(ns - f->began_ns) / 1e9;
}

static void set_next(struct flow *f)
{
	double rate = f->rate ? f->rate(seconds_of(f, f->due_ns)) : f->per_second;
	double gap = 1 / rate;

	if (f->random)
		gap *= -log((double)((random_number(f) >> 11) + 1) * 0x1p-53);
	f->due_ns += (uint64_t)(gap * 1e9);
}

static uint32_t *count_of(const struct flow *f, uint32_t in[][2], uint64_t ns, bool background)
{
	uint64_t second = (ns - f->began_ns) / 1000000000u;

	return &in[second < FLOW_SECONDS ? second : FLOW_SECONDS - 1][background];
}

/* The context says when the job was due, and which kind it is. */
static void *context_of(const struct flow *f, bool background)
{
	return (void *)(uintptr_t)((f->due_ns - f->began_ns) / 1000 << 1 | background);
}

static void on_done(void *context, const struct brood_result *result)
{
	uintptr_t mark = (uintptr_t)context;
	struct flow *f = running;

	if (result->verdict.outcome != BROOD_DONE)
		f->not_done++;
	f->out[mark & 1]--;
	++*count_of(f, f->ended_in, now_ns(), mark & 1);
	if (f->ended)
		f->ended(f, f->began_ns + (uint64_t)(mark >> 1) * 1000, result);
}

static void give(struct flow *f)
{
	bool background = f->background_every && f->number++ % f->background_every == 0;
	int r;

	++*count_of(f, f->due_in, f->due_ns, background);
	if (f->out_most && f->out[background] >= f->out_most) {
		f->dropped++;
		return;
	}
	f->job.priority = background ? BROOD_BACKGROUND : BROOD_NORMAL;
	f->job.context = context_of(f, background);
	r = brood_submit_named(
		f->brood, f->fn, f->name, f->request, f->request_size, &f->job, NULL);
	if (r < 0 && r != -EAGAIN)
		give_up("brood_submit: %s", brood_error());
	++*(r ? &f->refused : &f->given);
	f->out[background] += r == 0;
}

static void dispatch(struct flow *f)
{
	if (brood_queue_dispatch(f->queue) < 0)
		give_up("brood_queue_dispatch: %s", brood_error());
}

/* Sleeps until then, or until there is a result. */
static void sleep_until(struct flow *f, uint64_t until)
{
	struct pollfd poll_fd = { .fd = f->fd, .events = POLLIN };
	uint64_t now = now_ns(), left = until > now ? until - now : 0;
	struct timespec t = { (time_t)(left / 1000000000u), (long)(left % 1000000000u) };
	int r = ppoll(&poll_fd, 1, &t, NULL);

	need(r >= 0 || errno == EINTR, "ppoll");
	if (r > 0)
		dispatch(f);
}

static void tick(struct flow *f, uint64_t now)
{
	if (!f->tick || now < f->tick_ns)
		return;
	f->tick_ns += TICK_NS;
	f->tick(f, seconds_of(f, now));
}

void flow_open(struct flow *f, const struct brood_queue_options *queue)
{
	if (brood_queue_new(f->brood, queue, &f->queue))
		give_up("brood_queue_new: %s", brood_error());
	f->fd = brood_queue_fd(f->queue);
	if (f->fd < 0)
		give_up("brood_queue_fd: %s", brood_error());
	f->job.size = sizeof f->job;
	f->job.queue = f->queue;
	f->job.on_done = on_done;
}

void flow_run(struct flow *f, double seconds)
{
	uint64_t now = now_ns(), end = now + (uint64_t)(seconds * 1e9);

	running = f;
	f->given = f->dropped = f->refused = f->not_done = 0;
	memset(f->due_in, 0, sizeof f->due_in);
	memset(f->ended_in, 0, sizeof f->ended_in);
	f->began_ns = f->due_ns = f->tick_ns = now;
	set_next(f);
	for (; now < end; now = now_ns()) {
		uint64_t until = f->due_ns < end ? f->due_ns : end;

		for (int n = 0; n < AT_ONCE && f->due_ns <= now; n++) {
			give(f);
			set_next(f);
			until = now; /* look, but do not sleep */
		}
		tick(f, now);
		sleep_until(f, f->tick && f->tick_ns < until ? f->tick_ns : until);
	}
}

void flow_finish(struct flow *f, double seconds)
{
	uint64_t now = now_ns(), end = now + (uint64_t)(seconds * 1e9);

	running = f;
	while (brood_queue_out(f->queue) > 0) {
		if ((now = now_ns()) >= end)
			give_up("%zu jobs have not ended", brood_queue_out(f->queue));
		sleep_until(f, now + TICK_NS);
	}
}

void flow_close(struct flow *f) { f->queue = brood_queue_free(f->queue); }
