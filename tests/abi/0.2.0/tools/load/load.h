/*
 * load.h - brood-load: loads a pool, breaks it on purpose, and judges.
 *
 * Who is who. The process that the user started is the judge: a subreaper, it never touches the library. Before any
 * start it makes one piece of shared memory, the tally, and forks the process that calls brood_start(); that one becomes
 * the supervisor, its child the engine. The engine's threads give jobs and write down, in the tally, what they gave and
 * what they were told. The judge sends the kills, shows the live line, waits for the tree to end (with a bound), counts
 * what is left of it, and adds all up. So what is judged cannot take the judge down with it, nor hide from it: an orphan
 * at any depth comes to the subreaper, and what ran away from that still carries the run's marker in its argv or its
 * environment.
 *
 * The load is a closed loop: each caller gives its next job when it has the last verdict. A slow pool is offered less,
 * so latencies leave out the wait that jobs which come at their own pace would have had. The table and the JSON say so.
 *
 * The tally's rules: each field has one writer. A shard is written by one engine thread (or by those that share it,
 * under the shard's lock, when there are more threads than shards), `judge` by the judge, `engine` by the engine's main
 * thread; births by workers, which unmap it all before their first job.
 */
#ifndef BROOD_LOAD_H
#define BROOD_LOAD_H

#include "../../src/base/histogram.h"

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

typedef unsigned long long llu;           /* for printf */
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NS_US 1000ull
#define NS_MS 1000000ull
#define NS_S  1000000000ull

/* ---- options.c ---------------------------------------------------------------------------------------------------- */

enum way { WAY_CALL, WAY_OPEN, WAY_SUBMIT, WAY_FORK };      /* fork: --compare's, a fork() for each job and no pool */
#define WAYS 4
enum kind { KIND_NOP, KIND_ECHO, KIND_CRASH, KIND_EXIT, KIND_FAIL, KIND_HANG, KIND_SPIN, KIND_LEAK, KIND_THROW, KIND_FORK };
#define KINDS 10
#define KILL_TIMES_MAX 64
#define SIZES_MAX 16

struct options {
	unsigned workers, concurrency, threads;
	double duration_s;               /* 0: until `jobs` */
	uint64_t jobs;                   /* 0: until the time is up */
	size_t sizes[SIZES_MAX], size_max;
	unsigned sizes_count;
	enum way way;
	uint32_t dispatch;               /* enum brood_path */
	bool compare;
	double mix[KINDS];               /* weights; 0: not in it */
	unsigned deadline_ms;            /* 0: the default, see options_run_ms() */
	double kill_rate;
	double kill_all_at[KILL_TIMES_MAX];
	unsigned kill_all_count;
	double kill_supervisor_at;       /* < 0: never */
	double idle_s;                   /* < 0: no idling, load */
	uint64_t seed;
	const char *json;                /* NULL: none; "-": standard output */
	bool quiet;
	bool way_given, dispatch_given;
	unsigned threads_asked;          /* 0: -t was not given */
};

/* 0: run; 1: help or version was printed; -EINVAL: wrong, and standard error says what and what would be right. */
int options_parse(int argc, char **argv, struct options *ret);
/* How jobs are given, and what follows from that for the threads. */
void options_way(struct options *o, enum way way, uint32_t dispatch);
unsigned options_run_ms(const struct options *o);
/* Every job must have its verdict by then: its times in the queue and at work, the grace, and room for a loaded machine. */
uint64_t options_bound_ns(const struct options *o);
const char *kind_name(enum kind kind);
const char *way_name(enum way way);
const char *dispatch_name(uint32_t dispatch);

/* ---- tally.c ------------------------------------------------------------------------------------------------------ */

#define SHARDS_MAX    16
#define PATHS   3
#define BIRTHS_MAX    65536              /* a ring */
#define KILLS_MAX     16384              /* a ring */
#define PIDS_MAX      4194304            /* the kernel's PID_MAX_LIMIT */
#define BORN(pid, ms) ((uint64_t)(ms) << 22 | (uint64_t)(pid))     /* who, and when on CLOCK_MONOTONIC */
#define BORN_PID(b)   ((pid_t)((b) & (PIDS_MAX - 1)))
#define BORN_MS(b)    ((b) >> 22)
#define NOTES_MAX     4
#define NOTE_TEXT     240

