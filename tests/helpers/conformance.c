/* SPDX-License-Identifier: MIT */
/*
 * conformance.c - see conformance.h: giving a job in each way, and the runner. conformance_expect.c
 * has what every verdict must say.
 */
#include "conformance.h"

#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define THREADS     8

static uint64_t now_us(void) { return now_ns() / NS_PER_US; }

static uint32_t patience(void) { return (uint32_t)test_scaled(PATIENCE_MS); }

/* ---- what came back ---- */

static void reply_append(struct given *g, const void *data, size_t size)
{
	if (g->reply_size + size > g->reply_room) {
		g->reply_room = (g->reply_size + size) * 2;
		g->reply = realloc(g->reply, g->reply_room);
		CHECK(g->reply);
	}
	if (size)
		memcpy(g->reply + g->reply_size, data, size);
	g->reply_size += size;
}

static ssize_t call_result(const struct given *g)
{
	switch (g->v.outcome) {
	case BROOD_DONE:
	case BROOD_FAILED: return (ssize_t)g->reply_size;
	case BROOD_TIMED_OUT: return -ETIMEDOUT;
	case BROOD_CANCELLED: return -ECANCELED;
	case BROOD_REFUSED: return refusal_error(g->v.detail);
	case BROOD_LOST: return -ENOTCONN;
	default: return -EREMOTEIO;
	}
}

/* ---- call ---- */

static void *calls(void *context)
{
	struct given *g = context;
	struct what *w = &g->what;
	size_t room = w->room ? w->room : ((size_t)1 << 20) + 4096;

	g->reply = malloc(room + 1);
	CHECK(g->reply);
	if (w->pieces)
		g->n = brood_callv_named(g->site->brood, w->fn, w->name, w->pieces, w->pieces_count,
			g->reply, room, &w->options, &g->v);
	else
		g->n = brood_call_named(g->site->brood, w->fn, w->name, w->request, w->size,
			g->reply, room, &w->options, &g->v);
	g->elapsed_us = now_us() - g->begin_us;
	g->reply_size = g->v.reply_size < room ? (size_t)g->v.reply_size : room;
	atomic_store(&g->over, 1);
	return NULL;
}

/* ---- open and give ---- */

/* Sends as much as the socket takes at once. The rest is sent while the reply is read. */
static void request_some(struct given *g)
{
	const char *request = g->what.request;

	while (g->sent < g->what.size) {
		ssize_t n = send(g->fd, request + g->sent, g->what.size - g->sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) /* the job has closed its socket before it read all */
			break;
		g->sent += (size_t)n;
	}
	g->sent = SIZE_MAX;
	shutdown(g->fd, SHUT_WR);
}

