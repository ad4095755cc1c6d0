/* SPDX-License-Identifier: MIT */
/*
 * worker.h - what this process is: a worker, a child that a job forked, or none of both. A process
 * is one worker at most, so the worker's state is one global, which handlers and public calls can
 * reach. All else that a worker keeps stands in the module that it is about.
 *
 * The storeys, from the top; a file calls files further down only:
 *
 *   main          birth, the loop
 *   serve         on lease: from GRANT to LEFT
 *   awake         on lease without a job: the moment before the sleep
 *   ring_job      one job on lease, from entry to completion, and how a lease ends
 *   handoff       one job through the supervisor, from RUN to FINISHED
 *   job_inline    one job where there is no worker
 *   hooks         the program's hooks, and the ordered end
 *   image         what all workers have in common: made in the spawner, or at birth
 *   run           what all jobs have in common: the slot page, the frame
 *   reply_room    a reply that the job fills in place
 *   conduct       whether a job needs a look
 *   payload       a job's request and reply: on its socket, or in memory
 *   loans         memory of the engine's that requests lie in
 *   carried       a small request and reply that travel in the messages
 *   worker_lease  the worker's half of a lease
 *   hygiene       what a job left behind: looked for, put right, and what that costs
 *   handlers      the part of that which is about handlers
 *   files         a job's fds, and the flags of stdout and stderr
 *   dispositions  what signals mean here
 *   wear          how worn the worker is
 *   soft          the soft step
 *   fault         a signal that is about to end the worker
 *   trace, memory, plugin, account, report, bytes, init_data, rights, job, job_stack, disown
 *   worker
 *
 * Trap: a job may fork, and the child has all this state in memory, and the channel. Whatever
 * speaks for the worker asks worker_is_self() first. The slot page is there for reading alone
 * (shown_page): the child dies if it writes. Trap: a job that made a system call may have closed
 * any fd, and have opened something else that got its number. So a module that has an fd of the
 * worker's own looks at the fd's identity before it writes there, the first time after such a job.
 */
#ifndef BROOD_WORKER_H
#define BROOD_WORKER_H

#include "../os/signals.h"
#include "../wire/birth.h"

#include <sys/resource.h>

struct worker {
	struct worker_config *config;
	pid_t pid; /* 0: this process is no worker */
	struct slot_page *page;
	/*
	 * The slot page once more, for reading only. A child that a job forked has this mapping
	 * alone: such a child may outlive its worker, and must not write to the page when the next
	 * worker of the slot has it.
	 */
	const struct slot_page *shown_page;
	struct trace_page *trace_page;
	struct trace_answer *answer; /* for programs outside that ask where the code is */
	rlim_t files;                /* the limit on open files at READY */
	/* True in a child that fork() made: its writes would spoil its parent's memory. */
	volatile bool forked;
};
extern struct worker the_worker;

/* True: this process is a worker, not a child that a job forked. Async-signal-safe. */
bool worker_is_self(void);
bool worker_is_forked(void); /* True: a job or worker_init forked this process. */
/* brood_rearm() in a worker. 0 or -ESRCH; -EPERM: this process is no worker. */
int worker_rearm(void);
/*
 * Says in the slot page that processes made by code of the program may be left, until hygiene.c has
 * seen that none are. Called only in the worker itself. Async-signal-safe.
 */
static inline void worker_may_fork(void)
{
	atomic_store_explicit(&the_worker.page->offspring, 1, memory_order_relaxed);
}
/*
 * Notes `why` in the slot page and ends the worker. The note is needed because a job may use the
 * same exit code.
 */
void worker_give_up(enum worker_exit why) __attribute__((noreturn));

#endif
