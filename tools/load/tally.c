/* SPDX-License-Identifier: MIT */
/*
 * tally.c - the shared memory in which the run is written down. The judge makes it before the first
 * fork, so all processes find it at the same address.
 */
#include "load.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_S + (uint64_t)ts.tv_nsec;
}

/* These futexes are shared, because waiter and waker are different processes. */
void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout_ns / NS_S),
		.tv_nsec = (long)(timeout_ns % NS_S) };

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &ts, NULL, 0);
}

/* In an open loop each kind has two. */
static size_t histograms_of(const struct options *o)
{
	size_t kinds = 0;

	for (unsigned k = 0; k < KINDS; k++)
		kinds += o->mix[k] > 0;
	return o->pacing.plan.stages ? 2 * kinds : kinds;
}

_Static_assert(SERIES_OUTCOMES == BROOD_OUTCOMES, "series.h does not include brood.h");

static size_t room(size_t size) { return (size + 63) & ~(size_t)63; }

/*
 * The histograms and the series stand behind the tally. Histograms are large, so there are
 * only as many as the mix needs.
 */
static void place_histograms(struct tally *t, const struct options *o, char *at)
{
	size_t step = (histogram_size() + 63) & ~(size_t)63;

	t->engine.death_to_ready = histogram_init(at);
	at += step;
	t->engine.pool = series_pool_at(at);
	at += room(series_pool_size());
	for (unsigned s = 0; s < t->shards; s++) {
		struct shard *shard = &t->shard[s];

		shard->death_to_verdict = histogram_init(at);
		at += step;
		shard->series = series_at(at);
		at += room(series_size());
		for (unsigned k = 0; k < KINDS; k++) {
			if (o->mix[k] <= 0)
				continue;
			shard->latency[k] = histogram_init(at);
			at += step;
			if (!o->pacing.plan.stages)
				continue;
			shard->raw[k] = histogram_init(at);
			at += step;
		}
	}
}

struct tally *tally_create(const struct options *o)
{
	unsigned shards = o->threads < SHARDS_MAX ? o->threads : SHARDS_MAX;
	size_t step = (histogram_size() + 63) & ~(size_t)63;
	size_t size = sizeof(struct tally) + (1 + shards * (1 + histograms_of(o))) * step +
		room(series_pool_size()) + shards * room(series_size());
	struct tally *t = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	t->size = size;
	t->shards = shards;
	t->judge_pid = getpid();
	snprintf(t->marker, sizeof t->marker, "brood-load-%08x",
		(unsigned)payload_mix(load_now() ^ (uint64_t)getpid() << 32));
	place_histograms(t, o, (char *)(t + 1));
	return t;
}

typedef const struct histogram *of_shard_fn(const struct shard *shard, int kind);

static const struct histogram *latency_of(const struct shard *shard, int kind)
{
	return shard->latency[kind];
}

static const struct histogram *raw_of(const struct shard *shard, int kind)
{
	return shard->raw[kind];
}

static const struct histogram *death_of(const struct shard *shard, int kind)
{
	(void)kind;
	return shard->death_to_verdict;
}

static struct histogram *sum_of(const struct tally *t, of_shard_fn *of_shard, int kind)
{
	void *memory = aligned_alloc(64, (histogram_size() + 63) & ~(size_t)63);
	struct histogram *sum;

	if (!memory)
		return NULL;
	sum = histogram_init(memory);
	for (unsigned s = 0; s < t->shards; s++)
		if (of_shard(&t->shard[s], kind))
			histogram_merge(sum, of_shard(&t->shard[s], kind));
	return sum;
}

struct histogram *tally_latency(const struct tally *t, int kind)
{
	return sum_of(t, latency_of, kind);
}

void tally_latencies(const struct tally *t, struct histogram **latency, struct histogram **raw)
{
	for (int k = 0; k < KINDS; k++) {
		if (t->shard[0].latency[k])
			latency[k] = sum_of(t, latency_of, k);
		if (t->shard[0].raw[k])
			raw[k] = sum_of(t, raw_of, k);
	}
}

struct histogram *tally_death_to_verdict(const struct tally *t) { return sum_of(t, death_of, 0); }

void shard_note(struct shard *shard, enum invariant invariant, const char *format, ...)
{
	va_list args;

	if (shard->notes >= NOTES_MAX)
		return;
	va_start(args, format);
	vsnprintf(shard->note[shard->notes].text, NOTE_TEXT, format, args);
	va_end(args);
	shard->note[shard->notes++].invariant = invariant;
}
