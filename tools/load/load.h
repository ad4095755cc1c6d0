/* SPDX-License-Identifier: MIT */
/*
 * load.h - brood-load: loads a pool, breaks it on purpose, and judges.
 *
 * The processes. The user starts the judge, which is a subreaper and never touches the library.
 * First the judge makes one piece of shared memory, the tally. Then it forks a process that calls
 * brood_start(): this process becomes the supervisor, its child the engine. The engine's threads
 * give jobs. They write into the tally what they gave and what they were told. The judge sends the
 * kills, shows the live line, waits for the tree to end (with a bound), counts what is left of it,
 * and adds all up. So the program under test cannot take the judge down and cannot hide from it: an
 * orphan of any depth comes to the subreaper, and a process that escapes even that still has the
 * run's marker in its argv or environment.
 *
 * Without --rate the load is a closed loop: each caller gives its next job when it has the last
 * verdict, so a slow pool gets fewer jobs. With a rate it is an open loop (pacer.h).
 *
 * Each field of the tally has one writer. One engine thread writes a shard; when there are more
 * threads than shards, the threads of a shard share it under its lock. The judge writes `judge`,
 * the engine's main thread writes `engine`. Workers write births, and unmap the tally before their
 * first job.
 */
#ifndef BROOD_LOAD_H
#define BROOD_LOAD_H

#include "chaos.h"
#include "chaos_spec.h"
#include "histogram.h"
#include "job_spec.h"
#include "pacer.h"
#include "payload.h"
#include "series.h"
#include "left.h"
#include "times.h"

#include <brood.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

typedef unsigned long long llu; /* for printf */
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NS_US       1000ull
#define NS_MS       1000000ull
#define NS_S        1000000000ull

/* ---- options.c ------------------------------------------------------------------------------- */

/* From WAY_FORK on: no pool. WAY_FORK is one of --compare, too; the others are peers (peer.h). */
enum way { WAY_CALL, WAY_OPEN, WAY_SUBMIT, WAY_FORK, WAY_SPAWN, WAY_CONTROL, WAY_FPM };
#define WAYS           7
#define KILL_TIMES_MAX 64

struct options {
	unsigned workers, concurrency, threads;
	unsigned pools;       /* over which the workers are spread */
	double duration_s;    /* 0: the run ends after `jobs` */
	uint64_t jobs;        /* 0: the run ends when the time is up */
	struct job_spec spec; /* which jobs */
	size_t size_max;      /* of all sizes in `spec` */
	enum way way;
	uint32_t dispatch; /* enum brood_path */
	bool compare;
	double mix[KINDS];    /* of `spec`: the weight of each kind; 0: not in the mix */
	unsigned deadline_ms; /* 0: the default of options_run_ms() */
	double kill_rate;
	double kill_all_at[KILL_TIMES_MAX];
	unsigned kill_all_count;
	double kill_supervisor_at;                  /* < 0: never */
	double reload_every_s;                      /* 0: never */
	unsigned resize_min, resize_max, resize_ms; /* resize_ms 0: never */
	struct pacing pacing;                       /* the open loop */
	bool control;
	double idle_s;           /* < 0: a load, no idle run */
	struct chaos_spec chaos; /* what all options together do to the pool */
	uint64_t seed;
	const char *peer, *peer_socket; /* NULL: none */
	const char *user_job;           /* "LIB.so:SYMBOL"; NULL: none */
	/* Files, NULL: none. For json "-" is standard output. */
	const char *json, *log, *report, *hdr;
	bool quiet;
	bool way_given, dispatch_given;
	unsigned threads_asked; /* 0: -t was not given */
};

/*
 * 0: run; 1: help or version was printed; -EINVAL: wrong options. Then standard error says what is
 * wrong and what would be right.
 */
int options_parse(int argc, char **argv, struct options *ret);
/* Sets how jobs are given, and the number of threads that this way needs. */
void options_way(struct options *o, enum way way, uint32_t dispatch);
unsigned options_run_ms(const struct options *o);
/* The workers of a pool, the first of which has number 0. Pools differ by one at most. */
unsigned options_pool_workers(const struct options *o, unsigned pool);
/*
 * The time within which every job must have its verdict: its time in the queue, its run time, the
 * grace, and some room for a loaded machine.
 */
uint64_t options_bound_ns(const struct options *o);
const char *way_name(enum way way);
const char *dispatch_name(uint32_t dispatch);

/* ---- tally.c --------------------------------------------------------------------------------- */

