/* SPDX-License-Identifier: MIT */
/*
 * poison.h - keys whose jobs end workers again and again. A key whose jobs did so `after` times
 * within a time is on the list, until it is forgotten. The table has room for POISON_KEYS keys: a
 * full table forgets the key whose last fault was the longest ago.
 */
#ifndef BROOD_POOL_POISON_H
#define BROOD_POOL_POISON_H

#include <brood.h>
#include <stdbool.h>
#include <stdint.h>

#define POISON_KEYS      64u
#define POISON_AFTER_MAX 16u

/* So many faults (after) within a time put a key on the list. after 0: no key is ever listed. */
struct poison_rule {
	uint32_t after;
	uint64_t within_ns, forget_ns;
};
struct poison_key {
	uint64_t key;   /* 0: free */
	uint64_t until; /* the key is listed until this time; 0: it is not listed */
	uint32_t count; /* while it is not listed: how many faults `at` has, the oldest first */
	uint64_t at[POISON_AFTER_MAX];
};
/* All zero at first. listed: how many keys are on the list. */
struct poison {
	uint32_t listed;
	struct poison_key keys[POISON_KEYS];
};
/* The rule that the options of a pool make. */
struct poison_rule poison_rule_of(const struct brood_pool_options *options);
/* True: the job crashed its worker, or hung and was killed; it was not an end from outside. */
bool poison_is_fault(const struct brood_verdict *verdict);
/*
 * Counts a fault of a job with this key; key 0 has none. True: this fault put the key on the list.
 */
bool poison_fault(struct poison *p, const struct poison_rule *rule, uint64_t key, uint64_t now);
/* True: the key is on the list. Forgets what is to be forgotten. */
bool poison_has(struct poison *p, uint64_t key, uint64_t now);

#endif
