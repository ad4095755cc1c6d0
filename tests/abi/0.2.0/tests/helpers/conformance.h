/*
 * conformance.h - one case, every way to give a job. A case is a function and a line in a table: where it applies, and what pool it wants; a runner takes it through the paths (handoff; link, where a socket goes to a worker on
 * lease; ring, where bytes do), on each by every call that there is, from one thread and then from eight at once, which mix the calls of the path.
 *
 *	static void codes(struct site *s)                    // in the engine
 *	{
 *		struct given *g = RUN(s, job_code, .number = 7);     // given, waited for, its verdict looked at in every field that is the same for all
 *
 *		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
 *		CHECK_EQ(g->v.code, 7);
 *	}
 *	CASE(codes, EVERYWHERE)
 *
 * Which calls a path has is in `enum way`; a case asks s->way only where the contract itself differs (brood_job_fd() of bytes), and its line in the table says why.
 */
#ifndef BROOD_TESTS_CONFORMANCE_H
#define BROOD_TESTS_CONFORMANCE_H

#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

enum way {
	HANDOFF_CALL, HANDOFF_OPEN, HANDOFF_GIVE, HANDOFF_SUBMIT,
	LINK_OPEN, LINK_GIVE, LINK_KEPT,                                       /* KEPT: with an explicit lease */
	RING_CALL, RING_SUBMIT, RING_CALLBACK, RING_KEPT_CALL, RING_KEPT_SUBMIT,
	WAYS
};
#define WAY(way)    (1u << (way))
#define HANDOFF     (WAY(HANDOFF_CALL) | WAY(HANDOFF_OPEN) | WAY(HANDOFF_GIVE) | WAY(HANDOFF_SUBMIT))
#define LINK        (WAY(LINK_OPEN) | WAY(LINK_GIVE) | WAY(LINK_KEPT))
#define RING        (WAY(RING_CALL) | WAY(RING_SUBMIT) | WAY(RING_CALLBACK) | WAY(RING_KEPT_CALL) | WAY(RING_KEPT_SUBMIT))
#define EVERYWHERE  (HANDOFF | LINK | RING)
#define CALLS       (WAY(HANDOFF_CALL) | WAY(RING_CALL) | WAY(RING_KEPT_CALL))
#define SUBMITS     (WAY(HANDOFF_SUBMIT) | WAY(RING_SUBMIT) | WAY(RING_CALLBACK) | WAY(RING_KEPT_SUBMIT))
#define BYTES       (CALLS | SUBMITS)
#define STREAMS     (EVERYWHERE & ~BYTES)
#define KEPT        (WAY(LINK_KEPT) | WAY(RING_KEPT_CALL) | WAY(RING_KEPT_SUBMIT))
#define ANY_WORKER  (EVERYWHERE & ~KEPT)
/* And how the runner goes about it. */
#define ALONE       (1u << 30)     /* one thread only: the case wants the pool for itself */
#define FRESH       (1u << 31)     /* ALONE, and a pool of its own for each way: the case stops it */

extern const char *const way_names[WAYS];

/* What the case's jobs and threads share; in memory that workers have too. One a site. */
#define ORDER_MAX 256
struct stage {
	atomic_uint entered, left;             /* gated jobs: how many are in; how many went on */
	atomic_uint gate;                      /* they go on when it is not 0 */
	atomic_uint ordered;
	atomic_int order[ORDER_MAX];
	atomic_int pid;                        /* of a worker */
	atomic_int engine;
	atomic_ullong values[64];
};
/* What a job is told: its argument, unless the case gives one. */
struct said { struct stage *stage; long number; };
const struct said *said(struct brood_job *job);

struct what {
	brood_fn *fn;
	const char *name;
	const void *request;
	size_t size;
	const struct iovec *pieces; size_t pieces_count;   /* instead, bytes only */
	size_t room;                           /* calls: for the reply; 0: 1 MiB and more */
	long number;
	bool no_eof;                           /* the job takes its socket: do not wait for its end */
	bool refusable;                        /* may be refused at once: given.error */
	struct brood_job_options options;
};