#define SHARDS_MAX 16
#define PATHS      3
#define BIRTHS_MAX 65536   /* size of the ring of births */
#define KILLS_MAX  16384   /* size of the ring of kills */
#define PIDS_MAX   4194304 /* the kernel's PID_MAX_LIMIT */
/* An entry in the ring of births: the pid, and the time on CLOCK_MONOTONIC. */
#define BORN(pid, ms) ((uint64_t)(ms) << 22 | (uint64_t)(pid))
#define BORN_PID(b)   ((pid_t)((b) & (PIDS_MAX - 1)))
#define BORN_MS(b)    ((b) >> 22)
#define NOTES_MAX     4
#define NOTE_TEXT     240

enum invariant {
	ONE_VERDICT,
	REPLIES_INTACT,
	POOL_FULL,
	NOTHING_LEFT,
	COUNTERS_AGREE,
	CHAOS_EXPECTED
};
#define INVARIANTS 6
enum phase {
	PHASE_START,
	PHASE_WARM,
	PHASE_RUN,
	PHASE_REFILL,
	PHASE_STOP,
	PHASE_STOPPED,
	PHASE_END
};

struct shard {
	_Alignas(4096) uint64_t submitted[KINDS];
	uint64_t verdicts[KINDS][BROOD_OUTCOMES];
	uint64_t told[BROOD_OUTCOMES][BROOD_DETAILS]; /* those that the pool should have counted */
	/* Verdicts that this kind of job cannot have. `verdicts` counts them, too. */
	uint64_t wrong[KINDS];
	uint64_t twice;   /* verdicts of jobs that already had theirs */
	uint64_t strange; /* verdicts of jobs that this thread never gave */
	uint64_t overdue; /* jobs without a verdict within the bound */
	uint64_t bad_replies;
	uint64_t paths[PATHS]; /* verdicts by enum brood_path; [0]: no worker had the job */
	uint64_t notes;        /* how many misses were noted; the first few stand below in words */
	struct {
		uint32_t invariant;
		char text[NOTE_TEXT];
	} note[NOTES_MAX];
	struct pacer_count paced;
	/* In ns. NULL: not in the mix; raw: or not paced */
	struct histogram *latency[KINDS], *raw[KINDS], *death_to_verdict;
	struct series *series; /* the same over time */
	struct times times;
};

struct killed {
	pid_t pid;
	uint64_t when_ns;
};

struct tally_judge {                        /* only the judge writes these */
	_Alignas(64) _Atomic uint32_t stop; /* the user asked for an early end */
	_Atomic uint32_t calm;              /* a futex: the judge sends no more kills */
	/* A futex: the judge has looked at the process tree after the pool's stop. */
	_Atomic uint32_t looked;
	_Atomic uint32_t kills; /* how many kills were written into the ring */
	struct killed ring[KILLS_MAX];
	_Atomic uint32_t marks_count;
	struct chaos_mark marks[CHAOS_MARKS_MAX];
};

struct tally_engine { /* only the engine's main thread writes these */
	_Alignas(64) _Atomic uint32_t phase;
	_Atomic int32_t engine_pid;
	_Atomic uint64_t run_start_ns, run_end_ns, warm_ns, due_end_ns;
	_Atomic uint32_t ready;     /* when the counters were last read */
	_Atomic uint32_t broke_off; /* there was no run, or no whole one: `trouble` says why */
	_Atomic uint32_t pool_judged, pool_full;
	int stop_result;
	int fds_more;             /* after brood_stop(), compared with the warm start */
	struct brood_stats stats; /* the last ones before brood_stop() */
	uint64_t counted[BROOD_OUTCOMES][BROOD_DETAILS]; /* what brood_metrics() said then */
	_Atomic uint32_t counters_read;                  /* 1: `counted` is there */
	struct times_pool runs;
	_Atomic uint32_t runs_read; /* 1: `runs` is there */
	char fd_names[NOTE_TEXT];
	char trouble[2 * NOTE_TEXT];
	char nonsense[NOTE_TEXT]; /* the first log line of event `protocol` */
	/* Log lines by event. One thread at a time reads the channel and writes here. */
	uint64_t logs[BROOD_EVENT_PRESSURE + 1];
	uint64_t reloads; /* that were done */
	uint64_t resizes;
	/* --control: the longest times without a completion, of the pool and of the bare loop */
	_Atomic uint64_t gap_ns;
	uint64_t control_ns;
	struct histogram *death_to_ready;
	struct series_pool *pool;
};

struct tally {
	size_t size;
	unsigned shards;
	pid_t judge_pid;
	char marker[24];
	struct tally_judge judge;
	struct tally_engine engine;
	struct chaos_tally chaos;
	/* a futex: how many workers have come to worker_init */
	_Alignas(64) _Atomic uint32_t births;
	_Alignas(64) _Atomic uint64_t born[BIRTHS_MAX]; /* BORN() */
	struct shard shard[SHARDS_MAX];
	/* When the judge killed this pid. Only pages with an entry take memory. */
	_Atomic uint64_t killed_ns[PIDS_MAX];
};

