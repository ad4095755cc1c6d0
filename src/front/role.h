/* SPDX-License-Identifier: MIT */
/* role.h - what this process is to the caller of brood.h. */
#ifndef BROOD_ROLE_H
#define BROOD_ROLE_H

#include <stdatomic.h>
#include <stdbool.h>

/* How calls are served: by an engine with workers, or by one in inline mode. */
enum role_way { ROLE_NOBODY, ROLE_WORKERS, ROLE_INLINE };

/*
 * An enum role_way, never NULL. ROLE_NOBODY: role_check() knows more. The kernel wipes the page in
 * children, so this costs a call no system call.
 */
extern const _Atomic int *role_mark;

/* Before the first fork. 0 or -errno. */
int role_prepare(void);
/* From now on this process, and what it forks, have a role. False: not yet. */
void role_begin(bool begun);
/* This process is the engine. */
void role_take(enum role_way way);
/* Takes role_prepare() back. */
void role_undo(void);
/*
 * enum role_way in the engine; else -EPERM (a worker, a forked child) or -EINVAL (nothing was
 * started, `what` is NULL) with a sentence. what: the object that the call is about.
 */
int role_check(const char *call, const void *what);

#endif
