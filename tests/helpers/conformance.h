/* SPDX-License-Identifier: MIT */
/*
 * conformance.h - runs a test case with every way to give a job. A case is a function and a line in
 * a table (CASE below), which says on which paths the case runs, and with which pool. There are
 * three paths: handoff; side (a lease, and the job's socket goes through the side socket); ring (a
 * lease, and bytes go through the ring). The runner runs the case on each path by each call that
 * exists there, from one thread. Then eight threads run the case at once, and mix the calls of the
 * path.
 *
 * 	static void codes(struct site *s)                    // in the engine
 * 	{
 * 		// gives the job, waits for it, checks what each verdict must say
 * 		struct given *g = RUN(s, job_code, .number = 7);
 *
 * 		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
 * 		CHECK_EQ(g->v.code, 7);
 * 	}
 * 	CASE(codes, EVERYWHERE)
 *
 * `enum way` has the calls of each path. A case asks s->way only where the contract itself differs
 * (for example brood_job_fd() of bytes), and its line in the table says why.
 */
#ifndef BROOD_TESTS_CONFORMANCE_H
#define BROOD_TESTS_CONFORMANCE_H

#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

enum way {
	HANDOFF_CALL,
	HANDOFF_OPEN,
	HANDOFF_GIVE,
	HANDOFF_SUBMIT,
	/* ARRAYS: an array of one, by brood_submit_many() */
	HANDOFF_MANY,
	/* PINNED: with a pinned lease */
	SIDE_OPEN,
	SIDE_GIVE,
	SIDE_PINNED,
	RING_CALL,
	RING_SUBMIT,
	RING_MANY,
	RING_CALLBACK,
	RING_PINNED_CALL,
	RING_PINNED_SUBMIT,
	RING_PINNED_MANY,
	WAYS
};
#define WAY(way) (1u << (way))
#define HANDOFF                                                                            \
	(WAY(HANDOFF_CALL) | WAY(HANDOFF_OPEN) | WAY(HANDOFF_GIVE) | WAY(HANDOFF_SUBMIT) | \
		WAY(HANDOFF_MANY))
#define SIDE (WAY(SIDE_OPEN) | WAY(SIDE_GIVE) | WAY(SIDE_PINNED))
#define RING                                                                       \
	(WAY(RING_CALL) | WAY(RING_SUBMIT) | WAY(RING_MANY) | WAY(RING_CALLBACK) | \
		WAY(RING_PINNED_CALL) | WAY(RING_PINNED_SUBMIT) | WAY(RING_PINNED_MANY))
#define EVERYWHERE (HANDOFF | SIDE | RING)
#define CALLS      (WAY(HANDOFF_CALL) | WAY(RING_CALL) | WAY(RING_PINNED_CALL))
#define ARRAYS     (WAY(HANDOFF_MANY) | WAY(RING_MANY) | WAY(RING_PINNED_MANY))
#define SUBMITS                                                                                  \
	(WAY(HANDOFF_SUBMIT) | WAY(RING_SUBMIT) | WAY(RING_CALLBACK) | WAY(RING_PINNED_SUBMIT) | \
		ARRAYS)
#define BYTES   (CALLS | SUBMITS)
#define STREAMS (EVERYWHERE & ~BYTES)
#define PINNED \
	(WAY(SIDE_PINNED) | WAY(RING_PINNED_CALL) | WAY(RING_PINNED_SUBMIT) | WAY(RING_PINNED_MANY))
#define ANY_WORKER (EVERYWHERE & ~PINNED)
/* More bits of a table's line: how the runner runs the case. */
#define ALONE (1u << 30) /* one thread only, because the case needs the whole pool */
/* as ALONE, and with a new pool for each way, because the case stops the pool */
#define FRESH (1u << 31)

extern const char *const way_names[WAYS];

/*
 * What the jobs and threads of a case share, in memory that workers have, too. Each site has one.
 */
#define ORDER_MAX 256
struct stage {
	/* gated jobs: how many have begun; how many have passed the gate */
	atomic_uint entered, left;
	atomic_uint gate; /* gated jobs wait until it is not 0 */
	atomic_uint ordered;
	atomic_int order[ORDER_MAX];
	atomic_int pid; /* the pid of a worker, stored by a job */
	atomic_int engine;
	atomic_ullong values[64];
};
/* A job's argument, unless the case gives another one. */
struct said {
	struct stage *stage;
	long number;
};
const struct said *said(struct brood_job *job);

struct what {
	brood_fn *fn;
	const char *name;
	const void *request;
	size_t size;
	const struct iovec *pieces;
	size_t pieces_count; /* instead of request and size; only for ways that take bytes */
	size_t room;         /* of calls: room for the reply; 0: at least 1 MiB */
	long number;
	/* the job takes its socket, so do not wait for the end of its bytes */
	bool no_eof;
	bool refusable; /* the job may be refused at once; given.error says so */
	struct brood_job_options options;
};

