/* SPDX-License-Identifier: MIT */
/*
 * user_job.h - --user-job LIB.so:SYMBOL: jobs of the kind `user` run a function of a library of the
 * user's. The library is opened before the pool starts: so all processes of the pool have the
 * function at the same address.
 */
#ifndef BROOD_LOAD_USER_JOB_H
#define BROOD_LOAD_USER_JOB_H

struct user_job_why {
	char text[400];
};
/* In the engine, before brood_start(). 0; or -EINVAL, and then `why` says what is wrong. */
int user_job_open(const char *text, struct user_job_why *why);

#endif
