/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - threads that wait for something of a lane.
 *
 * One leads: it sleeps in the lane's epoll, and looks for all. The others follow: each sleeps on a
 * word of its own, and is woken when what it waits for is there, or to lead, when the one that led
 * has what it wanted. So a wake-up touches who it is for, however many sleep. (All in the epoll
 * would do, but for its waking the one that fell asleep last: two of them could pass what is a
 * third one's to each other for ever.)
 *
 * Invariant, whenever the lane's lock is free: if a thread follows, one leads, or one that follows
 * was woken. lane_unlock() keeps it, so whoever lets go of the lock, to run callbacks or for good,
 * need not think of it.
 *
 * A poke is a level: it stands until the leader is back, for another thread that looks meanwhile
 * could take it away from one that has been woken, but has not yet seen why. For those that poll
 * the lane's fd it stands until they have dispatched.
 *
 * Sleeping in the epoll follows wire/ring.h: say that somebody listens, look once more, sleep.
 */
#include "lane.h"

#include "../os/futex.h"
#include <sys/epoll.h>

/* ---- being told ---- */

/* Workers tell of each completion from now on. true: one came before they knew. */
bool lane_listening(struct lane *l)
{
	atomic_store(&l->control->listening, 1);
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);
		uint64_t done;

		if (lease->state == LEASE_ASKED || ring_used(lease) == 0 || lease->damaged)
			continue;
		done = atomic_load(&lease->up->done);
		if (done != lease->harvested && done != 0)
			return true;
	}
	return false;
}

void lane_quiet(struct lane *l)
{
	if (!l->leader && atomic_load_explicit(&l->control->listening, memory_order_relaxed))
		atomic_store_explicit(&l->control->listening, 0, memory_order_relaxed);
}

void lane_listen(struct lane *l)
{
	if (l->polled && lane_listening(l))
		lane_poke(l);
}

void lane_tell(struct lane *l)
{
	if (l->polled && (lane_has_news(l) || lane_listening(l)))
		lane_poke(l);
}

/* ---- who wakes whom ---- */

/*
 * It is asleep: whoever looks, or may let others look, has stood out of its chain before. (Else
 * `waking` counted somebody who never comes back from sleep, and nobody would be made to lead any
 * more.)
 */
void sleeper_rouse(struct lane *l, struct sleeper *s)
{
	if (atomic_load_explicit(&s->woken, memory_order_relaxed) == SLEEPER_WOKEN)
		return;
	atomic_store_explicit(&s->woken, SLEEPER_WOKEN, memory_order_relaxed);
	if (s == l->leader) {
		lane_poke(l);
		return;
	}
	l->waking++;
	if (s->word)
		atomic_compare_exchange_strong(s->word, &s->asleep, s->told);
	futex_wake(s->word ? s->word : &s->woken, 1);
}

void lane_wake(struct lane *l, struct sleeper **chain)
{
	while (*chain) {
		struct sleeper *s = *chain;

		*chain = s->next;
		s->chain = NULL;
		sleeper_rouse(l, s);
	}
}

void lane_wake_one(struct lane *l, struct sleeper **chain)
{
	if (*chain)
		sleeper_rouse(l, *chain);
}

void lane_promote(struct lane *l)
{
	struct sleeper *next = l->kind == LANE_CALLERS
		? caller_to_lead(l)
		: container_of(list_first(&l->followers), struct sleeper, link);

	if (next)
		sleeper_rouse(l, next);
}

void sleeper_in(struct sleeper *s, struct sleeper **chain)
{
	*s = (struct sleeper){ .chain = chain, .next = *chain };
	list_init(&s->link);
	*chain = s;
}

void sleeper_out(struct sleeper *s)
{
	struct sleeper **at = s->chain;

	while (at && *at != s)
		at = &(*at)->next;
	if (at)
		*at = s->next;
}

/* ---- asleep ---- */

/* What waits for room in the supervisor's socket is looked after by whoever leads. */
static uint64_t sleep_limit(struct lane *l, uint64_t until)
{
	struct brood *b = l->brood;

	engine_lock(b);
	if (!list_empty(&b->out))
		until = MIN(until, now_ns() + OUT_RETRY_MS * NS_PER_MS);
	engine_unlock(b);
	return until;
}

int sleeper_lead(
	struct lane *l, struct sleeper *s, struct epoll_event *events, uint64_t now, uint64_t until)
{
	uint64_t limit = l->asked || l->queued ? sleep_limit(l, until) : until;
	int n;

	l->leader = s;
	lane_unlock(l);
	n = epoll_wait(l->epoll_fd, events, LANE_EVENTS,
		limit == TIME_NEVER ? -1 : time_poll_ms(limit == until ? now : now_ns(), limit));
	lane_lock(l);
	l->leader = NULL;
	if (limit != until)
		lane_hear_channel(l, false);
	return n;
}

static void doze(struct lane *l, struct sleeper *s, uint64_t until)
{
	lane_unlock(l);
	futex_wait(&s->woken, SLEEPER_SLEEPS, until);
	lane_lock(l);
	l->waking -= atomic_load_explicit(&s->woken, memory_order_relaxed);
}

static void follow(struct lane *l, struct sleeper *s, uint64_t until)
{
	list_append(&s->link, &l->followers);
	doze(l, s, until);
	list_remove(&s->link);
}

/*
 * What this thread found is for those that dispatch, who poll the same epoll: it stays readable
 * until they have come, so nobody can sleep there. They look for us, too, and should they not come,
 * we do.
 */
static void stand_back(struct lane *l, struct sleeper *s, uint64_t until)
{
	lane_poke(l);
	doze(l, s, MIN(until, now_ns() + LANE_TICK_MS * NS_PER_MS));
}

void lane_sleep(struct lane *l, struct sleeper **chain, uint64_t until)
{
	lane_sleep_from(l, chain, until == TIME_NEVER ? 0 : now_ns(), until);
}

void lane_sleep_from(struct lane *l, struct sleeper **chain, uint64_t now, uint64_t until)
{
	struct epoll_event events[LANE_EVENTS];
	struct sleeper self;
	int n = 0;

	lane_flush(l);
	sleeper_in(&self, chain);
	if (!l->gone && l->leader) {
		follow(l, &self, until);
		sleeper_out(&self);
		return;
	}
	if (!l->gone && l->polled && chain != &l->takers && lane_has_news(l)) {
		stand_back(l, &self, until);
		sleeper_out(&self);
		lane_look(l);
		return;
	}
	if (!l->gone && !lane_listening(l))
		n = sleeper_lead(l, &self, events, now, until);
	sleeper_out(&self);
	if (!l->polled) /* else there is a sleeper of whom we know nothing */
		lane_quiet(l);
	l->taking = chain == &l->takers;
	lane_heard(l, events, n);
	l->taking = false;
}
