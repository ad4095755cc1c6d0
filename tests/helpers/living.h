/* SPDX-License-Identifier: MIT */
/* living.h - for tests of workers that are renewed: who lives, as the workers' hooks count it. */
#ifndef BROOD_TESTS_LIVING_H
#define BROOD_TESTS_LIVING_H

#include "pool.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* Memory of all processes of a case. */
struct living {
	_Atomic int born, alive, most;
	_Atomic int waits; /* a job waits for `go` */
	_Atomic int go;
	_Atomic int failing; /* worker_init fails with init data of this version or a later one */
	_Atomic int failing_to; /* the last such version; 0: there is no last one */
	_Atomic int refusals;   /* how often it has */
	_Atomic int hold; /* worker_init waits with init data of this version or a later one */
	_Atomic int held; /* how many have come to that wait */
};
extern struct living *living;

void living_make(void); /* before the start */
int living_begins(void *context);
void living_ends(void *context);
/* a pool of these workers, whose first pool's own options are `own`; both with the hooks */
struct brood *living_start(const struct brood_options *options, struct brood_pool_options own);

#endif