enum invariant { ONE_VERDICT, REPLIES_INTACT, POOL_FULL, NOTHING_LEFT };
#define INVARIANTS 4
enum phase { PHASE_START, PHASE_WARM, PHASE_RUN, PHASE_REFILL, PHASE_STOP, PHASE_STOPPED, PHASE_END };

struct shard {
	_Alignas(4096) uint64_t submitted[KINDS];
	uint64_t verdicts[KINDS][BROOD_OUTCOMES];
	uint64_t wrong[KINDS];           /* verdicts, counted above too, that this kind of job cannot have */
	uint64_t twice;                  /* verdicts of jobs that had theirs */
	uint64_t strange;                /* verdicts of jobs that this thread never gave */
	uint64_t overdue;                /* no verdict within the bound: given up */
	uint64_t bad_replies;
	uint64_t paths[PATHS];     /* verdicts by enum brood_path; [0]: the job got to no worker */
	uint64_t notes;                  /* the first few misses in words */
	struct { uint32_t invariant; char text[NOTE_TEXT]; } note[NOTES_MAX];
	struct histogram *latency[KINDS];       /* ns; NULL: not in the mix */
	struct histogram *death_to_verdict;
};

struct killed { pid_t pid; uint64_t when_ns; };

struct tally_judge {                     /* the judge writes */
	_Alignas(64) _Atomic uint32_t stop;      /* end early: the user asked */
	_Atomic uint32_t calm;                   /* a futex: it sends no more kills */
	_Atomic uint32_t looked;                 /* a futex: it has seen the tree after the pool's stop */
	_Atomic uint32_t kills;                  /* how many stand in the ring */
	struct killed ring[KILLS_MAX];
};

struct tally_engine {                    /* the engine's main thread writes */
	_Alignas(64) _Atomic uint32_t phase;
	_Atomic int32_t engine_pid;
	_Atomic uint64_t run_start_ns, run_end_ns;
	_Atomic uint32_t ready;                  /* of the last look at the counters */
	_Atomic uint32_t broke_off;              /* `trouble` says why there was no (whole) run */
	_Atomic uint32_t pool_judged, pool_full;
	int stop_result;
	int fds_more;                            /* after brood_stop(), against the warm start */
	struct brood_stats stats;                /* of the last look before brood_stop() */
	char fd_names[NOTE_TEXT];
	char trouble[2 * NOTE_TEXT];
	char nonsense[NOTE_TEXT];                /* the first log line of event `protocol` */
	uint64_t logs[BROOD_EVENT_SIGNAL + 1];   /* log lines by event; whoever reads the channel writes, one at a time */
	struct histogram *death_to_ready;
};

struct tally {
	size_t size;
	unsigned shards;
	pid_t judge_pid;
	char marker[24];
	struct tally_judge judge;
	struct tally_engine engine;
	_Alignas(64) _Atomic uint32_t births;    /* a futex: workers that came to worker_init */
	_Alignas(64) _Atomic uint64_t born[BIRTHS_MAX];  /* BORN() */
	struct shard shard[SHARDS_MAX];
	_Atomic uint64_t killed_ns[PIDS_MAX];    /* when the judge killed that pid; pages are made where it did */
};

struct tally *tally_create(const struct options *o);
struct histogram *tally_histogram(struct tally *t, struct histogram *(*pick)(const struct shard *shard, int kind), int kind);   /* NULL: no memory */
void shard_note(struct shard *shard, enum invariant invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));
uint64_t load_now(void);
void futex_wake(_Atomic uint32_t *word);
void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns);

/* ---- jobs.c, payload.c: what workers run -------------------------------------------------------------------------- */

#define CODE_FAIL        7               /* what the `fail` job returns */
#define CODE_EXIT        3               /* what the `exit` job ends with */
#define CODE_NO_MEMORY   12              /* `leak`: the limit was there */
#define CODE_NO_LIMIT    13              /* `leak`: it was not */
#define CODE_BAD_REQUEST 77              /* `echo`: what came is not what was sent */
#define CODE_RETURNED    78              /* a job came back from where nothing comes back */
#define CODE_OUT_OF_FRAME 98             /* the frame let it out: exit code */
#define WORKER_MEMORY    (64ull << 20)

