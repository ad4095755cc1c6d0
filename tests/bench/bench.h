/* SPDX-License-Identifier: MIT */
/*
 * bench.h - measures how long things take, beside the least that the kernel takes for the same
 * thing.
 *
 * A figure alone says nothing: machines differ, and one machine differs from minute to minute. So
 * each row has a floor: the bare system calls, or looks at memory, that do the same. The program
 * judges the ratio of row and floor, both measured in the same seconds. For this it has:
 *
 *   station    A process of its own for each measured thing, floor or library, because
 *              brood_start() works once in a process. All stations of a group live at the same
 *              time. All but one sleep in read(). A station warms up first, which does not count.
 *              Then it measures a block of jobs when told, and answers over a pipe.
 *   group      Rounds over its stations: floor, row, row, floor, row, row ... So other load on the
 *              machine hits all of them. A ratio is the median of the rounds' ratios.
 *   mode       Pinned: all processes of all stations run on one CPU, which is set before
 *              brood_start(); there figures repeat. Unpinned: they run where the kernel puts them.
 *
 * plan.c, plan_calls.c, plan_crowd.c, plan_loan.c, plan_latency.c and plan_peers.c (peers.h) list
 * the rows. run.c runs groups. station.c is the station's side. pool.c starts a pool and checks
 * verdicts. floors.c and passing.c are the floors. open.c, callers.c, submit.c, map.c, fork.c,
 * idle.c, large.c, loan.c, calls.c, crowd.c and latency_ways.c are the measured things. latency.c
 * gives open loads (arrivals.c), also to the control, latency_pool.c. tree.c asks the scheduler and
 * finds processes. table.c, json.c and markdown.c print the results.
 *
 * Every reply is compared and every verdict checked, within the measured time. A wrong one fails
 * the run with exit status 2: a fast wrong answer is no figure.
 */
#ifndef BENCH_H
#define BENCH_H

#include <brood.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS_MAX   99
#define VALUES_MAX   13
#define STATIONS_MAX 12 /* of a group; the next two are of a group, too */
#define ROWS_MAX     12
#define BOUNDS_MAX   12
#define GROUPS_MAX   48
#define TEXT_MAX     160
#define MESSAGE_SIZE 16 /* of ping-pongs, and of jobs without a size of their own */

enum mode { PINNED, UNPINNED, MODES };
#define ONLY(mode) (1u << (mode))
#define BOTH       (ONLY(PINNED) | ONLY(UNPINNED))

struct params {
	uint32_t workers, out, bytes, threads;
	uint32_t path; /* enum brood_path */
	/* fixed number of jobs in a block, without warm-up; 0: as many as take block_ms */
	uint32_t fixed;
	uint32_t idle_ms; /* how long idle.c watches an idle pool */
	uint32_t blocks;  /* a block takes so many times block_ms; 0: one */
	uint32_t rate;    /* of an open load (arrivals.h): jobs a second */
	bool heavy;       /* an open load: one job in a hundred is long */
	uint64_t touched; /* how many bytes the engine has written to before it starts the pool */
	uint32_t calls;   /* calls.c: harmless system calls of a job */
	bool pair;        /* calls.c: open() and close() instead */
	bool trusted;     /* calls.c: BROOD_JOB_TRUSTED */
	bool epoll;       /* the engine sleeps in an event loop of its own */
	bool many;        /* jobs are given by brood_submit_many() */
	bool kept;        /* idle: the leases are not returned */
};

struct kind {
	/* Runs once, in the station's process. */
	void (*open)(const struct params *p);
	/* Does this many jobs. values: the time of one job in us (or what else the kind tells). */
	void (*block)(const struct params *p, uint32_t jobs, double *values);
	void (*close)(void); /* before the station ends; NULL: nothing outlives the process */
};

struct settings {
	bool quick, check, list, cpu_time, peers, markdown, modes[MODES];
	uint32_t rounds, block_ms, many;
	int cpu;
	const char *rows, *json;
};

/* ---- what there is to measure, and what came out ---- */

struct stand { /* a station, seen from outside */
	const struct kind *kind;
	struct params params;
	bool wanted;
	bool there[MODES];
	char note[MODES][TEXT_MAX]; /* why it is not there, or a remark */
	double samples[MODES][VALUES_MAX][ROUNDS_MAX];
	uint32_t jobs[MODES]; /* in a block */
};
struct reading {
	uint32_t stand, value;
};                                                     /* which figure of which stand */
enum unit { UNIT_US, UNIT_TIME, UNIT_RUNS, UNIT_KIB }; /* US: of a job; TIME: us, no rate */
struct row {
	char name[40], what[TEXT_MAX];
	enum unit unit;
	bool wanted, bare; /* bare: the row is a floor itself */
	struct reading of, floor;
	char floor_name[24];
};
enum bound_kind { TIMES_AT_MOST, TIMES_FASTER, RATE_AT_LEAST, COUNT_AT_MOST };
struct bound {
	char what[TEXT_MAX];
	enum bound_kind kind;
	enum mode mode;
	uint32_t row; /* index in the same group */
	/* TIMES_AT_MOST bounds row / against, TIMES_FASTER bounds against / row */
	struct reading against;
	double limit;
};
struct group {
	const char *name;
	uint32_t modes, rounds; /* rounds: at most so many; 0: as in the settings */
	bool done[MODES];
	uint32_t measured[MODES]; /* how many rounds were measured */
	uint32_t stands_count, rows_count, bounds_count;
	struct stand stands[STATIONS_MAX];
	struct row rows[ROWS_MAX];
	struct bound bounds[BOUNDS_MAX];
};
struct plan {
	uint32_t count;
	struct group groups[GROUPS_MAX];
};

