/* SPDX-License-Identifier: MIT */
/*
 * snapshot.c - brood_workers() and brood_histogram(): what the status page says, for the program
 * itself. It is read as a program outside reads it (wire/status_view.h), without a lock: the
 * supervisor and the workers write there meanwhile.
 */
#include "engine_root.h"

#include "../wire/status_view.h"

static int view_of(const struct brood_pool *pool, struct status_view *ret)
{
	const struct shared *s = &pool->brood->shared;

	return status_view_open(ret, s->status, s->status_size);
}

/* ---- workers ---- */

static uint32_t state_of(const struct status_worker *w)
{
	switch ((enum brood_status_slot_state)w->state) {
	case BROOD_STATUS_BORN: return BROOD_WORKER_STARTING;
	case BROOD_STATUS_IDLE: return BROOD_WORKER_IDLE;
	case BROOD_STATUS_BUSY: return BROOD_WORKER_BUSY;
	case BROOD_STATUS_LEASED: return w->runs ? BROOD_WORKER_BUSY : BROOD_WORKER_LEASED;
	case BROOD_STATUS_UNDEAD: return BROOD_WORKER_UNDEAD;
	default: return BROOD_WORKER_ENDING;
	}
}

_Static_assert((int)BROOD_WORKER_DUE == BROOD_STATUS_DUE &&
		(int)BROOD_WORKER_PINNED == BROOD_STATUS_PINNED &&
		(int)BROOD_WORKER_KILLED == BROOD_STATUS_KILLED,
	"flags are passed on");

static uint64_t us_since(uint64_t then, uint64_t now)
{
	return then > 0 && then < now ? (now - then) / NS_PER_US : 0;
}

static struct brood_worker_info info_of(const struct status_worker *w, uint64_t now)
{
	struct brood_worker_info info = { .size = sizeof info,
		.slot = w->slot,
		.generation = w->generation,
		.state = state_of(w),
		.pid = w->pid,
		.flags = (w->flags & 7) | (w->in_flux ? BROOD_WORKER_IN_FLUX : 0),
		.since_us = us_since(w->since_ns, now),
		.age_us = us_since(w->born_ns, now),
		.jobs = w->jobs };

	if (!w->runs)
		return info;
	info.path = w->leased ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF;
	info.job = w->job;
	info.since_us = us_since(w->job_since_ns, now);
	memcpy(info.name, w->name, sizeof info.name);
	memcpy(info.tag, w->tag, sizeof info.tag);
	return info;
}

int engine_workers(
	struct brood_pool *pool, struct brood_worker_info *ret, size_t info_size, size_t room)
{
	const struct pool_setup *setup = pool->setup;
	VISIT(pool->brood);
	uint64_t now = now_ns();
	struct status_view view;
	size_t count = 0;

	if ((room > 0 && !ret) || info_size < offsetof(struct brood_worker_info, reserved))
		return fail_with(-EINVAL,
			"brood_workers: ret_infos is NULL, or info_size is not "
			"sizeof(struct brood_worker_info)");
	if (pool->brood->run_here || view_of(pool, &view) < 0)
		return 0;
	for (uint32_t i = 0; i < setup->places; i++) {
		struct status_worker w;
		struct brood_worker_info info;

		status_view_worker(&view, setup->first_slot + i, &w);
		if (w.pid == 0)
			continue;
		if (count++ >= room)
			continue;
		info = info_of(&w, now);
		info.size = MIN(info_size, sizeof info);
		memset((char *)ret + (count - 1) * info_size, 0, info_size);
		memcpy((char *)ret + (count - 1) * info_size, &info, info.size);
	}
	return (int)count;
}

/* ---- times ---- */

_Static_assert(BROOD_BUCKETS == BROOD_STATUS_BUCKETS, "buckets are passed on");

static const size_t places[] = {
	[BROOD_TIME_QUEUE] = offsetof(struct brood_status_sums, queue),
	[BROOD_TIME_RUN] = offsetof(struct brood_status_sums, run),
	[BROOD_TIME_DEATH_TO_VERDICT] = offsetof(struct brood_status_sums, death_to_verdict),
	[BROOD_TIME_DEATH_TO_READY] = offsetof(struct brood_status_sums, death_to_ready),
};

static uint64_t quantile(const struct brood_status_histogram *h, double q)
{
	return status_view_quantile(h->buckets, h->max_ns, q);
}

int engine_histogram(struct brood_pool *pool, enum brood_time which, struct brood_histogram *ret)
{
	struct brood_status_histogram h = { 0 };
	VISIT(pool->brood);
	struct status_view view;

	if ((size_t)which >= ARRAY_SIZE(places) || !ret || ret->size < sizeof *ret)
		return fail_with(-EINVAL,
			"brood_histogram: ret_histogram is NULL, its size is not set, or `which` "
			"is no enum brood_time");
	if (view_of(pool, &view) == 0)
		status_view_times(&view, pool->setup->number, places[which], &h);
	*ret = (struct brood_histogram){ .size = sizeof *ret,
		.count = status_view_count(h.buckets),
		.sum_ns = h.sum_ns,
		.max_ns = h.max_ns,
		.p50_ns = quantile(&h, 0.5),
		.p90_ns = quantile(&h, 0.9),
		.p99_ns = quantile(&h, 0.99),
		.p999_ns = quantile(&h, 0.999) };
	memcpy(ret->buckets, h.buckets, sizeof ret->buckets);
	return 0;
}
