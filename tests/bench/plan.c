/* SPDX-License-Identifier: MIT */
/*
 * plan.c - lists the rows, their floors and their bounds. Bounds hold for the pinned mode, where
 * figures repeat, but for those of threads, which can only lose on one CPU, of maps, and of crowds
 * (plan_crowd.c). --quick keeps the rows, but makes those smaller whose size costs time or memory.
 */
#include "plan.h"

#include "peers.h"

#include <string.h>

#define MIB (1ull << 20)

/* ---- the groups ---- */

static void plan_floors(struct plan *plan)
{
	static const struct {
		const struct kind *kind;
		const char *name, *what;
	} floors[] = {
		{ &floor_f0, "F0",
			"two processes, 16 bytes there and back on a permanent SEQPACKET socket" },
		{ &floor_futex, "futex", "two processes, a shared word and a futex each way" },
		{ &floor_eventfd, "eventfd", "two processes, an eventfd each way" },
		{ &floor_pipe, "pipe", "two processes, 16 bytes, a pipe each way" },
		{ &floor_ring, "ring",
			"two processes that spin, a ring of 64 jobs in shared memory each way, 64 "
			"bytes" },
		{ &floor_f1, "F1",
			"two processes, the message carries an fd, the answer comes over it; the "
			"same socketpair again" },
		{ &floor_f2, "F2", "the same with a fresh socketpair each time" },
		{ &floor_f2v, "F2v", "F2, then a verdict message to the engine" },
		{ &floor_f5, "F5", "three processes: a fresh socketpair through the middle one" },
		{ &floor_f5v, "F5v",
			"F5, then an idle message to the middle one and a verdict message to the "
			"engine" },
	};
	static const struct params ring = { .out = 64, .bytes = 64 };
	struct group *g = add_group(plan, "floors", BOTH);

	for (uint32_t i = 0; i < sizeof floors / sizeof *floors; i++) {
		struct row *row = add_row(g, first(add_stand(g, floors[i].kind, &ring)),
			beside(0, "F0"), "%s", floors[i].name);

		row->bare = true;
		say(row, "%s", floors[i].what);
	}
}

static void plan_handoff(struct plan *plan)
{
	const struct params p = { .workers = 1, .path = BROOD_PATH_HANDOFF },
			    many = {
				    .workers = 8, .out = 64, .bytes = 64, .path = BROOD_PATH_HANDOFF
			    };
	struct group *g = add_group(plan, "handoff", BOTH);
	uint32_t f5 = add_stand(g, &floor_f5, NULL), f5v = add_stand(g, &floor_f5v, NULL);
	uint32_t open = add_stand(g, &bench_open, &p), call = add_stand(g, &bench_call, &p);

	say(add_row(g, first(open), beside(f5, "F5"), "handoff.reply"),
		"brood_open() through the supervisor, C=1: until the reply is read");
	say(add_row(g, (struct reading){ open, 1 }, beside(f5v, "F5v"), "handoff.verdict"),
		"the same: until the verdict is there and the socket closed");
	add_bound(
		g, PINNED, TIMES_AT_MOST, first(f5v), 1.25, "handoff, C=1, to the verdict: of F5v");
	say(add_row(g, first(call), beside(f5v, "F5v"), "handoff.call"),
		"brood_call() through the supervisor, C=1");
	say(add_row(g, first(add_stand(g, &bench_submit, &many)), beside(f5v, "F5v"),
		    "handoff.submit.c64"),
		"brood_submit() through the supervisor: 8 workers, 64 jobs out, echo of 64 bytes");
}

/* Unpinned: on one CPU the scheduler decides who waits for whom. */
static void plan_give(struct plan *plan)
{
	const struct params p = { .workers = 32, .out = 32 };
	struct group *g = add_group(plan, "give", ONLY(UNPINNED));
	uint32_t forks = add_stand(g, &floor_forks, &p), give = add_stand(g, &bench_give, &p);
	const struct reading once = { give, 1 }, forks_once = { forks, 1 };
	struct row *row = add_row(g, first(forks), beside(forks, "forks"), "forks.keep");

	row->bare = true;
	say(row, "a server that forks a child for each of 32 TCP clients that stay: a request");
	say(add_row(g, first(give), beside(forks, "forks"), "give.keep"),
		"brood_give() of 32 TCP clients that stay, 32 workers: a request");
	add_bound(g, UNPINNED, TIMES_AT_MOST, first(forks), 1.0,
		"given clients that stay: a request, of a server that forks");
	say(add_row(g, once, (struct beside){ forks_once, "forks" }, "give.once"),
		"the same with a new client for each request: connection, job, verdict");
	add_bound(g, UNPINNED, TIMES_AT_MOST, forks_once, 1.0,
		"a given client with one request: of a server that forks");
}

