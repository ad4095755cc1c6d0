/* SPDX-License-Identifier: MIT */
/*
 * job_frame.h - calls a function that cannot get past the frame: not by longjmp(), not by
 * pthread_exit().
 */
#ifndef BROOD_WORKER_JOB_FRAME_H
#define BROOD_WORKER_JOB_FRAME_H

/*
 * Calls call(arg). If control leaves it in any way but by returning, `escaped` is called, in the
 * frame's own place, and must not return.
 */
struct job_frame {
	int (*call)(void *arg);
	void *arg;
	void (*escaped)(void *arg, int how); /* how: ESCAPED_* */
};
int job_frame_run(const struct job_frame *frame);

#endif