struct figure {
	bool there;
	double median, min, max;
};

/* plan.c */
void plan_make(struct plan *plan, const struct settings *settings);
/* run.c: returns 0, or -1 when a station failed; then the station's note says why. */
int group_run(struct group *group, enum mode mode, const struct settings *settings);
struct figure figure_of(const struct group *group, enum mode mode, struct reading reading);
struct figure ratio_of(
	const struct group *group, enum mode mode, struct reading of, struct reading to);
struct figure bound_figure(const struct group *group, const struct bound *bound);
bool bound_holds(const struct bound *bound, const struct figure *figure);
/* table.c, json.c */
void table_machine(FILE *file, const struct settings *settings);
void table_mode(FILE *file, enum mode mode, const struct settings *settings);
void table_group(FILE *file, const struct group *group, enum mode mode);
/* Prints the bounds. Returns how many are missed. */
uint32_t table_bounds(FILE *file, const struct plan *plan, const struct settings *settings);
/* Returns 0 or -1. */
int json_write(FILE *file, const struct plan *plan, const struct settings *settings);

/* ---- in a station ---- */

struct station_config {
	const struct stand *stand;
	const struct settings *settings;
	enum mode mode;
	int command_fd, answer_fd;
};
struct station_answer {
	enum { STATION_READY, STATION_BLOCK, STATION_SKIPPED, STATION_FAILED } state;
	uint32_t jobs;
	double values[VALUES_MAX];
	char note[TEXT_MAX];
};
void station_run(const struct station_config *config) __attribute__((noreturn));
/* Ends the station: an answer was wrong. */
void station_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Ends the station: this machine cannot do this. */
void station_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void station_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Fails with errno's text unless the condition holds. */
void station_need(bool holds, const char *what);
/* Forks another process, which dies with this one. */
pid_t station_partner(void (*run)(void *context), void *context);

/* tree.c */
#define TREE_MAX 10100
struct tree {
	uint32_t count;
	pid_t pids[TREE_MAX];
};
/* ended: how many of these processes are gone. */
struct tree_use {
	uint64_t ns, runs;
	uint32_t ended;
};
void tree_find(struct tree *tree, pid_t root);
struct tree_use tree_use(const struct tree *tree);
/* The workers of a supervisor. */
void tree_workers(struct tree *tree, pid_t supervisor);

/* pool.c */
/*
 * Returns a pool that is ready. options: NULL, or options beside the defaults. pool_begin() does
 * not wait; began_ns: when brood_start() was called.
 */
struct brood *pool_start(const struct params *p, const struct brood_options *options);
struct brood *pool_begin(
	const struct params *p, const struct brood_options *options, uint64_t *ret_began_ns);
/* Fails unless the job is done, by a worker, in one attempt. */
void pool_check(const struct brood_verdict *verdict, uint64_t id, uint32_t path);
/* Fills MESSAGE_SIZE bytes. */
void message_fill(unsigned char *message, uint64_t number);
void message_check(const unsigned char *got, const unsigned char *sent);
int job_echo(struct brood_job *job);   /* echoes bytes, read in place */
int job_answer(struct brood_job *job); /* sends its argument back on its socket */

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline double us_each(uint64_t ns, uint32_t jobs) { return (double)ns / 1000 / jobs; }

extern const struct kind floor_futex, floor_eventfd, floor_pipe, floor_f0, floor_f1, floor_f2,
	floor_f2v, floor_f5, floor_f5v, floor_pool, floor_latency, floor_forks, floor_trap,
	floor_bare, floor_ring;
extern const struct kind bench_open, bench_call, bench_callers, bench_submit, bench_fork,
	bench_spawn, bench_idle, bench_map, bench_reply, bench_request, bench_crowd, bench_loan,
	bench_loan_all, bench_loan_copy, bench_calls, latency_call, latency_submit, latency_talk,
	bench_give;
/* The figures of crowd.c: in us, but for the memory. */
enum crowd_value {
	READY,
	FIRST_FIFTH,
	LAST_FIFTH,
	SLAB_KB,
	ALL_KB,
	FIRST_VERDICT,
	DEATH,
	FULL,
	GONE,
	BARE_GONE,
	STOP,
	BARE_SLAB_KB,
	BARE_ALL_KB,
	CROWD_VALUES
};
_Static_assert((int)CROWD_VALUES <= VALUES_MAX, "a block tells that much");
/* The figures of latency.c, in us. */
enum latency_value {
	LATENCY_P99,
	LATENCY_P999,
	LATENCY_MEDIAN,
	LATENCY_LONGEST,
	LATENCY_IDEAL_P99,
	LATENCY_IDEAL_P999
};
/* fork.c: the main() of a process that was made for one job. */
int spawned_echo(void);

#endif
