/* SPDX-License-Identifier: MIT */
/*
 * plan_crowd.c - the rows of crowd.c: thousands of workers. Its figures are of a machine with all
 * its CPUs: births are work. The bounds were set for 5,000 to 9,500 workers.
 */
#include "plan.h"

#define FEW 1000u

static struct row *add(struct group *g, struct reading of, struct beside beside, const char *name)
{
	struct row *row = add_row(g, of, beside, "crowd.%s", name);

	row->unit = UNIT_TIME;
	row->bare = of.stand == beside.floor.stand && of.value == beside.floor.value;
	return row;
}

static struct reading value(uint32_t stand, enum crowd_value v)
{
	return (struct reading){ stand, v };
}

static struct beside none(struct reading of) { return (struct beside){ of, "" }; }

static void at_most(struct group *g, struct reading of, double limit, const char *what)
{
	add_bound(g, UNPINNED, COUNT_AT_MOST, of, limit, what);
}

static void times(struct group *g, struct reading against, double limit, const char *what)
{
	add_bound(g, UNPINNED, TIMES_AT_MOST, against, limit, what);
}

static void plan_life(struct group *g, uint32_t all)
{
	const struct reading ready = value(all, READY), first_fifth = value(all, FIRST_FIFTH),
			     gone = value(all, GONE), first = value(all, FIRST_VERDICT);

	say(add(g, ready, none(ready), "ready"),
		"%u workers, or as many as the limits allow: time until all are ready, us a worker",
		g->stands[all].params.workers);
	at_most(g, ready, 4e6 / 9500, "workers are ready, us a worker (9,500 in 4 s)");
	say(add(g, value(all, LAST_FIFTH), (struct beside){ first_fifth, "first" }, "fifth"),
		"the last fifth of the workers: time until they are ready, us");
	times(g, first_fifth, 1.5, "the last fifth of the births: of the first");
	say(add(g, first, none(first), "first"),
		"4,096 jobs that do nothing on a fresh queue: time until the first verdict, us");
	at_most(g, first, 10000, "first verdict of 4,096 on a fresh queue, us");
	say(add(g, value(all, FULL), (struct beside){ ready, "start" }, "full"),
		"all workers are killed: time until all are ready again, us a worker");
	times(g, ready, 2, "all are killed: until all are ready again, of the start");
	say(add(g, gone, (struct beside){ value(all, BARE_GONE), "bare" }, "gone"),
		"the supervisor is killed: time until no process is left, us a worker; beside "
		"it, the parent of as many processes that only sleep is killed");
	at_most(g, gone, 100, "the supervisor is killed: until all are gone, us a worker");
}

void plan_crowd(struct plan *plan, uint32_t workers)
{
	const struct params p = { .workers = workers, .fixed = 1 },
			    q = { .workers = workers < FEW ? workers : FEW, .fixed = 1 };
	struct group *g = add_group(plan, "crowd", ONLY(UNPINNED));
	uint32_t all = add_stand(g, &bench_crowd, &p), few;
	struct reading of = value(all, SLAB_KB);
	struct row *row;

	g->rounds = workers < FEW ? 1 : 3;
	plan_life(g, all);
	row = add(g, of, (struct beside){ value(all, BARE_SLAB_KB), "bare" }, "slab");
	row->unit = UNIT_KIB;
	say(row, "a worker's part of the kernel's slab; beside it, a process that only sleeps");
	at_most(g, of, 30, "slab of a worker, KiB");
	of = value(all, ALL_KB);
	row = add(g, of, (struct beside){ value(all, BARE_ALL_KB), "bare" }, "memory");
	row->unit = UNIT_KIB;
	say(row,
		"a worker's memory in all: pages, page tables, kernel stack, slab; beside it, a "
		"forked process that only sleeps: so much of it is this program's own");
	at_most(g, of, 130, "memory of a worker in all, KiB");
	few = add_stand(g, &bench_crowd, &q);
	say(add(g, value(all, DEATH), (struct beside){ value(few, DEATH), "1,000" }, "death"),
		"one worker is killed: time until another one has its place, us");
	times(g, value(few, DEATH), 3, "one death among many: of one among 1,000");
	say(add(g, value(all, STOP), (struct beside){ value(few, STOP), "1,000" }, "stop"),
		"the pool stops: time until no worker is left, us a worker");
	times(g, value(few, STOP), 1.2, "a stop of many, us a worker: of a stop of 1,000");
}
