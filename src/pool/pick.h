/* SPDX-License-Identifier: MIT */
/*
 * pick.h - the engine's side of a lease: which of its workers takes the next job, and when to ask
 * for another one. A worker that is awake takes several short jobs for less than it costs to wake
 * another (some ten microseconds on the same CPU, fifty on another one), so short jobs are stacked
 * up to a budget of time; long ones, and those that nobody has seen run yet, go to workers that
 * have nothing to do.
 */
#ifndef BROOD_POOL_PICK_H
#define BROOD_POOL_PICK_H

#include "../base/base.h"
#include "../wire/shared.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PICK_UNKNOWN  UINT32_MAX /* the estimate while nobody has seen the function run */
#define PICK_GUESS_NS 100000u
/*
 * A ring takes a job only up to so much work in all, the job's own included: this much if another
 * worker is idle,
 */
#define PICK_WARM_NS 30000u
#define PICK_FULL_NS 200000u /* this much if none is idle */
enum pick_choice { PICK_WARM, PICK_IDLE, PICK_LEAST, PICK_NONE };
struct pick_view {
	/* The work in the ring of the worker that got the last job. TIME_NEVER: it takes no job. */
	uint64_t warm_cost;
	/* the least work in any ring that was looked at; TIME_NEVER: no ring has room */
	uint64_t least_cost;
	bool idle; /* some worker has nothing to do */
	bool once; /* the job may never stand behind another one */
	uint32_t est_ns;
};
enum pick_choice pick_lease(const struct pick_view *view);
static inline uint32_t pick_estimate(uint32_t est_ns)
{
	return est_ns == PICK_UNKNOWN ? PICK_GUESS_NS : est_ns;
}
/*
 * True: the worker lies. Its slot page says that a job is done, but the ring has no completion of
 * that job. An honest worker is in that state between a job's end and its completion, and never for
 * PICK_LIE_NS, which is longer than any look for residue takes. (A job may have written to the slot
 * page.)
 */
#define PICK_LIE_NS (10 * NS_PER_S)
struct pick_doubt {
	uint64_t word, since;
}; /* all zero at first */
bool pick_lies(struct pick_doubt *doubt, uint64_t word, uint64_t collected, uint64_t now);
/*
 * May jobs stay behind others in a ring, while another worker could take them? The ring has the
 * jobs with the sequences after `collected`, up to `published`. head_since: when its first job
 * became the first. seen: the last job at the last look, at seen_ns. began_ns: when the job that
 * runs began; TIME_NEVER: none runs, so the worker has no CPU yet. Jobs move away from a worker
 * without a CPU only after PICK_NO_CPU_NS, for on a busy machine other workers would have to wait
 * for a CPU, too. stalled: a look has found the first job to be long.
 */
#define PICK_STAND_NS  (400 * NS_PER_US)
#define PICK_NO_CPU_NS (5 * NS_PER_MS)
struct pick_stand {
	uint64_t published, collected, head_since, began_ns, seen, seen_ns;
	bool stalled;
};
/*
 * STAY: the jobs stay. MOVE: those behind the first job go to other workers. MOVE_SLOW: they do,
 * and the first job is long.
 */
enum pick_standing { PICK_STAY, PICK_MOVE, PICK_MOVE_SLOW };
enum pick_standing pick_stands(const struct pick_stand *stand, uint64_t now);
/*
 * When to look at the ring; TIME_NEVER: no look is needed. head: look even if no job stands behind
 * the first one.
 */
uint64_t pick_stand_due(const struct pick_stand *stand, bool head, uint64_t now);
/*
 * How many more leases to ask for: one for the first jobs, then one for as much work as is worth
 * the price of a grant.
 *
 * A request for a lease costs the engine as much time as a hundred short jobs. A program that
 * submits thousands of jobs of an unknown function must not wait until there is a request for each:
 * the first few jobs may show that some workers are enough. So at most as many requests are out as
 * leases have been granted: each round doubles the leases. And only a few are made at a time: each
 * grant is a reason to ask again, and the verdicts that come meanwhile are read.
 */
#define PICK_FIRST   8u  /* so many requests may be out before the first grant */
#define PICK_AT_ONCE 16u /* so many are made before verdicts are read */
/* stalled: how many active leases have been busy with one job for long. */
struct pick_load {
	size_t waiting;
	uint64_t waiting_ns;
	uint32_t active, stalled, asked, limit;
};
uint32_t pick_more(const struct pick_load *load);
/*
 * May a queue ask for one more lease? workers: of the pool. waiting: how many requests may wait
 * beyond one for each worker. out: leases granted or asked for, of all queues. asked: requests of
 * this queue.
 */
struct pick_room {
	uint32_t workers, waiting, out, asked;
};
bool pick_may_ask(const struct pick_room *room);
/*
 * How many idle workers are left for further leases. idle, leased: as the supervisor said last, so
 * a request counts until its answer has come. out: leases granted or asked for. library: workers on
 * leases that are not pinned, of which there may be `limit`.
 */
struct pick_pool {
	uint32_t idle, leased, library, out, limit;
};
uint32_t pick_spare(const struct pick_pool *pool);

#endif
