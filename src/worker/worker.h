/* SPDX-License-Identifier: MIT */
/*
 * worker.h - the process in which jobs run. worker_main() is called in the new child, on the
 * supervisor's stack, and never returns. It
 *   1. sets PDEATHSIG and checks the parent, setsid(), becomes a subreaper (so that what a job's
 *      child leaves behind is found), writes its roster entry, drops roster, board and other desks;
 *   2. closes all fds but 0-2, channel, keep-list, init fds; stdin from /dev/null; signals, stdio,
 *      exit hook, title, oom mark, core limit;
 *   3. begins a frame at which unwinding ends (stack.c), runs worker_init, remembers cwd, umask,
 *      fds, dispositions; says READY;
 *   4. blocks in one recvmsg until RUN, LEND or END. RUN: runs the job inside its frame (frame.c),
 *      puts right what it left (hygiene.c), says FINISHED. LEND: does that for what it finds in a
 *      ring (lease.c) until it is told to
 *      LEAVE, and says LEFT.
 */
#ifndef BROOD_WORKER_H
#define BROOD_WORKER_H

#include "../wire/birth.h"
#include <brood.h>
#include <stdbool.h>
#include <sys/types.h>

void worker_main(struct worker_config *config) __attribute__((noreturn));

/* this process is a worker: not so in children that a job forked. Async-signal-safe */
bool worker_is_self(void);
bool worker_is_forked(void); /* it is a child that a job (or worker_init) forked */
/* brood_rearm() in a worker: 0 or -ESRCH; -EPERM: this is no worker */
int worker_rearm(void);

/* For inline mode (src/inline): a job without a worker. Same struct brood_job, same calls. */
struct job_inline {
	int fd;
	uint64_t id;
	size_t request_size;
	const void *arg;
	size_t arg_size;
	const char *name;
	/* where brood_job_log() goes; NULL: nowhere */
	void (*log)(void *log_context, const struct brood_log *log);
	void *log_context;
	/* extra ones: this call closes them, but those that the job took */
	const int *fds;
	size_t fds_count;
	/* where brood_job_progress() goes; NULL: nowhere */
	void (*progress)(void *progress_context, const void *data, size_t size);
	void *progress_context;
	/*
	 * room for BROOD_JOB_FDS_MAX: those of brood_job_reply_fds(), the caller's from now on.
	 * NULL: not a job that replies fds
	 */
	int *ret_fds;
	size_t *ret_fds_count; /* 0 before */
};
/* what fn returned; the caller closes fd unless taken */
int worker_run_inline(brood_fn *fn, const struct job_inline *job, bool *ret_took_fd);
/*
 * what brood_get_init_data() answers from now on; memory and fds stay the caller's. NULL: nothing
 */
void worker_inline_init_data(const struct brood_init_data *data);

#endif
