/* SPDX-License-Identifier: MIT */
/* account.h - measures what a job used, where the pool's options ask for that. */
#ifndef BROOD_WORKER_ACCOUNT_H
#define BROOD_WORKER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	uint64_t cpu_us, peak_kb;
};
extern bool account_wanted; /* false: no job is measured */
/*
 * Called before worker_init, which may hide /proc, and before the fds are counted that are the
 * worker's own. flags: enum brood_flags.
 */
void account_ready(uint32_t flags);
/* Called after code that may have put another file at the number of clear_refs: look again. */
void account_suspect(void);
void account_begin(void);
struct usage account_end(void);

#endif
