/* SPDX-License-Identifier: MIT */
/*
 * roster.h - slot to pid, for the guard. Mapped in supervisor, spawner and guard. The pid of a
 * worker that the spawner makes is written by the kernel, before the worker's first step: so the
 * supervisor finds there whom a spawner that was killed has made. A worker writes its own entry
 * before any user code runs (init hook included) and then unmaps the roster: no job can scribble
 * pids into what the guard will kill. The engine unmaps it at once.
 */
#ifndef BROOD_WIRE_ROSTER_H
#define BROOD_WIRE_ROSTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct roster_entry {
	_Atomic int32_t pid; /* 0: no worker */
	uint32_t generation;
	/* proc_boot_ticks() at the worker's birth: worker and session's leader started no later. */
	uint64_t born_ticks;
	/*
	 * The worker's session: that of the spawner which made it, or its own. So each session in
	 * which somebody may be is in the roster, whatever became of the spawner.
	 */
	_Atomic int32_t session;
};
struct roster {
	_Atomic int32_t engine_pid;
	uint32_t slots;
	uint64_t engine_born_ticks;
	/*
	 * An entry for each slot. Behind them are the remains: dead workers in whose sessions
	 * something of their jobs may live, until a sweep has found nothing.
	 */
	struct roster_entry workers[];
};
#define ROSTER_ENTRIES(slots) ((size_t)(slots)*2 + 64)

#endif
