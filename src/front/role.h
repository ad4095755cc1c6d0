/* SPDX-License-Identifier: MIT */
/* role.h - what this process may do with the calls of brood.h. */
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

/* Called before the first fork. 0 or -errno. */
int role_prepare(void);
/* True: this process, and what it forks, have a role from now on. False: not yet. */
void role_begin(bool begun);
/* From now on this process is the engine. */
void role_take(enum role_way way);
/* Takes role_prepare() back. */
void role_undo(void);
/*
 * enum role_way in the engine. Else a sentence is set: -EPERM (a worker, a forked child) or -EINVAL
 * (nothing was started, `what` is NULL). what: the object that the call is about.
 */
int role_check(const char *call, const void *what);

#endif