static bool reply_some(struct given *g)
{
	char block[65536];
	ssize_t n;

	while ((n = recv(g->fd, block, sizeof block, MSG_DONTWAIT)) > 0)
		reply_append(g, block, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

/* Waits as an event loop does: on the job's socket and on the library's fd. */
static void talk(struct given *g)
{
	struct brood_queue *queue = given_is(g, PINNED) ? brood_lease_queue(g->what.options.lease)
							: NULL;
	struct pollfd p[2] = { { .fd = g->fd },
		{ .fd = queue ? brood_queue_fd(queue) : brood_fd(g->site->brood),
			.events = POLLIN } };
	uint64_t end = test_now_ms() + patience();

	while (!g->what.no_eof) {
		p[0].events = g->sent != SIZE_MAX ? POLLIN | POLLOUT : POLLIN;
		CHECK_MSG(poll(p, 2, 1000) >= 0 && test_now_ms() < end,
			"%s, %s: no end of the reply", way_names[g->way], g->what.name);
		if (p[1].revents)
			site_dispatch(g->site);
		if (p[0].revents & POLLOUT)
			request_some(g);
		if (p[0].revents & ~POLLOUT && !reply_some(g))
			break;
	}
	CHECK_MSG(brood_wait(g->handle, patience(), &g->v) == 0, "%s, %s: no verdict",
		way_names[g->way], g->what.name);
	if (g->what.no_eof)
		reply_some(g);
	g->elapsed_us = now_us() - g->begin_us;
	close(g->fd);
	CHECK(brood_release(g->handle) == NULL);
	g->handle = NULL;
}

static int opens(struct given *g)
{
	struct what *w = &g->what;
	int pair[2], r;

	if (g->way != SIDE_GIVE && g->way != HANDOFF_GIVE)
		return brood_open_named(
			g->site->brood, w->fn, w->name, &w->options, &g->fd, &g->handle);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r = brood_give_named(g->site->brood, w->fn, w->name, pair[1], &w->options, &g->handle);
	g->fd = pair[0];
	if (r < 0) {
		close(pair[0]);
		close(pair[1]);
	}
	return r;
}

/* ---- submit ---- */

static void result_came(void *context, const struct brood_result *result)
{
	struct given *g = context;

	CHECK_EQ(result->size, sizeof *result);
	CHECK_EQ(atomic_fetch_add(&g->results, 1), 0); /* exactly one result */
	CHECK_STR(result->tag, g->what.options.tag ? g->what.options.tag : "");
	g->elapsed_us = now_us() - g->begin_us;
	g->v = result->verdict;
	reply_append(g, result->reply, result->reply_size);
	CHECK_LE(result->fds_count, BROOD_JOB_FDS_MAX);
	for (size_t i = 0; i < result->fds_count; i++) {
		g->fds[i] = result->fds[i];
		result->fds[i] = -1;
	}
	g->fds_count = result->fds_count;
	atomic_store(&g->over, 1);
}

static struct brood_queue *site_queue(struct site *s)
{
	struct brood_queue_options options = { .size = sizeof options, .pool = site_pool(s) };

	if (s->queue)
		return s->queue;
	s->queue_ours = s->number > 0 || options.pool;
	if (s->queue_ours)
		CHECK_EQ(brood_queue_new(s->brood, &options, &s->queue), 0);
	else
		s->queue = brood_own_queue(s->brood);
	CHECK(s->queue);
	return s->queue;
}

static void collect(struct given *g)
{
	const struct brood_result *results[4];
	uint64_t end = test_now_ms() + patience();

	while (!atomic_load(&g->over)) {
		int r = brood_queue_wait(g->queue, patience()), n;

		CHECK_MSG((r > 0 || atomic_load(&g->over) || r == -ENOTCONN) && test_now_ms() < end,
			"%s, %s: %d instead of a result: %s", way_names[g->way], g->what.name, r,
			brood_error());
		while ((n = brood_take(g->queue, results, 4)) > 0)
			for (int i = 0; i < n; i++)
				result_came(results[i]->context, results[i]);
		CHECK_EQ(n, 0);
	}
}

static int submits(struct given *g)
{
	struct what *w = &g->what;
	struct brood_job_options *o = &w->options;

	g->queue = given_is(g, PINNED) ? brood_lease_queue(o->lease) : site_queue(g->site);
	o->queue = given_is(g, PINNED) ? NULL : g->queue;
	o->context = o->context ? o->context : g;
	if (g->way == RING_CALLBACK)
		o->on_done = result_came;
	if (given_is(g, ARRAYS))
		return given_many(g);
	if (w->pieces)
		return brood_submitv_named(
			g->site->brood, w->fn, w->name, w->pieces, w->pieces_count, o, &g->id);
	return brood_submit_named(g->site->brood, w->fn, w->name, w->request, w->size, o, &g->id);
}

/* ---- any ---- */

void site_dispatch(struct site *s)
{
	brood_dispatch(s->brood);
	if (s->queue)
		brood_queue_dispatch(s->queue);
	if (s->lease)
		brood_queue_dispatch(brood_lease_queue(s->lease));
}

struct brood_lease *site_lease(struct site *s)
{
	struct brood_lease_options options = { .size = sizeof options,
		.limit_ms = s->lease_ms ? s->lease_ms : BROOD_FOREVER,
		.wait_ms = patience(),
		.pool = site_pool(s) };
	int r;

	if (s->lease && brood_lease_worker(s->lease, NULL, NULL, NULL) == 0)
		return s->lease;
	/* the lease's queue ends with the lease */
	for (struct given *g = s->givens; g; g = g->next)
		finish(g);
	s->lease = brood_lease_end(s->lease);
	/* brood_lease() may say -EAGAIN while many threads wait for workers. */
	CHECK_MSG(WAIT_UNTIL((r = brood_lease(s->brood, &options, &s->lease)) != -EAGAIN,
			  PATIENCE_MS) &&
			r == 0,
		"%d: %s", r, brood_error());
	return s->lease;
}

static void prepare(struct given *g)
{
	struct brood_job_options *o = &g->what.options;

	o->size = sizeof *o;
	o->pool = site_pool(g->site);
	o->dispatch = given_is(g, HANDOFF) ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE;
	if (given_is(g, PINNED))
		o->lease = site_lease(g->site);
	if (!o->arg) {
		g->said = (struct said){ g->site->stage, g->what.number };
		o->arg = &g->said;
		o->arg_size = sizeof g->said;
	}
	if (given_is(g, CALLS))
		o->ret_id = &g->id;
}

struct given *give(struct site *s, const struct what *what)
{
	struct given *g = calloc(1, sizeof *g);

	CHECK(g);
	g->site = s;
	g->way = s->way;
	g->what = *what;
	g->fd = -1;
	g->submitted = pool_stats(s->brood).submitted;
	prepare(g);
	g->next = s->givens;
	s->givens = g;
	g->begin_us = now_us();
	if (site_is(s, CALLS)) {
		CHECK_EQ(pthread_create(&g->thread, NULL, calls, g), 0);
		return g;
	}
	g->error = site_is(s, STREAMS) ? opens(g) : submits(g);
	CHECK_MSG(g->error == 0 || what->refusable, "%s, %s: %d: %s", way_names[g->way], what->name,
		g->error, brood_error());
	if (g->error) {
		g->finished = true;
		return g;
	}
	if (site_is(s, STREAMS)) {
		g->id = brood_id(g->handle);
		request_some(g);
	}
	return g;
}

struct given *finish(struct given *g)
{
	if (g->finished)
		return g;
	if (given_is(g, CALLS))
		pthread_join(g->thread, NULL);
	else if (given_is(g, STREAMS))
		talk(g);
	else
		collect(g);
	g->finished = true;
	if (!given_is(g, CALLS))
		g->n = call_result(g);
	return g;
}

uint64_t given_id(struct given *g)
{
	CHECK(WAIT_UNTIL(__atomic_load_n(&g->id, __ATOMIC_ACQUIRE) != 0, 20000));
	return g->id;
}

bool given_refused(struct given *g)
{
	if (!given_is(g, CALLS))
		return g->error != 0;
	CHECK(WAIT_UNTIL(
		atomic_load(&g->over) || pool_stats(g->site->brood).submitted > g->submitted,
		20000));
	return pool_stats(g->site->brood).submitted <= g->submitted;
}

/* ---- the runner ---- */

struct run {
	const struct conform *conform;
	unsigned ways;
};

void givens_free(struct site *s)
{
	while (s->givens) {
		struct given *g = s->givens;

		s->givens = g->next;
		finish(g);
		free(g->reply);
		free(g);
	}
}

static void site_run(struct site *s)
{
	struct stage *stages = case_shared();

	s->stage = &stages[s->number];
	memset(s->stage, 0, sizeof *s->stage);
	atomic_store(&s->stage->engine, getpid());
	s->conform->body(s);
	givens_free(s);
	s->lease = brood_lease_end(s->lease);
	if (s->queue) {
		CHECK_EQ(brood_queue_out(s->queue), 0);
		if (s->queue_ours)
			s->queue = brood_queue_free(s->queue);
	}
}

static void *site_thread(void *site)
{
	site_run(site);
	return NULL;
}

static unsigned next_way(unsigned ways, unsigned from)
{
	while (!(ways & WAY(from % WAYS)))
		from++;
	return from % WAYS;
}

static bool one_by_one(struct brood *brood, const struct run *run)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct site site = {
			.brood = brood, .conform = run->conform, .way = (enum way)way
		};

		if (!(run->ways & WAY(way)))
			continue;
		note("%s", way_names[way]);
		site_run(&site);
		if (site.stopped)
			return false;
		CHECK_MSG(WAIT_UNTIL(pool_full(brood), 20000), "after %s", way_names[way]);
	}
	return true;
}

