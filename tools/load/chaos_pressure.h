/* SPDX-License-Identifier: MIT */
/*
 * chaos_pressure.h - takes resources away from the engine, the supervisor and the workers for some
 * time: the judge lowers their soft limits with prlimit(2). Nothing is used up, so the machine and
 * other programs do not notice.
 *
 *   fd-pressure      engine and supervisor: two more files can be opened (RLIMIT_NOFILE)
 *   memory-pressure  engine and supervisor, and workers born meanwhile: the address space may grow
 *                    by 64 KiB (RLIMIT_AS)
 *   disk-full        all three: no file can be written or grow (RLIMIT_FSIZE); memory files, in
 *                    which large requests travel, are files, too
 */
#ifndef BROOD_LOAD_CHAOS_PRESSURE_H
#define BROOD_LOAD_CHAOS_PRESSURE_H

#include "chaos.h"

#include <sys/resource.h>

struct pressure {
	pid_t engine, supervisor;
	/* The soft limits from before, by kind: of the engine and of the supervisor. */
	struct {
		bool on;
		rlim_t soft[2];
	} of[CHAOS_KINDS];
};
/* True: the kind is one of these. */
bool pressure_knows(uint32_t kind);
/* False: a limit could not be read or set, and all is as before. */
bool pressure_begin(struct pressure *p, uint32_t kind);
void pressure_end(struct pressure *p, uint32_t kind);

#endif