static void plan_lease(struct plan *plan)
{
	const struct params p = { .workers = 1, .path = BROOD_PATH_LEASE };
	const struct params epoll = {
		.workers = 1, .path = BROOD_PATH_LEASE, .epoll = true, .bytes = MESSAGE_SIZE
	};
	const struct params submit = {
		.workers = 1, .path = BROOD_PATH_LEASE, .bytes = MESSAGE_SIZE
	};
	struct group *g = add_group(plan, "open", BOTH);
	uint32_t f2 = add_stand(g, &floor_f2, NULL), f2v = add_stand(g, &floor_f2v, NULL),
		 open = add_stand(g, &bench_open, &p), f0, eventfd;

	say(add_row(g, first(open), beside(f2, "F2"), "open.reply"),
		"brood_open() on a lease, a fresh socketpair, C=1: until the reply is read");
	add_bound(g, PINNED, TIMES_AT_MOST, first(f2), 1.25,
		"open on a lease, C=1, to the reply: of F2");
	say(add_row(g, (struct reading){ open, 1 }, beside(f2v, "F2v"), "open.verdict"),
		"the same: until the verdict is there and the socket closed");
	add_bound(g, PINNED, TIMES_AT_MOST, first(f2v), 1.25,
		"open on a lease, C=1, to the verdict: of F2v (F2 has none)");

	g = add_group(plan, "call", BOTH);
	f0 = add_stand(g, &floor_f0, NULL);
	eventfd = add_stand(g, &floor_eventfd, NULL);
	say(add_row(g, first(add_stand(g, &bench_call, &p)), beside(f0, "F0"), "call.blocking"),
		"brood_call() on a lease, C=1, 16 bytes");
	add_bound(g, PINNED, TIMES_AT_MOST, first(f0), 1.10,
		"call on a lease, C=1, engine blocking: of F0");
	say(add_row(g, first(add_stand(g, &bench_submit, &epoll)), beside(f0, "F0"), "call.epoll"),
		"brood_submit(), C=1, 16 bytes, brood_fd() in the program's epoll, "
		"brood_dispatch(), a callback");
	add_bound(g, PINNED, TIMES_AT_MOST, first(f0), 1.25,
		"call on a lease, C=1, engine in epoll: of F0");
	say(add_row(g, first(add_stand(g, &bench_submit, &submit)), beside(eventfd, "eventfd"),
		    "submit.c1"),
		"brood_submit() and brood_queue_wait(), C=1, 16 bytes");
	add_bound(g, PINNED, TIMES_AT_MOST, first(eventfd), 1.3,
		"submit, C=1: of an eventfd ping-pong");
}

/*
 * More threads than workers, and as many. The bound of 64 threads holds for the unpinned mode: on
 * one CPU the scheduler decides. The blocks are long: the library needs milliseconds to know that
 * the callers are many, and hands their jobs off until then.
 */
static void plan_callers(struct plan *plan)
{
	static const uint32_t threads[] = { 64, 16, 8, 4, 2 };

	for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
		const struct params p = { .workers = 8, .threads = threads[i], .blocks = 8 };
		struct group *g = add_group(plan, "callers", BOTH);
		uint32_t pool = add_stand(g, &floor_pool, &p),
			 call = add_stand(g, &bench_callers, &p);
		struct row *row = add_row(
			g, first(pool), beside(pool, "pool"), "pool.c%u", threads[i]);

		row->bare = true;
		say(row, "8 forked workers on one shared socket, %u threads", threads[i]);
		say(add_row(g, first(call), beside(pool, "pool"), "callers.c%u", threads[i]),
			"brood_call() from %u threads on 8 workers, 16 bytes: time a call of all",
			threads[i]);
		if (threads[i] == 64)
			add_bound(g, UNPINNED, TIMES_AT_MOST, first(pool), 1 / 0.9,
				"64 threads call 8 workers: time a call, of a plain pool");
		say(add_row(g, (struct reading){ call, 1 }, (struct beside){ { pool, 1 }, "pool" },
			    "callers.c%u.p99", threads[i]),
			"the same: the 99th percentile of a call");
		if (threads[i] == 64)
			add_bound(g, UNPINNED, TIMES_AT_MOST, (struct reading){ pool, 1 }, 1.5,
				"64 threads call 8 workers: 99th percentile, of a plain pool");
		say(add_row(g, (struct reading){ call, 2 }, (struct beside){ { pool, 2 }, "pool" },
			    "callers.c%u.max", threads[i]),
			"the same: the longest of all calls of a block");
		if (threads[i] == 64)
			add_bound(g, UNPINNED, COUNT_AT_MOST, (struct reading){ pool, 2 }, 20000,
				"64 threads call 8 workers: the longest call, in us");
	}
}