struct tally *tally_create(const struct options *o);
/* NULL: no memory */
struct histogram *tally_latency(const struct tally *t, int kind);
void tally_latencies(const struct tally *t, struct histogram **latency, struct histogram **raw);
struct histogram *tally_death_to_verdict(const struct tally *t);
void shard_note(struct shard *shard, enum invariant invariant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
uint64_t load_now(void);
void futex_wake(_Atomic uint32_t *word);
void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns);

/* ---- jobs.c: what workers run ---------------------------------------------------------------- */

#define CODE_FAIL         7  /* what the `fail` job returns */
#define CODE_EXIT         3  /* what the `exit` job ends with */
#define CODE_NO_MEMORY    12 /* `leak`: the limit was there */
#define CODE_NO_LIMIT     13 /* `leak`: it was not */
#define CODE_BAD_REQUEST  77 /* `echo`: the request differs from what was sent */
#define CODE_RETURNED     78 /* a job came back from a call that never returns */
#define CODE_OUT_OF_FRAME 98 /* an exit code: the job got out of its frame */
#define WORKER_MEMORY     (64ull << 20)

struct job_arg {
	uint64_t size, checksum;
	uint64_t value; /* of struct job_choice */
	uint32_t variant, pad;
};
/*
 * `whole`: the job takes its request in place and replies from there. Otherwise the job reads,
 * checks and writes.
 */
struct work {
	brood_fn *fn;
	const char *name;
	size_t name_size;
};
const struct work *job_work(enum kind kind, bool whole);
void jobs_set_user(const struct work *work); /* what KIND_USER runs */
/*
 * For --compare: a child runs the same function for one job, and writes the reply into fd. Returns
 * the exit code.
 */
struct forked_job {
	const void *request;
	size_t request_size;
	const struct job_arg *arg;
	int fd;
};
int jobs_run_forked(const struct work *work, const struct forked_job *job);
/* Runs body in a frame outside of the library, to which the job `throw` tries to jump. */
int jobs_in_frame(int (*body)(void *context), void *context);
int jobs_worker_init(void *hook_context);
void jobs_prepare(struct tally *tally);

/* ---- engine.c, drive.c, drive_call.c, drive_open.c, drive_submit.c, drive_fork.c ------------- */

struct load_job { /* one job, as the driver sees it */
	enum kind kind;
	uint64_t number; /* counts the jobs of all threads */
	uint64_t key;    /* of its payload */
	uint64_t hint;   /* --keys: the key of the job's options; 0: none */
	size_t size;     /* of the request, and of the right reply */
	uint64_t start_ns;
	uint64_t planned_ns; /* when the plan wanted it sent; in a closed loop start_ns */
	uint64_t id;         /* 0: a call learns the id only with the verdict */
	uint32_t priority;
	struct job_arg arg;
};

#define RECENT_MAX 256

struct engine;
struct driver { /* one thread */
	struct engine *engine;
	unsigned index;
	unsigned concurrency; /* of this thread */
	uint64_t jobs_left;   /* UINT64_MAX: no end */
	struct pacer *pacer;  /* NULL: a closed loop */
	struct pacer_ticket ticket;
	uint64_t given;
	char tag[32];                     /* --tags: of the job that is given now */
	struct brood_job_options options; /* the options of all its jobs; only arg differs */
	struct shard *shard;
	pthread_mutex_t *lock; /* the shard's lock; NULL: the shard has one thread */
	pthread_t thread;
	uint64_t recent[RECENT_MAX]; /* ids of the last verdicts, to find a second verdict */
	unsigned recent_at;
	int poke_fd;             /* open: another thread's dispatch has brought verdicts */
	_Atomic uint32_t asleep; /* open: the thread waits for verdicts */
};

struct engine {
	const struct options *options;
	struct tally *tally;
	struct brood *brood;
	struct pacer *pacers;
	uint64_t warm_ns, end_ns; /* UINT64_MAX: none */
	uint64_t bound_ns;
	/* A set of 1 << enum brood_path: the ways in which a job may come to its worker. */
	uint32_t paths;
	bool whole; /* for job_work() */
	struct driver *drivers;
	unsigned drivers_count;
	pthread_mutex_t locks[SHARDS_MAX];
	uint32_t slots; /* as many as there are in all pools, with spare ones */
	_Atomic uint32_t running;
	_Atomic uint32_t broken; /* a call failed in a way that ends the run */
	/* --control: the last completion, of all threads; 0: there was none */
	_Atomic uint64_t completed_ns;
	/* When the monitor looked last (0: it does not run), and when it last found that the whole
	 * process had stood still. */
	_Atomic uint64_t monitor_ns, still_ns;
};

