/* SPDX-License-Identifier: MIT */
/*
 * run.h - what all jobs of a worker have in common, by handoff or on a lease: the slot page, and
 * the frame.
 */
#ifndef BROOD_WORKER_RUN_H
#define BROOD_WORKER_RUN_H

#include "account.h"
#include "job.h"
#include "conduct.h"

/*
 * Swaps the slot page's word from *word to `to`, and sets *word. Does not return if the job was
 * condemned (the worker waits for SIGKILL), or if a job wrote over the word.
 */
void run_swap(uint64_t *word, uint64_t to);
/*
 * memory: the job failed, and worker_memory had refused it memory. told: enum brood_verdict_flags.
 */
struct ran {
	int code;
	struct conduct did;
	bool memory;
	uint32_t told;
	uint64_t ended_ns;
	struct usage usage;
};
/*
 * Calls call(arg). If control leaves that call in any way but by returning, `escaped` is called at
 * the depth of the frame, and must not return.
 */
struct run_frame {
	int (*call)(void *arg);
	void *arg;
	void (*escaped)(void *arg, int how); /* how: ESCAPED_* */
};
int run_framed(const struct run_frame *frame);
/* Keeps the present state of the floating point unit: each job will find it so. */
void run_ready(void);
/* Swaps the slot page's word to RUNNING: from now on the soft step is meant for this job. */
void run_begin(const struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word);
/*
 * Runs the job: swaps the slot page's word to RUNNING (unless run_begin() did), calls the function,
 * swaps to DONE, and gives back the job's fds and memory.
 */
struct ran run_job(struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word);
/*
 * Gives back the fds and memory of a job that did not run. suspect: other code ran since its fds
 * came, and may have put other files at their numbers.
 */
void run_release(struct brood_job *job, bool suspect);

#endif