struct given {
	struct site *site;
	enum way way;
	struct what what;
	struct said said;
	uint64_t id;                           /* of a call: when it is known */
	int error;                             /* what giving it returned, of ways other than calls */
	uint64_t begin_us, elapsed_us;
	uint64_t submitted;                    /* jobs of the pool until then */
	/* when it is finished */
	bool finished;
	struct brood_verdict v;
	ssize_t n;                             /* what a call returns, made up for the others */
	char *reply;                           /* what came */
	size_t reply_size, reply_room;
	int fds[BROOD_JOB_FDS_MAX];            /* with the reply; the case's to close */
	size_t fds_count;
	/* on the way */
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
	unsigned number;                       /* of the thread, 0 to 7 */
	struct stage *stage;
	struct brood_queue *queue;
	bool queue_ours;
	uint32_t lease_ms;             /* of explicit leases; 0: without a limit */
	struct brood_lease *lease;
	struct given *givens;
	bool stopped;                          /* the case ended the pool itself */
};
static inline bool site_is(const struct site *s, unsigned ways) { return WAY(s->way) & ways; }
static inline bool given_is(const struct given *g, unsigned ways) { return WAY(g->way) & ways; }

/* Gives a job and returns; finish() waits for its end. All are freed after the case, or before. */
struct given *give(struct site *s, const struct what *what);
struct given *finish(struct given *g);
void givens_free(struct site *s);              /* finishes them all, and frees them */
#define GIVE(s, job, ...) give(s, &(struct what){ .fn = job, .name = #job, ##__VA_ARGS__ })
#define RUN(s, job, ...) finish(GIVE(s, job, ##__VA_ARGS__))
/* finish(), and that outcome, with all that a verdict of that kind says. */
void expect(struct given *g, enum brood_outcome outcome, enum brood_detail detail);
uint64_t given_id(struct given *g);            /* waits until it is known */
bool given_refused(struct given *g);           /* refused at once, by whichever means the way has. For cases that are ALONE */

void site_dispatch(struct site *s);            /* all that it has */
void stage_open(struct site *s);               /* the gate */
bool stage_entered(struct site *s, unsigned count);    /* so many gated jobs are in; waits, and dispatches meanwhile */
pid_t stage_pid(struct site *s);               /* that a job has stored; the same */
struct brood_lease *site_lease(struct site *s);        /* KEPT: the lease, a new one when it was over */
/* Runs a job that must be done, whatever came before. */
void site_well(struct site *s);

/* Jobs. `number` is the case's. */
int job_code(struct brood_job *job);           /* returns it */
int job_raises(struct brood_job *job);         /* raises it; 0 when that was nothing */
int job_gated(struct brood_job *job);          /* is in; waits for the gate; returns it */
int job_gated_kill(struct brood_job *job);     /* the same, and then raises it */
int job_orders(struct brood_job *job);         /* appends it to the order; returns 0 */
int job_stores_pid(struct brood_job *job);     /* stage.pid, then sleeps for ever */

struct conform {
	const char *name;
	void (*body)(struct site *s);
	unsigned ways;
	struct brood_options options;          /* workers 0: 6 */
};
void conform_run(const struct conform *conform, unsigned path);

/* A line of the table: three tests. */
#define CASE(function, where, ...) \
	static const struct conform conform_##function = { #function, function, where, { .size = sizeof(struct brood_options), ##__VA_ARGS__ } }; \
	Test(conformance, function##_handoff) { conform_run(&conform_##function, HANDOFF); } \
	Test(conformance, function##_link) { conform_run(&conform_##function, LINK); } \
	Test(conformance, function##_ring) { conform_run(&conform_##function, RING); }

#endif