/* ---- pools.c: --pools ----------------------------------------------------------------------- */

/* The options get what --pools asks for; the engine gets the number of slots. */
void pools_add(struct engine *e, struct brood_options *options);
uint32_t pools_slots(const struct options *o, unsigned pool); /* with spare ones */
/* True: the verdict names the pool to which this thread gives its jobs. */
bool pools_right(const struct driver *d, const struct brood_verdict *v);
/* NULL: the first one */
struct brood_pool *pools_of_thread(const struct engine *e, unsigned thread);

/*
 * Starts, runs and stops the pool, in the process that the judge forked. Returns the exit code, in
 * the engine, and where the start failed.
 */
int engine_main(const struct options *o, struct tally *tally);
void engine_break_off(struct engine *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends the run because a call of the library returned this error. */
void engine_failed(struct engine *e, const char *call, ssize_t error);

/* True: *job is the next job, and d->options fit it. False: there are no more jobs. */
bool drive_next(struct driver *d, struct load_job *job);
bool drive_over(struct driver *d, uint64_t now);
/* Makes the next job without a check for the end. drive_next() does both. */
void drive_make(struct driver *d, struct load_job *job, uint64_t now);
/* --control: jobs of this thread have ended. */
void drive_completed(struct driver *d, uint64_t now);
/* What came of a job. */
struct reply {
	uint64_t size;
	bool intact;
	bool judged;
};
static inline void drive_keep(struct driver *d, uint64_t id)
{
	d->recent[d->recent_at++ % RECENT_MAX] = id;
}
bool drive_verdict(struct driver *d, const struct load_job *job,
	const struct brood_verdict *verdict, const struct reply *reply);
void drive_refused(struct driver *d, const struct load_job *job, ssize_t error);
void drive_overdue(struct driver *d, const struct load_job *job, const char *why);
/* Counts a verdict that belongs to no job of this thread. */
void drive_stray(struct driver *d, const struct brood_verdict *verdict);
static inline void drive_lock(struct driver *d)
{
	if (d->lock)
		pthread_mutex_lock(d->lock);
}
static inline void drive_unlock(struct driver *d)
{
	if (d->lock)
		pthread_mutex_unlock(d->lock);
}

void *drive_call(void *driver);
void *drive_open(void *driver);
void *drive_submit(void *driver);
void *drive_fork(void *driver);

/* ---- rules.c: which verdict is right for which job ------------------------------------------- */

/* NULL: the verdict is right. Else a few words say what is wrong with it. */
const char *rules_judge(
	const struct engine *e, const struct load_job *job, const struct brood_verdict *verdict);

/* ---- left.c, chaos.c, judge.c ---------------------------------------------------------------- */

#define BREACHES_MAX 24

struct totals {
	uint64_t submitted, kind_submitted[KINDS], kind_verdicts[KINDS];
	uint64_t outcomes[BROOD_OUTCOMES], paths[PATHS];
	uint64_t told[BROOD_OUTCOMES][BROOD_DETAILS]; /* as in struct shard */
	uint64_t verdicts, wrong, twice, strange, overdue, bad_replies;
	uint64_t missing; /* jobs that were submitted and got no verdict */
	/*
	 * The missing jobs that were out when the supervisor was killed by plan: no process is left
	 * to be told.
	 */
	uint64_t cut_off;
	uint64_t unaccounted;
};

struct findings {
	const struct options *options;
	const struct tally *tally;
	struct totals totals;
	double elapsed_s;
	uint64_t workers_killed;
	struct left left;
	unsigned fds;
	bool supervisor_killed; /* by plan */
	bool asked;             /* the user ended it early */
	bool judged[INVARIANTS], broken[INVARIANTS];
	struct chaos_found chaos[CHAOS_KINDS];
	struct {
		enum invariant invariant;
		char text[NOTE_TEXT + 64];
	} breach[BREACHES_MAX];
	unsigned breaches;
	/* Merged from all shards; NULL: there is none. */
	struct histogram *latency[KINDS], *raw[KINDS], *death_to_verdict, *death_to_ready;
};

/* counters.c: what the pool counted, compared with what the drivers were told */
void counters_read(struct engine *e); /* brood_metrics(), into the tally */
void counters_add(const struct shard *shard, struct totals *inout_totals);
void counters_judge(const struct tally *t, struct findings *f);
void counters_json(FILE *file, const struct totals *all);
const char *counters_outcome(unsigned outcome); /* as brood-metrics(7) writes it */

/* Does a whole run. 0: all invariants held; 1: one broke; 2: there was no run. */
int judge_run(const struct options *o, struct findings *ret);
void findings_breach(struct findings *f, enum invariant invariant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const char *invariant_name(enum invariant invariant);

#endif
