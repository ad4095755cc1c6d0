/* SPDX-License-Identifier: MIT */
/*
 * plan_peers.c - the rows of --peers: the library's ways and its peers with 1, 8 and 64 jobs out,
 * all with 8 workers and 16 bytes there and back; then how the library's cost grows. Each row
 * stands beside the plain pool in C.
 */
#include "peers.h"
#include "plan.h"

static const struct {
	const char *name, *what;
	const struct kind *kind;
	uint32_t path;
	bool threads; /* each job out has a thread, which waits for it */
} ways[] = {
	{ "pool", "C: 8 forked workers on one shared socket", &floor_pool, 0, true },
	{ "submit", "`brood_submit()`", &bench_submit, BROOD_PATH_LEASE, false },
	{ "call", "`brood_call()`", &bench_callers, BROOD_PATH_AUTO, true },
	{ "handoff", "`brood_call()` by handoff", &bench_callers, BROOD_PATH_HANDOFF, true },
	{ "node", "node: `child_process`", &peer_node, 0, false },
	{ "php-fpm", "php-fpm, a connection a job", &peer_fpm, 0, true },
	{ "python", "Python: `ProcessPoolExecutor`", &peer_python, 0, false },
	{ "fork", "C: `fork()` a job", &peer_fork, 0, true },
	{ "posix_spawn", "C: `posix_spawn()` a job", &peer_spawn, 0, true },
};

static void plan_ways(struct plan *plan, uint32_t out, bool quick)
{
	struct group *g = add_group(plan, PEERS_GROUP, BOTH);
	uint32_t pool = 0;

	g->rounds = quick ? 1 : 7;
	for (uint32_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		const struct params p = { .workers = 8,
			.out = ways[i].threads ? 1 : out,
			.threads = ways[i].threads ? out : 1,
			.bytes = MESSAGE_SIZE,
			.blocks = 4,
			.path = ways[i].path };
		uint32_t stand = add_stand(g, ways[i].kind, &p);

		say(add_row(g, first(stand), beside(pool, "pool"), "peers.%s.c%u", ways[i].name,
			    out),
			"%s", ways[i].what);
		g->rows[g->rows_count - 1].bare = stand == pool;
	}
}

/* One job's cost, by what grows. The columns of the table are the names' last parts. */
static void add_growth(struct group *g, const struct kind *kind, const struct params *p,
	const char *name, uint32_t value, const char *what)
{
	uint32_t stand = add_stand(g, kind, p);
	struct row *row = add_row(g, first(stand), beside(0, ""), "grows.%s.%u", name, value);

	row->bare = true;
	say(row, "%s", what);
}

static void plan_growth(struct plan *plan, bool quick)
{
	static const uint32_t workers[] = { 1, 8, 64, 512 }, threads[] = { 1, 8, 64 },
			      kib[] = { 1, 64, 1024, 16384 };
	struct group *g;

	for (uint32_t i = 0; i < sizeof workers / sizeof *workers; i++) {
		const struct params p = { .workers = quick && workers[i] > 64 ? 64 : workers[i],
			.out = 64,
			.bytes = 64,
			.path = BROOD_PATH_LEASE };

		g = add_group(plan, GROWS_GROUP, BOTH);
		g->rounds = quick ? 1 : 7;
		add_growth(g, &bench_submit, &p, "workers", workers[i],
			"`brood_submit()`, 64 jobs of 64 bytes out, by workers");
	}
	for (uint32_t i = 0; i < sizeof threads / sizeof *threads; i++) {
		const struct params p = { .workers = 8,
			.out = 512,
			.threads = threads[i],
			.bytes = 64,
			/* long enough for many turns: a queue has a worker for some ms */
			.fixed = threads[i] > 8 && !quick ? 10000 * threads[i] : 0,
			.path = BROOD_PATH_LEASE };

		g = add_group(plan, GROWS_GROUP, BOTH);
		g->rounds = quick ? 1 : 7;
		add_growth(g, &bench_submit, &p, "threads", threads[i],
			"`brood_submit()`, 512 jobs of 64 bytes out, 8 workers, by threads");
	}
	for (uint32_t i = 0; i < sizeof kib / sizeof *kib; i++) {
		const struct params p = {
			.workers = 1, .bytes = kib[i] << 10, .path = BROOD_PATH_LEASE
		};

		g = add_group(plan, GROWS_GROUP, BOTH);
		g->rounds = quick ? 1 : 7;
		add_growth(g, &bench_request, &p, "kib", kib[i],
			"`brood_call()` with a request, by its KiB");
	}
}

void plan_peers(struct plan *plan, bool quick)
{
	for (uint32_t out = 1; out <= 64; out *= 8)
		plan_ways(plan, out, quick);
	plan_growth(plan, quick);
}