struct job_arg { uint64_t size, checksum; uint32_t variant, pad; };
/* `whole`: the echo that takes its request where it lies and replies from there; else one that reads and writes, and checks what it read. */
struct work { brood_fn *fn; const char *name; size_t name_size; };
const struct work *job_work(enum kind kind, bool whole);
/* --compare: the same function in a child that was forked for it alone; what it writes goes into fd. Its exit code. */
struct forked_job { const void *request; size_t request_size; const struct job_arg *arg; int fd; };
int jobs_run_forked(const struct work *work, const struct forked_job *job);
/* The frame outside of the library that `throw` tries to jump to: runs body in it. */
int jobs_in_frame(int (*body)(void *context), void *context);
int jobs_worker_init(void *hook_context);
void jobs_prepare(struct tally *tally);

static inline uint64_t payload_mix(uint64_t value)                          /* splitmix64's last step */
{
	value += 0x9e3779b97f4a7c15ull;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}
void payload_fill(uint64_t key, uint64_t offset, void *data, size_t size);
bool payload_same(uint64_t key, uint64_t offset, const void *data, size_t size);
uint64_t payload_checksum(uint64_t sum, const void *data, size_t size);     /* the first `sum` is 0 */

/* ---- engine.c, drive.c, drive_call.c, drive_open.c, drive_submit.c, drive_fork.c ---------------------------------- */

struct load_job {                        /* one job, from the driver's view */
	enum kind kind;
	uint64_t number;                 /* of this thread's */
	uint64_t key;                    /* of its payload */
	size_t size;                     /* of request and right reply */
	uint64_t start_ns;
	uint64_t id;                     /* 0: not known until the verdict (call) */
	struct job_arg arg;
};

#define RECENT_MAX 256

struct engine;
struct driver {                          /* one thread */
	struct engine *engine;
	unsigned index;
	unsigned concurrency;            /* of this thread */
	uint64_t jobs_left;              /* UINT64_MAX: no end */
	uint64_t given;
	uint64_t stream;                 /* where this thread's draws begin */
	struct brood_job_options options;/* of all its jobs, but for their arg */
	struct shard *shard;
	pthread_mutex_t *lock;           /* the shard's, NULL when it has one thread */
	pthread_t thread;
	uint64_t recent[RECENT_MAX];     /* ids of the last verdicts: what comes twice */
	unsigned recent_at;
	int poke_fd;                     /* open: another thread's dispatch brought verdicts */
	_Atomic uint32_t asleep;         /* open: waits for verdicts */
};

struct engine {
	const struct options *options;
	struct tally *tally;
	struct brood *brood;
	uint64_t end_ns;                 /* UINT64_MAX: none */
	uint64_t bound_ns;
	struct { enum kind kind; uint64_t below; } draws[KINDS];   /* what is in the mix: this kind, if a draw is below that and not below those before */
	unsigned draws_count;
	uint32_t paths;                  /* a set of 1 << enum brood_path: how a job may have gone to its worker */
	bool whole;                      /* job_work() */
	struct driver *drivers;
	unsigned drivers_count;
	pthread_mutex_t locks[SHARDS_MAX];
	_Atomic uint32_t running;
	_Atomic uint32_t broken;         /* a call failed in a way that ends the run */
};

