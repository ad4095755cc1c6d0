/* SPDX-License-Identifier: MIT */
/* keys.c - see keys.h. */
#include "keys.h"

static uint32_t set_of(uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) % KEYS_SETS;
}

bool keys_find(const struct keys *k, uint64_t key, struct keys_worker *ret)
{
	const struct keys_entry *set = k->sets[set_of(key)];

	for (uint32_t i = 0; key && i < KEYS_WAYS; i++) {
		if (set[i].key != key)
			continue;
		*ret = set[i].worker;
		return true;
	}
	return false;
}

void keys_note(struct keys *k, uint64_t key, struct keys_worker worker)
{
	struct keys_entry *set = k->sets[set_of(key)];
	uint32_t at = 0;

	while (at < KEYS_WAYS - 1 && set[at].key != key)
		at++;
	for (; at > 0; at--)
		set[at] = set[at - 1];
	set[0] = (struct keys_entry){ .key = key, .worker = worker };
}
