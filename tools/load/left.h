/* SPDX-License-Identifier: MIT */
/* left.h - finds the processes of a run. */
#ifndef BROOD_LOAD_LEFT_H
#define BROOD_LOAD_LEFT_H

#include <sys/types.h>

#define LEFT_NAMES 240

struct left {
	unsigned processes, zombies;
	char names[LEFT_NAMES];
};
/*
 * Finds the processes that should not be there, without those in `expected`. These are the
 * descendants of `root`; with root 0, of this process, and all processes that have the marker.
 */
void left_look(const char *marker, pid_t root, const pid_t *expected, unsigned expected_count,
	struct left *ret);
void left_kill(const char *marker); /* kills (SIGKILL) and reaps all of these processes */
pid_t left_guard(pid_t supervisor); /* 0: no guard was seen */
/* The children of a process, zombies left out. Returns how many there are, `room` at most. */
unsigned left_children(pid_t parent, pid_t *ret_pids, unsigned room);

#endif