/* Every lease is forced, so the callers share eight leases, and nothing is handed off. */
static void plan_forced(struct plan *plan)
{
	const struct params p = {
		.workers = 8, .threads = 64, .blocks = 8, .path = BROOD_PATH_LEASE
	};
	struct group *g = add_group(plan, "forced", BOTH);
	uint32_t pool = add_stand(g, &floor_pool, &p), call = add_stand(g, &bench_callers, &p);
	const struct reading longest = { call, 2 };
	struct row *row = add_row(
		g, longest, (struct beside){ { pool, 2 }, "pool" }, "forced.c64.max");

	row->unit = UNIT_TIME;
	say(row, "brood_call() from 64 threads on 8 forced leases, 16 bytes: the longest call");
	add_bound(g, UNPINNED, COUNT_AT_MOST, longest, 20000,
		"64 threads call 8 forced leases: the longest call, in us");
}

static void add_submit(struct group *g, const struct params *p)
{
	uint32_t floor = add_stand(g, &floor_ring, p);
	struct row *row = add_row(g, first(add_stand(g, &bench_submit, p)), beside(floor, "ring"),
		"submit.w%u.c%u.b%u", p->workers, p->out, p->bytes);

	say(row, "brood_submit(): %u workers, %u jobs out, echo of %u bytes", p->workers, p->out,
		p->bytes);
}

static void plan_submit(struct plan *plan, uint32_t workers, uint32_t bytes)
{
	struct params p = { .workers = workers, .bytes = bytes, .path = BROOD_PATH_LEASE };
	struct group *g = add_group(plan, "submit", BOTH);
	uint32_t process;

	for (p.out = 1; p.out <= 64; p.out *= 8)
		add_submit(g, &p);
	if (workers != 8 || bytes != 64)
		return;
	add_bound(g, PINNED, RATE_AT_LEAST, first(0), 1e6,
		"submit, 8 workers, C=64, 64-byte echo: jobs/s");
	add_bound(g, UNPINNED, RATE_AT_LEAST, first(0), 5e6,
		"submit, 8 workers, C=64, 64-byte echo: jobs/s (unpinned)");
	process = add_stand(g, &bench_fork, NULL);
	add_bound(
		g, PINNED, TIMES_FASTER, first(process), 50, "the same: times the fork-a-job rate");
}

static void plan_many_submit(struct plan *plan)
{
	const struct params p = {
		.workers = 512, .out = 64, .bytes = 64, .path = BROOD_PATH_LEASE
	};
	const struct params more = {
		.workers = 512, .out = 4096, .bytes = 64, .path = BROOD_PATH_LEASE
	};
	struct group *g = add_group(plan, "submit", BOTH);

	add_submit(g, &p);
	add_submit(g, &more);
}

/* The same jobs, given one by one and in arrays. */
static void plan_arrays(struct plan *plan)
{
	struct group *g = add_group(plan, "arrays", BOTH);
	struct params p = { .workers = 8, .bytes = 64, .path = BROOD_PATH_LEASE };

	for (p.out = 64; p.out <= 512; p.out *= 8) {
		uint32_t single, many;

		p.many = false;
		single = add_stand(g, &bench_submit, &p);
		p.many = true;
		many = add_stand(g, &bench_submit, &p);
		say(add_row(g, first(many), beside(single, "submit"), "submit_many.w8.c%u.b64",
			    p.out),
			"brood_submit_many(): 8 workers, %u jobs out, echo of 64 bytes; up to 64 "
			"in an array",
			p.out);
		add_bound(g, PINNED, TIMES_AT_MOST, first(single), 1,
			"jobs in arrays: time a job, of brood_submit()");
	}
}

