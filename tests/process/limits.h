/* SPDX-License-Identifier: MIT */
/* limits.h - what the tests of shortages share: the pool, and a user without privileges. */
#ifndef BROOD_TESTS_LIMITS_H
#define BROOD_TESTS_LIMITS_H

#include "../helpers/pool.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct brood *brood;

/*
 * As a service that has dropped its privileges: everything from here on runs without them. Tests
 * that do not run as root have none anyway.
 */
/*
 * A user id that no other test has: fds in flight count for all processes of a user, and other
 * tests run at the same time.
 */
static inline void become_nobody(void)
{
	uid_t user = 100000 + (uid_t)getpid();

	if (getuid() != 0)
		return;
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(user, user, user), 0);
	CHECK_EQ(setresuid(user, user, user), 0);
	CHECK_EQ(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
}

#endif
