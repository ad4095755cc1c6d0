/* SPDX-License-Identifier: MIT */
/* unread.c - see unread.h. */
#include "unread.h"

static bool is_unread(const struct lease_page_entry *e)
{
	return atomic_load_explicit(&e->unread, memory_order_relaxed) != 0;
}

static bool still_unread(const struct unread_entry *u)
{
	return u->entry->id == u->id && is_unread(u->entry);
}

static void add(struct unread *u, const struct lease_page_entry *e)
{
	if (u->count < UNREAD_MAX && is_unread(e))
		u->list[u->count++] = (struct unread_entry){ .entry = e, .id = e->id };
}

/*
 * The page stays with this lease until its queue has heard that the lease is over, and has settled
 * all jobs: so the entries tell of this lease's jobs until then.
 */
void unread_lease_over(struct unread *u, const struct lease_page *page)
{
	for (uint32_t i = 0; u->wanted && i < RING_DEPTH; i++)
		add(u, &page->entries[i]);
}

void unread_ask(struct unread *u)
{
	uint32_t kept = 0;

	u->asked_verdicts = u->verdicts;
	u->asked_grants = u->grants;
	for (uint32_t i = 0; i < u->count; i++)
		if (still_unread(&u->list[i]))
			u->list[kept++] = u->list[i];
	u->count = kept;
}

/*
 * A verdict that nobody waits for may lie on the channel for ever: its handle was released. Which
 * of the verdicts there are such is not known here, so only what exceeds their number counts. A
 * grant counts while jobs wait in the engine for a worker: otherwise nobody may need it any more.
 */
bool unread_waits(const struct unread *u, const struct tally *tally)
{
	const struct answers *a = &tally->answers;
	uint64_t released = atomic_load(&a->released);
	int64_t verdicts = (int64_t)(u->asked_verdicts - atomic_load(&a->verdicts)),
		grants = (int64_t)(u->asked_grants - atomic_load(&a->grants));

	for (uint32_t i = 0; i < u->count; i++)
		if (still_unread(&u->list[i]))
			return true;
	return verdicts > (int64_t)released ||
		(grants > 0 && (int64_t)atomic_load(&tally->waiting) > 0);
}