static void plan_threads(struct plan *plan)
{
	static const uint32_t outs[] = { 64, 512 };

	for (uint32_t i = 0; i < sizeof outs / sizeof *outs; i++) {
		struct params p = { .workers = 8,
			.out = outs[i],
			.bytes = 64,
			.threads = 1,
			.path = BROOD_PATH_LEASE };
		struct group *g = add_group(plan, "threads", BOTH);
		uint32_t floor = add_stand(g, &floor_ring, &p),
			 one = add_stand(g, &bench_submit, &p);
		struct row *row = add_row(
			g, first(one), beside(floor, "ring"), "threads.t1.c%u", p.out);

		say(row, "brood_submit(): 8 workers, %u jobs out, echo of 64 bytes, 1 thread",
			p.out);
		p.threads = 8;
		row = add_row(g, first(add_stand(g, &bench_submit, &p)), beside(one, "1 thread"),
			"threads.t8.c%u", p.out);
		say(row, "the same from 8 threads, with a queue and an eighth of the jobs each");
		if (p.out == 64)
			add_bound(g, UNPINNED, RATE_AT_LEAST, first(one), 1.5e6,
				"8 threads, C=64: jobs/s in all (unpinned)");
		else
			add_bound(g, UNPINNED, TIMES_FASTER, first(one), 0.8,
				"8 threads, C=512: jobs/s, of 1 thread (unpinned)");
		if (p.out < 512)
			continue;
		p.threads = 2;
		say(add_row(g, first(add_stand(g, &bench_submit, &p)), beside(one, "1 thread"),
			    "threads.t2.c%u", p.out),
			"the same from 2 threads, with a queue and half of the jobs each");
		add_bound(g, UNPINNED, RATE_AT_LEAST, first(one), 10e6,
			"2 threads, C=512: jobs/s in all (unpinned)");
	}
}

static void plan_processes(struct plan *plan, bool quick)
{
	const struct params touched = { .touched = (quick ? 64 : 1024) * MIB };
	struct group *g = add_group(plan, "processes", BOTH);
	struct beside f0 = beside(add_stand(g, &floor_f0, NULL), "F0");

	say(add_row(g, first(add_stand(g, &bench_fork, NULL)), f0, "fork.small"),
		"fork() a job, waited for; a small engine");
	say(add_row(g, first(add_stand(g, &bench_fork, &touched)), f0, "fork.touched"),
		"the same; an engine with %llu MiB touched",
		(unsigned long long)(touched.touched / MIB));
	say(add_row(g, first(add_stand(g, &bench_spawn, NULL)), f0, "spawn.small"),
		"posix_spawn() a job: a program made for it, waited for; a small engine");
	say(add_row(g, first(add_stand(g, &bench_spawn, &touched)), f0, "spawn.touched"),
		"the same; an engine with %llu MiB touched",
		(unsigned long long)(touched.touched / MIB));
}

static void plan_many(struct plan *plan, uint32_t workers)
{
	const struct params eight = { .workers = 8, .path = BROOD_PATH_HANDOFF },
			    many = { .workers = workers, .path = BROOD_PATH_HANDOFF };
	struct group *g = add_group(plan, "many", ONLY(PINNED));
	uint32_t floor = add_stand(g, &floor_f5v, NULL), few = add_stand(g, &bench_open, &eight),
		 all = add_stand(g, &bench_open, &many);
	const struct reading verdict = { few, 1 };

	say(add_row(g, verdict, beside(floor, "F5v"), "many.w8"),
		"brood_open() through the supervisor, C=1, to the verdict: 8 workers");
	say(add_row(g, (struct reading){ all, 1 }, (struct beside){ verdict, "8 workers" },
		    "many.all"),
		"the same: %u workers, or as many as the limits allow", workers);
	add_bound(g, PINNED, TIMES_AT_MOST, verdict, 1.2, "handoff at many workers against 8");
}

static void plan_idle(struct plan *plan, bool quick)
{
	static const struct {
		const char *name, *what;
		uint32_t out, path;
		bool kept;
	} idle[] = {
		{ "idle.new", "8 workers that had no job yet", 0, BROOD_PATH_AUTO, false },
		{ "idle.handoff", "8 workers after 2,000 jobs through the supervisor", 64,
			BROOD_PATH_HANDOFF, false },
		{ "idle.leased", "8 workers after 2,000 jobs, still on lease", 64, BROOD_PATH_LEASE,
			true },
		{ "idle.returned", "8 workers after 2,000 jobs on leases that went back", 64,
			BROOD_PATH_LEASE, false },
	};
	struct group *g = add_group(plan, "idle", ONLY(PINNED));

	g->rounds = quick ? 1 : 3;
	for (uint32_t i = 0; i < sizeof idle / sizeof *idle; i++) {
		struct params p = { .workers = 8,
			.out = idle[i].out,
			.path = idle[i].path,
			.kept = idle[i].kept,
			.fixed = 1,
			.idle_ms = quick ? 500 : 2000 };
		struct reading of = first(add_stand(g, &bench_idle, &p));
		struct row *row = add_row(g, of, (struct beside){ of, "" }, "%s", idle[i].name);
		char what[TEXT_MAX];

		row->unit = UNIT_RUNS;
		row->bare = true;
		say(row, "times that any process ran in %u ms: %s", p.idle_ms, idle[i].what);
		snprintf(what, sizeof what, "idle, system calls: %s", idle[i].what);
		add_bound(g, PINNED, COUNT_AT_MOST, of, 0, what);
	}
}

