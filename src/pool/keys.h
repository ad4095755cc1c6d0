/* SPDX-License-Identifier: MIT */
/*
 * keys.h - which worker had a key last. A small table that forgets: a hint, never a promise. A key
 * has a set of four places; the new one takes the place of the one that was used the longest time
 * ago.
 */
#ifndef BROOD_POOL_KEYS_H
#define BROOD_POOL_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#define KEYS_SETS    64u
#define KEYS_WAYS    4u
#define KEYS_WAIT_NS 1000000u /* at most so long, a job waits for the busy worker of its key */
/*
 * A job waits in the ring of its key's worker only if the jobs there take no longer than this. The
 * time is shorter than PICK_STAND_NS, after which a job is moved from behind another one.
 */
#define KEYS_BEHIND_NS 300000u

/* Names a worker. serial tells it from other workers that had the same place before or after. */
struct keys_worker {
	uint32_t place, serial;
};
struct keys_entry {
	uint64_t key; /* 0: free */
	struct keys_worker worker;
};
/* All zero at first. In each set the most recently used key stands first. */
struct keys {
	struct keys_entry sets[KEYS_SETS][KEYS_WAYS];
	/* kept by the caller: at most so many jobs wait for the worker of their key */
	uint32_t waits;
};
/* True: *ret is the worker that had this key last, as far as the table knows. */
bool keys_find(const struct keys *k, uint64_t key, struct keys_worker *ret);
/* This worker has the key now. key: not 0. */
void keys_note(struct keys *k, uint64_t key, struct keys_worker worker);

#endif