/* How much too large queue_us may be: of rounding, and of the clock of submitted jobs. */
#define CONFORMANCE_GIVEN_US 6

struct given {
	struct site *site;
	enum way way;
	struct what what;
	struct said said;
	uint64_t id; /* of a call: 0 until the job has told it */
	/* the return value of the call that gave the job; not of brood_call() */
	int error;
	uint64_t begin_us, elapsed_us;
	uint64_t submitted; /* how many jobs the pool had before this one */
	/* set by finish() */
	bool finished;
	struct brood_verdict v;
	ssize_t n;   /* the return value of brood_call(); computed alike for other ways */
	char *reply; /* the reply */
	size_t reply_size, reply_room;
	int fds[BROOD_JOB_FDS_MAX]; /* fds that came with the reply; the case closes them */
	size_t fds_count;
	/* while the job runs */
	atomic_int over, results;
	int fd;
	size_t sent;
	struct brood_handle *handle;
	struct brood_queue *queue;
	pthread_t thread;
	struct given *next;
};

struct conform;
struct site {
	struct brood *brood;
	const struct conform *conform;
	enum way way;
	unsigned number; /* the thread's number, 0 to 7 */
	struct stage *stage;
	struct brood_queue *queue;
	bool queue_ours;
	uint32_t lease_ms; /* time limit of pinned leases; 0: none */
	struct brood_lease *lease;
	struct given *givens;
	bool stopped; /* the case has stopped the pool itself */
};
static inline bool site_is(const struct site *s, unsigned ways) { return WAY(s->way) & ways; }
static inline bool given_is(const struct given *g, unsigned ways) { return WAY(g->way) & ways; }

/*
 * Gives a job and returns. finish() waits for its end. All jobs are freed after the case at the
 * latest.
 */
struct given *give(struct site *s, const struct what *what);
struct given *finish(struct given *g);
void givens_free(struct site *s); /* finishes and frees all jobs of the site */
#define GIVE(s, job, ...) give(s, &(struct what){ .fn = job, .name = #job, ##__VA_ARGS__ })
#define RUN(s, job, ...)  finish(GIVE(s, job, ##__VA_ARGS__))
/* Gives the job as an array of one. Returns as brood_submit(). */
int given_many(struct given *g);
/* Calls finish(), and checks the outcome and all that a verdict with this outcome must say. */
void expect(struct given *g, enum brood_outcome outcome, enum brood_detail detail);
uint64_t given_id(struct given *g); /* waits until the id is known */
/* True if the job was refused at once, in the manner of its way. Only for cases that are ALONE. */
bool given_refused(struct given *g);

/* What brood_call() returns where its job was refused, for this reason. */
int refusal_error(enum brood_detail detail);
struct brood_pool *site_pool(struct site *s); /* of all jobs; NULL: the first one */
void conform_pools(struct brood_options *options);
void site_dispatch(struct site *s); /* dispatches all of the site's results */
void stage_open(struct site *s);    /* opens the gate */
/* Waits until so many gated jobs have begun, and dispatches meanwhile. False: the time is up. */
bool stage_entered(struct site *s, unsigned count);
pid_t stage_pid(struct site *s); /* Waits likewise for the pid that a job stores. */
/* Ways with PINNED: the site's lease. Gets a new one if the last one is over. */
struct brood_lease *site_lease(struct site *s);
/* Runs a job whose outcome must be DONE: the site works, whatever happened before. */
void site_well(struct site *s);

/* Jobs. `number` is the number that the case gives. */
int job_code(struct brood_job *job);   /* returns the number */
int job_raises(struct brood_job *job); /* raises signal `number`; returns 0 if it survives */
/* counts as entered, waits for the gate, returns the number */
int job_gated(struct brood_job *job);
int job_gated_kill(struct brood_job *job); /* the same, but raises signal `number` */
int job_orders(struct brood_job *job);     /* appends the number to stage.order; returns 0 */
int job_stores_pid(struct brood_job *job); /* stores stage.pid, then sleeps for ever */

struct conform {
	const char *name;
	void (*body)(struct site *s);
	unsigned ways;
	struct brood_options options; /* workers 0 means 6 */
};
void conform_run(const struct conform *conform, unsigned path);

/* A line of the table. It makes three tests, one a path. */
#define CASE(function, where, ...)                                                           \
	static const struct conform conform_##function = { #function, function, where,       \
		{ .size = sizeof(struct brood_options), ##__VA_ARGS__ } };                   \
	Test(conformance, function##_handoff) { conform_run(&conform_##function, HANDOFF); } \
	Test(conformance, function##_side) { conform_run(&conform_##function, SIDE); }       \
	Test(conformance, function##_ring) { conform_run(&conform_##function, RING); }

#endif
