/* SPDX-License-Identifier: MIT */
/*
 * queues.c - all queues at once: for brood_stop(), brood_stats(), brood_fd() and brood_dispatch().
 */
#include "queues.h"

#include "inbox.h"
#include "place.h"
#include "queue.h"
#include "queue_life.h"
#include "engine_root.h"
#include "ring_in.h"
#include "sleep.h"

#include "../base/base.h"

void queues_each(struct brood *b, void (*each)(struct queue *l, void *context), void *context)
{
	pthread_mutex_lock(&b->queues.lock);
	list_for_each_safe(link, tmp, &b->queues.list) {
		struct queue *l = container_of(link, struct queue, listed.link);

		queue_lock(l);
		each(l, context);
		queue_unlock(l);
	}
	pthread_mutex_unlock(&b->queues.lock);
}

/* The log callback must not find brood.queues.lock taken; brood_stop() reads the log itself. */
static void look_without_logs(struct queue *l)
{
	l->results.delivering++;
	/*
	 * nobody else does meanwhile: a poke that stands would keep the stop from sleeping.
	 * queues_over() pokes again
	 */
	l->results.delivering_next = true;
	sleep_look(l);
	l->results.delivering_next = false;
	l->results.delivering--;
}

static void drain(struct queue *l, void *open)
{
	size_t *count = open;

	queue_life_watch_for_stop(l);
	look_without_logs(l);
	ring_in_flush(l);
	/* For as long as the stop takes somebody always wants to know. */
	l->sleep.polled = true;
	sleep_listen_polled(l);
	*count += l->waiting.count + l->leases.ringed + l->leases.streamed;
}

size_t queues_drain(struct brood *b)
{
	size_t open = 0;

	queues_each(b, drain, &open);
	return open;
}

static void over(struct queue *l, void *unused)
{
	(void)unused;
	look_without_logs(l); /* sees that all is over, and gives up what is left */
	if (queue_has_news(l) || l->sleep.leader)
		inbox_poke(&l->inbox);
	/* Nobody gives those back; a thread that still sleeps there is on its way out. */
	if ((l->kind == QUEUE_OWN || l->kind == QUEUE_THREAD || l->kind == QUEUE_CALLERS) &&
		!l->sleep.leader && list_empty(&l->sleep.followers))
		queue_life_close_fds(l);
}

void queues_over(struct brood *b) { queues_each(b, over, NULL); }

static void add(struct queue *l, void *stats)
{
	struct brood_stats *s = stats;

	s->submitted += l->stats.submitted;
	s->dropped += l->stats.dropped;
	s->redispatched += l->stats.redispatched;
	s->retried += l->stats.retried;
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		s->verdicts[i] += l->stats.verdicts[i];
}

void queues_stats(struct brood *b, struct brood_stats *s)
{
	queues_each(b, add, s);
	engine_lock(b);
	s->redispatched += b->queue_redispatched;
	s->retried += b->queue_retried;
	for (int i = 0; i < BROOD_OUTCOMES; i++)
		s->verdicts[i] += b->queue_verdicts[i];
	engine_unlock(b);
}
