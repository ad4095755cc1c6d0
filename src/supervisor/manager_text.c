/* SPDX-License-Identifier: MIT */
#include "manager_text.h"
#include "feed.h"
#include "pool.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- how the brood is ---- */

static const char *trouble_of(const struct pool *pool)
{
	if (pool->backoff.degraded)
		return "workers die at birth";
	return pool_degraded(pool) ? "workers cannot die" : NULL;
}

static void add_trouble(const struct pool *pool, struct manager_state *state)
{
	const char *trouble = trouble_of(pool);
	bool named = pool->setup->named;

	if (trouble && !*state->trouble)
		snprintf(state->trouble, sizeof state->trouble, "degraded: %s%s%s%s",
			named ? "pool " : "", named ? pool->setup->name : "", named ? ": " : "",
			trouble);
}

/* Final verdicts of all jobs, but of those that were refused: they never were the pool's. */
static uint64_t jobs_of(const struct brood_status_sums *sums)
{
	uint64_t jobs = 0;

	for (int outcome = 0; outcome < BROOD_OUTCOMES; outcome++)
		for (int detail = 0; outcome != BROOD_REFUSED && detail < BROOD_DETAILS; detail++)
			jobs += __atomic_load_n(&sums->verdicts[outcome][detail], __ATOMIC_RELAXED);
	return jobs;
}

/* Jobs on leases are counted by the engine: records of SUMS that are in use. */
static void add_sums(const struct supervisor *s, struct manager_state *state)
{
	const uint32_t count = s->config.shared->status->part[BROOD_STATUS_SUMS].count;
	int64_t waiting = 0;

	for (uint32_t n = 0; n < count; n++) {
		const struct brood_status_sums *sums = shared_record(
			s->config.shared, BROOD_STATUS_SUMS, n);

		if (__atomic_load_n(&sums->used, __ATOMIC_ACQUIRE) == 0)
			continue;
		state->jobs += jobs_of(sums);
		waiting += __atomic_load_n(&sums->waiting, __ATOMIC_RELAXED);
	}
	state->queued += waiting > 0 ? (uint64_t)waiting : 0;
}

/* Deaths that nobody planned: not of workers that retire, or end with the pool. */
static uint64_t deaths_of(const struct pool *pool)
{
	uint64_t deaths = 0;

	for (int cause = BROOD_STATUS_CRASHED; cause < BROOD_STATUS_CAUSES; cause++)
		if (cause != BROOD_STATUS_STOPPED)
			deaths += atomic_load_explicit(
				&pool->stats_page->deaths[cause], memory_order_relaxed);
	return deaths;
}

static enum manager_phase phase_of(struct supervisor *s)
{
	if (s->manager.stopping_said || s->halt.phase != HALT_NONE)
		return MANAGER_STOPPING;
	if (s->manager.leaving)
		return MANAGER_LEAVING;
	for_each_pool(pool, s) if (!pool->was_ready) return MANAGER_STARTING;
	return MANAGER_SERVING;
}

static void look_at(struct supervisor *s, struct manager_state *state)
{
	*state = (struct manager_state){ .phase = phase_of(s),
		.delay_ms = s->options->stop_delay_ms };
	if (feed_trouble(s))
		snprintf(state->trouble, sizeof state->trouble, "%s", feed_trouble(s));
	for_each_pool(pool, s)
	{
		const uint32_t *n = pool->slots.counts;

		state->ready += pool_ready(pool);
		state->workers += pool->size.target;
		state->busy += n[SLOT_BUSY];
		state->leased += n[SLOT_LEASED];
		state->idle += n[SLOT_IDLE];
		state->alive += pool_ready(pool) + n[SLOT_STARTING] + n[SLOT_ENDING];
		state->queued += pool->records.queued;
		state->deaths += deaths_of(pool);
		add_trouble(pool, state);
	}
	add_sums(s, state);
}

/* ---- saying it ---- */

static void send(struct supervisor *s, enum notice_kind kind, const char *before, const char *text,
	uint64_t extend_us)
{
	char more[64] = "", all[NOTICE_TEXT_MAX];

	if (extend_us > 0)
		snprintf(more, sizeof more, "\nEXTEND_TIMEOUT_USEC=%" PRIu64, extend_us);
	snprintf(all, sizeof all, "%sSTATUS=%s%s", before, text, more);
	notifier_send(s, kind, all);
}

void manager_text_tell(struct supervisor *s, enum notice_kind kind, const char *before)
{
	struct manager_state state;
	char text[MANAGER_STATUS_MAX];

	if (!notifier_is_heard(s) || s->manager.failed)
		return;
	look_at(s, &state);
	manager_status_text(&state, s->manager.status, text, sizeof text);
	manager_pace_take(&s->manager.pace, text, now_ns());
	manager_pace_steps(&s->manager.pace, &state);
	send(s, kind, before, text, 0);
}

void manager_text_tell_failure(
	struct supervisor *s, const char *before, int error, const char *reason)
{
	bool own = s->manager.errno_given && *s->manager.status;
	char text[NOTICE_TEXT_MAX], number[24] = "";

	if (!notifier_is_heard(s) || s->manager.failed)
		return;
	s->manager.failed = true;
	timer_stop(&s->loop, &s->manager.tick);
	if (!s->manager.errno_given)
		snprintf(number, sizeof number, "\nERRNO=%d", error);
	snprintf(text, sizeof text, "%sSTATUS=%s%s%s%s", before, own ? s->manager.status : "",
		own ? "; " : "", reason, number);
	notifier_send(s, NOTICE_PLAIN, text);
}

static uint32_t longest_init_ms(struct supervisor *s)
{
	uint32_t ms = 0;

	for_each_pool(pool, s) ms = MAX(ms, pool->options->init_ms);
	return ms;
}

/*
 * The timer does not set itself again unless there was news: the next look is due when something
 * has happened.
 */
void manager_text_tick(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, manager.tick);
	struct manager_state state;
	char text[MANAGER_STATUS_MAX];
	bool forward, news;

	look_at(s, &state);
	manager_status_text(&state, s->manager.status, text, sizeof text);
	forward = manager_pace_steps(&s->manager.pace, &state);
	news = manager_pace_take(&s->manager.pace, text, now);
	if (!forward && !news)
		return;
	send(s, NOTICE_STATUS, "", text,
		forward ? manager_pace_extend_us(state.phase, longest_init_ms(s)) : 0);
	manager_text_touch(s);
}
