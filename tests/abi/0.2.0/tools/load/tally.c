/*
 * tally.c - the shared memory in which the run is written down. Made by the judge before it forks anything, so all find
 * it at the same address.
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

/* Shared futexes: waiter and waker are different processes. */
void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout_ns / NS_S), .tv_nsec = (long)(timeout_ns % NS_S) };

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &ts, NULL, 0);
}

static size_t histograms_of(const struct options *o)
{
	size_t kinds = 0;

	for (unsigned k = 0; k < KINDS; k++)
		kinds += o->mix[k] > 0;
	return kinds;
}

/* The histograms stand behind the tally: only as many as the mix needs, for they are large. */
static void place_histograms(struct tally *t, const struct options *o, char *at)
{
	size_t step = (histogram_size() + 63) & ~(size_t)63;

	t->engine.death_to_ready = histogram_init(at);
	at += step;
	for (unsigned s = 0; s < t->shards; s++) {
		struct shard *shard = &t->shard[s];

		shard->death_to_verdict = histogram_init(at);
		at += step;
		for (unsigned k = 0; k < KINDS; k++) {
			if (o->mix[k] > 0) {
				shard->latency[k] = histogram_init(at);
				at += step;
			}
		}
	}
}

struct tally *tally_create(const struct options *o)
{
	unsigned shards = o->threads < SHARDS_MAX ? o->threads : SHARDS_MAX;
	size_t step = (histogram_size() + 63) & ~(size_t)63;
	size_t size = sizeof(struct tally) + (1 + shards * (1 + histograms_of(o))) * step;
	struct tally *t = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	t->size = size;
	t->shards = shards;
	t->judge_pid = getpid();
	snprintf(t->marker, sizeof t->marker, "brood-load-%08x", (unsigned)payload_mix(load_now() ^ (uint64_t)getpid() << 32));
	place_histograms(t, o, (char *)(t + 1));
	return t;
}

struct histogram *tally_histogram(struct tally *t, struct histogram *(*pick)(const struct shard *shard, int kind), int kind)
{
	void *memory = aligned_alloc(64, (histogram_size() + 63) & ~(size_t)63);
	struct histogram *sum;

	if (!memory)
		return NULL;
	sum = histogram_init(memory);
	for (unsigned s = 0; s < t->shards; s++) {
		const struct histogram *one = pick(&t->shard[s], kind);

		if (one)
			histogram_merge(sum, one);
	}
	return sum;
}

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
