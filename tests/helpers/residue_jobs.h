/* SPDX-License-Identifier: MIT */
/*
 * residue_jobs.h - jobs that leave residue in their worker. Each is named for what it leaves, and
 * returns 0. It needs only the public header.
 */
#ifndef BROOD_TESTS_RESIDUE_JOBS_H
#define BROOD_TESTS_RESIDUE_JOBS_H

#include <brood.h>

int leaves_thread(struct brood_job *job);
int leaves_fd(struct brood_job *job);
int leaves_child(struct brood_job *job);
int leaves_grandchild(struct brood_job *job);
int leaves_zombie(struct brood_job *job);
int leaves_mask(struct brood_job *job); /* all signals are blocked */
int leaves_alarm(struct brood_job *job);
int leaves_cwd(struct brood_job *job);
int leaves_umask(struct brood_job *job);
int leaves_handlers(struct brood_job *job); /* SIGTERM and SIGUSR2 are ignored */
int rounds_up(struct brood_job *job);

#endif
