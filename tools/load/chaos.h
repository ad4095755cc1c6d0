/* SPDX-License-Identifier: MIT */
/*
 * chaos.h - what is done to the pool on purpose, and when it was done. Each act leaves a mark, for
 * the report.
 */
#ifndef BROOD_LOAD_CHAOS_H
#define BROOD_LOAD_CHAOS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum chaos_kind {
	CHAOS_KILL,
	CHAOS_KILL_ALL,
	CHAOS_STOP,
	CHAOS_FD_PRESSURE,
	CHAOS_MEMORY_PRESSURE,
	CHAOS_DISK_FULL,
	CHAOS_ENGINE_STALL,
	CHAOS_RELOAD,
	CHAOS_RESIZE,
	CHAOS_SUPERVISOR_KILL
};
#define CHAOS_KINDS   10
#define CHAOS_NO_SLOT UINT32_MAX
/* The name that --chaos knows, such as "fd-pressure". */
const char *chaos_name(uint32_t kind);

/* Times are on CLOCK_MONOTONIC. */
struct chaos_mark {
	uint64_t at_ns;
	uint64_t until_ns;   /* UINT64_MAX: it goes on; at_ns: it took no time */
	uint32_t kind, slot; /* slot: of the worker that was hit; CHAOS_NO_SLOT: none */
};
#define CHAOS_MARKS_MAX 8192

/* ---- chaos.c ---- */

struct options;
struct tally;
struct chaos;
struct chaos *chaos_new(const struct options *o, struct tally *tally, pid_t supervisor);
struct chaos *chaos_free(struct chaos *c);
void chaos_begin(struct chaos *c, uint64_t start_ns);
/* When chaos_act() is due next; UINT64_MAX: never. */
uint64_t chaos_next(const struct chaos *c);
bool chaos_act(struct chaos *c); /* true: it has killed the supervisor */
void chaos_end(struct chaos *c); /* ends all kills */
uint64_t chaos_killed(const struct chaos *c);

#endif