static void all_at_once(struct brood *brood, const struct run *run)
{
	struct site sites[THREADS];
	pthread_t threads[THREADS];
	unsigned way = WAYS - 1;

	note("%d threads", THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		way = next_way(run->ways, way + 1);
		sites[i] = (struct site){
			.brood = brood, .conform = run->conform, .way = (enum way)way, .number = i
		};
		CHECK_EQ(pthread_create(&threads[i], NULL, site_thread, &sites[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(WAIT_UNTIL(pool_full(brood), 20000));
}

/* Every accepted job has one verdict, and nothing else has one. */
static void check_sums(struct brood *brood)
{
	struct brood_stats stats = pool_stats(brood);
	uint64_t sum = 0;

	for (int i = 1; i < BROOD_OUTCOMES; i++)
		sum += stats.verdicts[i];
	CHECK_GE(sum, stats.submitted);
	/* jobs that were refused at once have a verdict, too */
	CHECK_LE(sum - stats.submitted, stats.verdicts[BROOD_REFUSED]);
	CHECK_EQ(stats.dropped, 0);
}

static void run_in_case(void *context)
{
	const struct run *run = context;
	struct brood_options options = run->conform->options;
	struct brood *brood;

	if (!options.workers)
		options.workers = 6;
	if (!options.log)
		options.log = note_log;
	/* a pinned lease is one way of many here, and no session whose worker ends with it */
	options.flags |= BROOD_NO_CORE | BROOD_LEASE_REUSE;
	conform_pools(&options);
	brood = pool_start(&options);
	if (!one_by_one(brood, run))
		return;
	if (!(run->conform->ways & (ALONE | FRESH)))
		all_at_once(brood, run);
	check_sums(brood);
	pool_stop(brood);
}

/* For debugging: BROOD_CONFORM_WAYS is a bit mask of the ways to run. */
static unsigned asked_for(void)
{
	const char *text = getenv("BROOD_CONFORM_WAYS");

	return text ? (unsigned)strtoul(text, NULL, 0) : ~0u;
}

void conform_run(const struct conform *conform, unsigned path)
{
	struct run run = { conform, conform->ways & path & asked_for() };

	if (!run.ways)
		cr_skip_test("its line in the table says why it is not for this path");
	if (!(conform->ways & FRESH)) {
		case_run_with(run_in_case, &run, 240000);
		return;
	}
	for (unsigned way = 0; way < WAYS; way++) {
		struct run one = { conform, run.ways & WAY(way) };

		if (one.ways)
			case_run_with(run_in_case, &one, 120000);
	}
}
