/* SPDX-License-Identifier: MIT */
/*
 * delegation.h - a cgroup for a case, with the mark that systemd puts on one with Delegate=. The
 * test's process makes it before the case, and removes it after the case.
 */
#ifndef BROOD_TESTS_DELEGATION_H
#define BROOD_TESTS_DELEGATION_H

#include "report.h"

#include <sys/types.h>

/* Skips the test where no such cgroup can be made: not root, or no cgroups of version 2. */
void delegation_make(void);
/* Waits until the cgroup is empty, and removes it. Fails the test if cgroups are left below it. */
void delegation_remove(void);
/* As delegation_remove(), but with cgroups below: where a supervisor was killed. */
void delegation_sweep(void);

/* In the case: joins the cgroup. `mark`: it is delegated. */
void delegation_enter(bool mark);
/* The path of a file or folder in the cgroup, in memory that the next call uses again. */
const char *delegation_path(const char *name);
/* The cgroup of a process, behind the case's own; "" for that one, "?" for another tree. */
const char *delegation_of(pid_t pid);
bool delegation_has(const char *name);
/* How many processes are in the cgroup `name` ("": the case's own), not below it; -1: none such. */
int delegation_count(const char *name);

#endif
