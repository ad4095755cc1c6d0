/* SPDX-License-Identifier: MIT */
/* run.h - what all jobs have in common, however they came: the slot page, and the frame. */
#ifndef BROOD_WORKER_RUN_H
#define BROOD_WORKER_RUN_H

#include "account.h"
#include "job.h"

/*
 * Returns when the slot page's word is the worker's, and *word is its new value. Does not return if
 * the job was condemned (the worker waits for SIGKILL), or if a job wrote over the word.
 */
void run_swap(uint64_t *word, uint64_t to);
/*
 * calls: the job made system calls, or nobody knows. memory: the job failed, and worker_memory had
 * refused it memory. told: enum brood_verdict_flags.
 */
struct ran {
	int code;
	bool calls, memory;
	uint32_t told;
	uint64_t ended_ns;
	struct usage usage;
};
/*
 * Calls call(arg). If control leaves it in any way but by returning, `escaped` is called, in the
 * frame's own place, and must not return.
 */
struct run_frame {
	int (*call)(void *arg);
	void *arg;
	void (*escaped)(void *arg, int how); /* how: ESCAPED_* */
};
int run_framed(const struct run_frame *frame);
/* The present state of the floating point unit is how each job shall find it. */
void run_ready(void);
/* The slot page's word from `word` to RUNNING: from now on the soft step is meant for this job. */
void run_begin(const struct brood_job *job, uint64_t *word);
/*
 * Calls the job's function, with the slot page's word from `word` to RUNNING, unless it is there,
 * to DONE. Then gives back its fds and memory.
 */
struct ran run_job(struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word);
/* The fds and memory of a job that was not run. suspect: it may have put other files there */
void run_release(struct brood_job *job, bool suspect);

#endif
