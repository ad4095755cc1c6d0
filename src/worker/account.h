/* SPDX-License-Identifier: MIT */
/* account.h - measures what a job used, where the pool's options ask for that. */
#ifndef BROOD_WORKER_ACCOUNT_H
#define BROOD_WORKER_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	uint64_t cpu_us, peak_kb;
};
/*
 * To be called before worker_init, which may hide /proc, and before the count of fds. flags: enum
 * brood_flags.
 */
extern bool account_wanted; /* false: no job is measured */
void account_ready(uint32_t flags);
/* A job may have put another file in the place of the one that this module has. */
void account_suspect(void);
void account_begin(void);
struct usage account_end(void);

#endif
