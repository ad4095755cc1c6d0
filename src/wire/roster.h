/* SPDX-License-Identifier: MIT */
/*
 * roster.h - the pid of each slot's worker, for the guard, which kills by it. Mapped in supervisor,
 * spawner and guard. The pid of a worker that the spawner makes is written by the kernel, before
 * the worker's first step: so if the spawner is killed, the supervisor finds its workers there. A
 * worker signs its own entry before any code of the program runs (init hook included) and then
 * unmaps the roster: no job can scribble pids into what the guard will kill. The engine unmaps the
 * roster when it begins.
 */
#ifndef BROOD_WIRE_ROSTER_H
#define BROOD_WIRE_ROSTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct roster_entry {
	_Atomic int32_t pid; /* 0: no worker */
	uint32_t generation;
	/* proc_boot_ticks() at the birth: the worker and its session's leader started by then. */
	uint64_t born_ticks;
	/*
	 * The worker's session: that of the spawner which made it, or its own. So each session in
	 * which processes of jobs may be is in the roster, whatever became of the spawner.
	 */
	_Atomic int32_t session;
};
/*
 * A signal that reached the guard: when, and from whom. The guard alone writes it (twice.h in the
 * supervisor's folder tells why).
 */
struct roster_heard {
	_Atomic uint64_t ns; /* 0: the signal never came */
	_Atomic int32_t from;
};
#define ROSTER_SIGNALS 65 /* the numbers 1 to 64 */
struct roster {
	struct roster_heard heard[ROSTER_SIGNALS];
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