/* In the process that the judge forked: starts, runs, stops. Returns, in the engine and where the start failed, the exit code. */
int engine_main(const struct options *o, struct tally *tally);
void engine_break_off(struct engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same after a call of the library gave that. */
void engine_failed(struct engine *e, const char *call, ssize_t error);

/* drive.c: true and the next job, or false: no more. d->options are those for it. */
bool drive_next(struct driver *d, struct load_job *job);
bool drive_over(const struct driver *d, uint64_t now);
void drive_make(struct driver *d, struct load_job *job, uint64_t now);     /* what drive_next() does when it is not over */
/* What came of a job. False: the verdict is not this job's (and was counted as that). */
struct reply { uint64_t size; bool intact; bool judged; };
static inline void drive_keep(struct driver *d, uint64_t id)
{
	d->recent[d->recent_at++ % RECENT_MAX] = id;
}
bool drive_verdict(struct driver *d, const struct load_job *job, const struct brood_verdict *verdict, const struct reply *reply);
void drive_refused(struct driver *d, const struct load_job *job);
void drive_overdue(struct driver *d, const struct load_job *job, const char *why);
void drive_stray(struct driver *d, const struct brood_verdict *verdict);   /* of no job that is out */
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

/* ---- rules.c: which verdict is right for which job ---------------------------------------------------------------- */

/* NULL: it is right. Else what is wrong about it, in a few words. */
const char *rules_judge(const struct engine *e, const struct load_job *job, const struct brood_verdict *verdict);

/* ---- left.c, chaos.c, judge.c, report.c, json.c ------------------------------------------------------------------- */

struct left { unsigned processes, zombies; char names[NOTE_TEXT]; };
/*
 * Descendants of `root` (or, root 0, of this process, and whatever carries the marker) that should not be there;
 * `expected` are.
 */
void left_look(const char *marker, pid_t root, const pid_t *expected, unsigned expected_count, struct left *ret);
void left_kill(const char *marker);              /* SIGKILL and reap all of that */
pid_t left_guard(pid_t supervisor);              /* 0: none seen */

struct chaos;
struct chaos *chaos_new(const struct options *o, struct tally *tally, pid_t supervisor);
struct chaos *chaos_free(struct chaos *c);
void chaos_begin(struct chaos *c, uint64_t start_ns);
uint64_t chaos_next(const struct chaos *c);      /* when there is something to kill; UINT64_MAX: never */
bool chaos_act(struct chaos *c);                 /* true: it was the supervisor */
void chaos_end(struct chaos *c);                 /* no more kills */
uint64_t chaos_killed(const struct chaos *c);

#define BREACHES_MAX 24

struct totals {
	uint64_t submitted, kind_submitted[KINDS], kind_verdicts[KINDS];
	uint64_t outcomes[BROOD_OUTCOMES], paths[PATHS];
	uint64_t verdicts, wrong, twice, strange, overdue, bad_replies;
	uint64_t missing;                /* submitted, no verdict */
	uint64_t cut_off;                /* of those, out when the supervisor was killed by plan: nobody is left to be told */
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
	bool supervisor_killed;          /* by plan */
	bool asked;                      /* the user ended it early */
	bool judged[INVARIANTS], broken[INVARIANTS];
	struct { enum invariant invariant; char text[NOTE_TEXT + 64]; } breach[BREACHES_MAX];
	unsigned breaches;
	struct histogram *latency[KINDS], *death_to_verdict, *death_to_ready;     /* merged; NULL: none */
};

/* Runs it all. 0: all held; 1: one broke; 2: there was no run. */
int judge_run(const struct options *o, struct findings *ret);
void findings_breach(struct findings *f, enum invariant invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *invariant_name(enum invariant invariant);

struct comparison;
void report_table(const struct findings *f, FILE *file);
void report_breaches(const struct findings *f, const char *of, FILE *file);       /* of: which run, NULL: there is one */
void report_live(const struct options *o, const struct tally *t, uint64_t killed, bool last);
void report_comparison(const struct comparison *all, unsigned count, FILE *file);
int json_write(const struct findings *f, FILE *file);/* 0 or -errno */
int json_write_comparison(const struct options *o, const struct comparison *all, unsigned count, FILE *file);

/* ---- compare.c: the same load in several ways, one after the other ------------------------------------------------- */

#define COMPARED_MAX 4

struct comparison {
	const char *name;
	struct options options;
	struct findings findings;
	struct histogram *latency;       /* of all kinds; NULL: none */
	double rate, to_fork;            /* to_fork < 0: not known */
};
/* As judge_run(), of the worst of them; how many there are in *ret_count. */
int compare_run(const struct options *o, struct comparison *all, unsigned *ret_count);

#endif
