/* SPDX-License-Identifier: MIT */
/* lanes.c - all lanes at once: for brood_stop(), brood_stats(), brood_fd() and brood_dispatch(). */
#include "lane.h"

void lanes_each(struct brood *b, void (*each)(struct lane *l, void *context), void *context)
{
	pthread_mutex_lock(&b->lanes_lock);
	list_for_each_safe(link, tmp, &b->lanes) {
		struct lane *l = container_of(link, struct lane, link);

		lane_lock(l);
		each(l, context);
		lane_unlock(l);
	}
	pthread_mutex_unlock(&b->lanes_lock);
}

void lanes_tidy(struct lane *own)
{
	struct brood *b = own->brood;

	if (pthread_mutex_trylock(&b->lanes_lock) != 0)
		return;
	list_for_each_safe(link, tmp, &b->lanes) {
		struct lane *l = container_of(link, struct lane, link);

		if (l == own || !atomic_load_explicit(&l->inbox_full, memory_order_relaxed) ||
			pthread_mutex_trylock(&l->lock) != 0)
			continue;
		/* it was poked when that came: what is to be done with it there is done there */
		lane_inbox(l);
		lane_unlock(l);
	}
	pthread_mutex_unlock(&b->lanes_lock);
}

/* The log callback must not find lanes_lock taken; brood_stop() reads the log itself. */
static void look_without_logs(struct lane *l)
{
	l->delivering++;
	/*
	 * nobody else does meanwhile: a poke that stands would keep the stop from sleeping.
	 * direct_over() pokes again
	 */
	l->delivering_next = true;
	lane_look(l);
	l->delivering_next = false;
	l->delivering--;
}

static void drain(struct lane *l, void *open)
{
	size_t *count = open;

	lane_watch_for_stop(l);
	look_without_logs(l);
	lane_flush(l);
	/* For as long as the stop takes somebody always wants to know. */
	l->polled = true;
	lane_listen(l);
	*count += l->queued + l->ringed + l->streamed;
}

size_t direct_drain(struct brood *b)
{
	size_t open = 0;

	lanes_each(b, drain, &open);
	return open;
}

static void over(struct lane *l, void *unused)
{
	(void)unused;
	look_without_logs(l); /* sees that all is over, and gives up what is left */
	if (lane_has_news(l) || l->leader)
		lane_poke(l);
	/* Nobody gives those back; a thread that still sleeps there is on its way out. */
	if ((l->kind == LANE_OWN || l->kind == LANE_THREAD || l->kind == LANE_CALLERS) &&
		!l->leader && list_empty(&l->followers))
		lane_close_fds(l);
}

void direct_over(struct brood *b) { lanes_each(b, over, NULL); }

static void add(struct lane *l, void *stats)
{
	struct brood_stats *s = stats;

	s->submitted += l->stats.submitted;
	s->dropped += l->stats.dropped;
	s->redispatched += l->stats.redispatched;
	s->retried += l->stats.retried;
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		s->verdicts[i] += l->stats.verdicts[i];
}

void direct_stats(struct brood *b, struct brood_stats *s)
{
	lanes_each(b, add, s);
	engine_lock(b);
	s->redispatched += b->lane_redispatched;
	s->retried += b->lane_retried;
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		s->verdicts[i] += b->lane_verdicts[i];
	engine_unlock(b);
}

void direct_polled(struct brood *b)
{
	struct lane *l = atomic_load(&b->own);

	if (!l)
		return;
	lane_lock(l);
	if (!l->polled) {
		l->polled = true;
		lane_tell(l);
	}
	lane_unlock(l);
}

int direct_dispatch(struct brood *b)
{
	struct lane *l = atomic_load_explicit(&b->own, memory_order_acquire);
	int count;

	if (!l)
		return -1;
	lane_lock(l);
	count = lane_dispatch(l);
	lane_unlock(l);
	return count;
}
