/* SPDX-License-Identifier: MIT */
/* init_data.h - what brood_get_init_data() answers. */
#ifndef BROOD_WORKER_INIT_DATA_H
#define BROOD_WORKER_INIT_DATA_H

#include "../wire/birth.h"

/* In a worker: maps the memfd, and closes it. 0 or -errno. */
int init_data_take(struct worker_config *c);
/*
 * For inline mode, where another thread may read the init data at the same time: the struct, its
 * memory and its fds stay the caller's, and may not change while jobs run. NULL: no more jobs run.
 */
void init_data_set(const struct brood_init_data *data);
/*
 * Inline mode: sets the init data for jobs that this thread runs, until it sets NULL. Returns what
 * was set before.
 */
const struct brood_init_data *init_data_here(const struct brood_init_data *data);

#endif
