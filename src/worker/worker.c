/* SPDX-License-Identifier: MIT */
/* worker.c - see worker.h. */
#include "worker.h"

#include "../os/process.h"

AT_BIRTH struct worker the_worker;

bool worker_is_self(void) { return the_worker.pid != 0 && getpid() == the_worker.pid; }

bool worker_is_forked(void) { return the_worker.pid != 0 && getpid() != the_worker.pid; }

int worker_rearm(void)
{
	return worker_is_self() ? process_set_pdeathsig(SIGKILL, the_worker.config->supervisor_pid)
				: -EPERM;
}

void worker_give_up(enum worker_exit why)
{
	if (worker_is_self())
		atomic_store(&the_worker.page->gave_up, (uint32_t)why);
	_exit((int)why);
}
