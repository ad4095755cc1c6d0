/*
 * state.h - what the worker's own files share. One worker a process, so its state is one global: handlers must reach it, and the public calls too.
 *
 *   worker.c    birth, the loop, the end          signals.c   dispositions, the soft step, what children of a job get
 *   frame.c     nothing gets past it (law 10)     hygiene.c   what a job left behind
 *   run.c       one job, from RUN to FINISHED     job.c       the public calls of a job
 *   disown.c    what main() left to be destructed
 *
 * Trap: a job may fork, and its child has all of this in memory, the desk and the channel included. Whatever speaks for the worker asks worker_is_self() first.
 */
#ifndef BROOD_WORKER_STATE_H
#define BROOD_WORKER_STATE_H

#include "../os/fds.h"
#include "../wire/frame.h"
#include "worker.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* How a worker ends by itself. Any end but the orderly one, while a job runs, is that job's: exited, with this code. */
enum worker_exit {
	WORKER_EXIT_ORDERLY = 0,
	WORKER_EXIT_BIRTH   = 70,      /* the kernel refused something that a worker needs */
	WORKER_EXIT_INIT    = 71,      /* worker_init did not return 0, or left its frame */
	WORKER_EXIT_CHANNEL = 72,      /* the channel is gone, is something else now, or carried nonsense */
	WORKER_EXIT_DESK    = 73,      /* the desk word makes no sense: somebody wrote there */
	WORKER_EXIT_ESCAPED = 74,      /* a job left its frame; ESCAPED was sent before */
};

struct brood_job {
	uint64_t id, sequence, soft_ns;
	size_t request_size;
	brood_fn *fn;
	const void *arg;
	size_t arg_size;
	uint32_t attempt;
	int fd;                        /* -1: none */
	struct identity identity;      /* of the fd, when it came */
	bool taken;                    /* the job's own: not ours to close */
	_Atomic int cancel_fd;         /* -1: not asked for */
	const struct job_inline *in_line;   /* inline mode: not NULL */
	char name[BROOD_NAME_MAX];
};
#define SEQUENCE_NONE   UINT64_MAX         /* no desk has it: words have 61 bits for it */
#define SEQUENCE_INLINE (UINT64_MAX - 1)

/* What the process was like when it said READY. */
#define HYGIENE_SIGNALS 32                 /* the standard ones */
struct hygiene {
	int threads, fds;              /* fds -1: nobody can count them here (no /proc) */
	bool children;                 /* worker_init started some: no telling them from a job's */
	bool itimers[3];               /* running since then: not a job's */
	int posix_timer;               /* the kernel numbers them upwards: those from here on are a job's; -1: no timers here */
	sigset_t mask;
	mode_t umask;
	bool cwd_known;
	struct identity cwd;
	char cwd_path[PATH_MAX];
	struct sigaction actions[HYGIENE_SIGNALS];
	stack_t alternate;
	unsigned rotation;
	uint64_t memory_kb;            /* peak RSS from which on worker_memory counts as reached; 0: no limit */
	uint64_t floating;             /* control words of the floating point unit */
};
struct hygiene_result { uint32_t left; bool broken; };   /* left: enum brood_left. broken: something could not be put right */
int hygiene_snapshot(struct hygiene *h, uint64_t worker_memory);
/* ran_ns: how long the job ran; a short one is not made long by rare checks. */
struct hygiene_result hygiene_restore(struct hygiene *h, uint64_t ran_ns);
void hygiene_reap(void);               /* children that have ended, where children are tolerated */

struct worker {
	const struct worker_config *config;
	pid_t pid;                     /* 0: this is no worker */
	struct desk *desk;
	struct identity channel;
	struct brood_job job;
	_Alignas(16) unsigned char arg[BROOD_ARG_MAX + 1];
	struct hygiene hygiene;
	struct brood_init_data init_data;
};
extern struct worker the_worker;

/* signals.c. The sequence of the job that runs decides whether a soft step is meant for it; SEQUENCE_NONE: none runs. */
int worker_signals_prepare(const struct brood_options *options);
void worker_signals_ready(void);               /* after worker_init: SIGTERM is ours whatever it did */
void worker_soft_expect(uint64_t sequence);
bool worker_soft_came(uint64_t sequence);      /* async-signal-safe */

/* disown.c */
void worker_disown_thread_locals(void);        /* destructors that main()'s thread has registered do not run here */

/* frame.c. Calls call(arg). If control leaves it in any way but by returning, `escaped` is called, in the frame's own place, and must not return. */
struct job_frame {
	int (*call)(void *arg);
	void *arg;
	void (*escaped)(void *arg, int how);   /* ESCAPED_* */
};
int job_frame_run(const struct job_frame *frame);

/* run.c */
void worker_run(struct frame *f);

/* worker.c. Sends or ends the process: never loses a message, never sends to a stranger. */
void worker_say(struct frame *f);
void worker_end(bool with_hook) __attribute__((noreturn));

/* job.c */
void job_finish_fd(struct brood_job *job);     /* shuts down and closes, if it still is the one that came */
void job_close_cancel_fd(struct brood_job *job);

#endif
