/* SPDX-License-Identifier: MIT */
/* poison.c - see poison.h. */
#include "poison.h"

#include "../base/base.h"

struct poison_rule poison_rule_of(const struct brood_pool_options *o)
{
	return (struct poison_rule){ .after = MIN(o->poison_after, POISON_AFTER_MAX),
		.within_ns = o->poison_within_ms * NS_PER_MS,
		.forget_ns = o->poison_forget_ms * NS_PER_MS };
}

bool poison_is_fault(const struct brood_verdict *v)
{
	return v->started &&
		((v->outcome == BROOD_CRASHED && v->detail != BROOD_DETAIL_OUTSIDE &&
			 v->detail != BROOD_DETAIL_OPERATOR) ||
			v->outcome == BROOD_TIMED_OUT);
}

static void clear(struct poison *p, struct poison_key *k)
{
	p->listed -= k->until != 0;
	*k = (struct poison_key){ 0 };
}

static void forget(struct poison *p, uint64_t now)
{
	for (uint32_t i = 0; p->listed > 0 && i < POISON_KEYS; i++)
		if (p->keys[i].until != 0 && p->keys[i].until <= now)
			clear(p, &p->keys[i]);
}

static struct poison_key *find(struct poison *p, uint64_t key)
{
	for (uint32_t i = 0; key && i < POISON_KEYS; i++)
		if (p->keys[i].key == key)
			return &p->keys[i];
	return NULL;
}

/*
 * How much a place is worth keeping; the least worth is given to a new key. Free places are worth
 * nothing, then come keys that are not listed (the oldest fault first), then those on the list (the
 * soonest forgotten first).
 */
static uint64_t worth(const struct poison_key *k)
{
	if (k->key == 0)
		return 0;
	return k->until ? UINT64_MAX / 2 + k->until / 2 : 1 + k->at[k->count - 1] / 2;
}

static struct poison_key *make(struct poison *p, uint64_t key)
{
	struct poison_key *least = &p->keys[0];

	for (uint32_t i = 1; i < POISON_KEYS; i++)
		if (worth(&p->keys[i]) < worth(least))
			least = &p->keys[i];
	clear(p, least);
	least->key = key;
	return least;
}

/* Drops the faults that were too long ago. */
static void drop_old(struct poison_key *k, uint64_t within_ns, uint64_t now)
{
	uint32_t old = 0;

	while (old < k->count && now - MIN(k->at[old], now) > within_ns)
		old++;
	for (uint32_t i = old; i < k->count; i++)
		k->at[i - old] = k->at[i];
	k->count -= old;
}

bool poison_fault(struct poison *p, const struct poison_rule *rule, uint64_t key, uint64_t now)
{
	struct poison_key *k;

	if (rule->after == 0 || key == 0)
		return false;
	forget(p, now);
	k = find(p, key);
	if (!k)
		k = make(p, key);
	if (k->until)
		return false; /* this job had begun before its key was listed */
	drop_old(k, rule->within_ns, now);
	k->at[k->count++] = now;
	if (k->count < rule->after)
		return false;
	k->until = now + rule->forget_ns;
	p->listed++;
	return true;
}

bool poison_has(struct poison *p, uint64_t key, uint64_t now)
{
	const struct poison_key *k;

	forget(p, now);
	k = p->listed > 0 ? find(p, key) : NULL;
	return k && k->until;
}
