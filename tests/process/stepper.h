/* SPDX-License-Identifier: MIT */
/*
 * stepper.h - what the parts of the stepper share; stepper.c says what it proves and how.
 *
 *   stepper.c         options, the list of proofs, what is printed
 *   stepper_trace.c   ptrace: stops, steps, kills
 *   stepper_jobs.c    the ways to give a job, and what must be true of what comes back
 *   stepper_walk.c    a worker, killed after each of its instructions
 *   stepper_life.c    a supervisor or an engine, killed after each of its system calls
 */
#ifndef BROOD_TESTS_STEPPER_H
#define BROOD_TESTS_STEPPER_H

#include "../helpers/pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * A place on a worker's way: after so many system calls (0: at the return of the one in which it
 * slept), so many instructions later.
 */
struct place {
	unsigned call, step;
};
#define STEP_END UINT32_MAX /* as place.step: to the end */
/* to an instruction that an earlier round met, and at which no round has killed */
#define STEP_MISSED (UINT32_MAX - 1)

#define CALLS_MAX 2048
#define BORN_MAX  64

/*
 * Shared by all processes of a case and by the tracer, which is the process outside of it. Words
 * that are waited for are futexes; each is written by one side.
 */
struct stage {
	/*
	 * numbers of rounds: the last that the case asked for, for which the tracer is ready, which
	 * the tracer has done
	 */
	atomic_int asked, armed, told;
	atomic_int over; /* the case asks for no more */
	/* a worker's way */
	pid_t workers[2];
	struct place want, got;
	pid_t killed;
	/* it was killed where it was about to sleep again */
	bool at_end;
	bool missed; /* there is one for STEP_MISSED */
	/* number of places behind each system call, if want.step was STEP_END */
	unsigned lengths[CALLS_MAX];
	atomic_uint births;
	atomic_int born[BORN_MAX]; /* pids, as worker_init ran in them */
	/* a role's life */
	pid_t target;
	/* stops: counted; one at each system call's return */
	unsigned kill_at, stops;
	long last_call; /* which system call that was */
	bool ended;     /* before it came to kill_at */
	uint64_t killed_ms;
	/* jobs */
	atomic_uint entered, left;
	atomic_int child; /* of the job that holds */
};
static inline struct stage *stage(void) { return case_shared(); }
/* False: the time was up, or process `while_alive` (0: nobody) has ended. */
bool stage_wait(atomic_int *word, int value, pid_t while_alive);
void stage_post(atomic_int *word, int value);

/* ---- stepper_trace.c ---- */

struct tracee {
	pid_t pid;
	bool ours;      /* the test's own child: its zombie is left for others */
	int signal;     /* a signal to be delivered when it goes on */
	bool new_frame; /* it stands at the first instruction of a handler */
	/*
	 * the system call in which it was found sleeping, without a limit; and the call's first
	 * argument
	 */
	long blocking_call;
	unsigned long blocking_argument;
};
enum trace_stop { TRACE_STEP, TRACE_CALL, TRACE_SIGNAL, TRACE_OTHER, TRACE_ENDED };

/* NULL, or why it cannot be done here */
const char *trace_refused(void);
/* from now on no wait below lasts longer than this; a CHECK fails instead */
void trace_patience(void);
void trace_begin(struct tracee *t, pid_t pid); /* it is stopped */
/* it sleeps in its system call, and stops when that returns */
void trace_arm(struct tracee *t, pid_t pid);
/* PTRACE_SYSCALL, PTRACE_SINGLESTEP */
enum trace_stop trace_resume(struct tracee *t, int how);
/* which of all armed ones has stopped */
pid_t trace_first(void);
enum trace_stop trace_wait(struct tracee *t);
/* it goes on untraced, wherever it is */
void trace_disarm(struct tracee *t);
/* kills it where it stands: it executes not one instruction more */
void trace_kill(struct tracee *t);
/* at a system call's stop: its number */
long trace_call(const struct tracee *t);
/* the address of the next instruction */
unsigned long trace_at(const struct tracee *t);
bool trace_in_vdso(unsigned long address);
/* that instruction makes a system call */
bool trace_at_call(const struct tracee *t, unsigned long address);
/* it is about to make the system call in which it was found sleeping, or has entered it */
bool trace_at_sleep(const struct tracee *t, bool entered);

/* ---- stepper_jobs.c ---- */

enum kind { KIND_OPEN, KIND_CALL, KIND_SUBMIT, KIND_LEASE };
struct way {
	const char *name;
	enum kind kind;
	uint32_t dispatch; /* enum brood_path */
	/* the job makes system calls; otherwise it makes none of its own */
	bool naps;
};
extern const struct way ways[];
extern const unsigned ways_count;

/* two workers; at most so many on lease (0: both). NULL: the supervisor is gone */
struct brood *jobs_start(uint32_t leases);
/*
 * Gives a tiny job and waits for its verdict. False: the supervisor is gone. What was replied is
 * checked when it is done.
 */
bool jobs_give(struct brood *brood, const struct way *way, struct brood_verdict *ret_verdict);
/* A job that starts a child, and runs until it is cancelled. */
bool jobs_hold(
	struct brood *brood, const struct way *way, struct brood_handle **ret_handle, int *ret_fd);
int job_leaves_child(struct brood_job *job);
/* one line; overwritten by the next */
const char *jobs_text(const struct brood_verdict *verdict);

/* ---- the proofs ---- */

struct plan {
	bool every; /* each place, each call; else a sample: */
	unsigned sample, seed;
	const struct way *way;
	bool engine; /* of a life: whose */
};
/* The result goes to `text`. False: it failed, and `text` says how. */
bool walk_prove(const struct plan *plan, char *text, size_t size);
bool life_prove(const struct plan *plan, char *text, size_t size);
/* False, and its text: the case failed. */
bool case_fine(const struct case_result *result, int max_adopted, char *text, size_t size);

#endif