/*
 * The paths stand side by side: with this many bytes, the price of the transport itself no longer
 * shows.
 */
static void plan_large(struct plan *plan, const char *size, uint32_t bytes)
{
	static const struct {
		const struct kind *kind;
		const char *name;
	} ways[] = {
		{ &bench_reply, "reply" },
		{ &bench_request, "request" },
	};
	char name[TEXT_MAX];
	struct group *g;

	snprintf(name, sizeof name, "large.%s", size);
	g = add_group(plan, strdup(name), BOTH);
	for (uint32_t i = 0; i < 2; i++) {
		struct params p = { .workers = 1, .bytes = bytes, .path = BROOD_PATH_HANDOFF };
		uint32_t handoff = add_stand(g, ways[i].kind, &p), lease;

		p.path = BROOD_PATH_LEASE;
		lease = add_stand(g, ways[i].kind, &p);
		say(add_row(g, first(lease), beside(handoff, "handoff"), "large.%s.%s",
			    ways[i].name, size),
			"brood_call() on a lease, a %s of %u bytes: of the same by handoff",
			ways[i].name, bytes);
		snprintf(name, sizeof name, "large %s of %u bytes on a lease: of a handoff",
			ways[i].name, bytes);
		add_bound(g, PINNED, TIMES_AT_MOST, first(handoff), 1.3, name);
	}
}

/* A block takes seconds, since a pool must live through a thousand crashes. */
static void plan_map(struct plan *plan, bool quick)
{
	const struct params p = { .workers = 8, .fixed = quick ? 2000 : 100000 };
	struct group *g = add_group(plan, "map", BOTH);
	uint32_t map = add_stand(g, &bench_map, &p);
	const struct reading list = { map, 1 };
	struct row *row;

	g->rounds = quick ? 1 : 3;
	say(add_row(g, first(map), (struct beside){ list, "list" }, "map.bad"),
		"brood_map() in order: 8 workers, %u items of 1 ms, 1 %% crash, 0.1 %% hang",
		p.fixed);
	add_bound(g, UNPINNED, TIMES_AT_MOST, list, 1.2,
		"map with crashes and hangs: time, of list scheduling (unpinned)");
	row = add_row(
		g, (struct reading){ map, 2 }, (struct beside){ { map, 2 }, "" }, "map.bad.memory");
	row->unit = UNIT_KIB;
	row->bare = true;
	say(row, "the same: what the engine's memory gained; all replies have %u KiB", p.fixed);
	add_bound(g, UNPINNED, COUNT_AT_MOST, (struct reading){ map, 2 }, 12 << 10,
		"the same, window of 8 MiB: memory of the engine, KiB");
}

void plan_make(struct plan *plan, const struct settings *settings)
{
	static const uint32_t workers[] = { 1, 8, 64 }, bytes[] = { 0, 64, 1024 };

	memset(plan, 0, sizeof *plan);
	if (settings->peers) {
		plan_peers(plan, settings->quick);
		return;
	}
	plan_floors(plan);
	plan_handoff(plan);
	plan_give(plan);
	plan_lease(plan);
	plan_callers(plan);
	plan_forced(plan);
	for (uint32_t w = 0; w < 3; w++) {
		for (uint32_t b = 0; b < 3; b++)
			plan_submit(plan, workers[w], bytes[b]);
	}
	plan_submit(plan, 1, 65536);
	plan_submit(plan, 8, 65536);
	plan_many_submit(plan);
	plan_arrays(plan);
	plan_threads(plan);
	plan_calls(plan, settings->quick);
	plan_latency(plan, settings->quick);
	plan_map(plan, settings->quick);
	plan_processes(plan, settings->quick);
	plan_many(plan, settings->many);
	plan_large(plan, "256k", 256u << 10);
	plan_large(plan, "4m", 4u << 20);
	if (!settings->quick)
		plan_large(plan, "96m", 96u << 20);
	plan_loan(plan);
	plan_crowd(plan, settings->many);
	plan_idle(plan, settings->quick);
}
