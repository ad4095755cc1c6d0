/* SPDX-License-Identifier: MIT */
/* role.h - what this process is, and so what it may do with the calls of brood.h. */
#ifndef BROOD_OS_ROLE_H
#define BROOD_OS_ROLE_H

#include <brood.h>
#include <stdatomic.h>
#include <stdbool.h>

/* How calls are served: by an engine with workers, or by one in inline mode. */
enum role_way { ROLE_NOBODY, ROLE_WORKERS, ROLE_INLINE };

/*
 * Never NULL; leads to an enum role_way. ROLE_NOBODY: ask role_way(), which knows more. The kernel
 * wipes this page in children, so a public call learns its role without a system call.
 */
extern const _Atomic int *role_mark;

/* Called before the first fork. 0 or -errno. */
int role_prepare(void);
/* True: this process, and what it forks, have a role from now on. False: not yet. */
void role_begin(bool begun);
/* From now on this process is the engine. */
void role_take(enum role_way way);
/* Undoes role_prepare(), when the start has failed. */
void role_undo(void);
/* From now on this process is a worker; pid: its own. */
void role_be_worker(pid_t pid);
/* How calls are served here. */
enum role_way role_way(void);
/* The answer of brood_role(). */
enum brood_role role_now(void);

#endif
