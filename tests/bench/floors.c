/* SPDX-License-Identifier: MIT */
/*
 * floors.c - ping-pong between two processes: over a shared word and a futex, over two eventfds, or
 * over two pipes. This is the price of a wake-up there and back. And a bare ring, over which two
 * processes that spin hand jobs to and fro: the price of the cache lines.
 */
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- futex ---- */

struct words {
	_Alignas(64) _Atomic uint32_t ping;
	_Alignas(64) _Atomic uint32_t pong;
};
static struct words *words;

static void word_set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void word_await(_Atomic uint32_t *word, uint32_t old)
{
	while (atomic_load(word) == old)
		syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static void futex_partner(void *context)
{
	(void)context;
	for (uint32_t n = 0;; n++) {
		word_await(&words->ping, n);
		word_set(&words->pong, n + 1);
	}
}

static void futex_open(const struct params *p)
{
	(void)p;
	words = mmap(
		NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	station_need(words != MAP_FAILED, "mmap");
	station_partner(futex_partner, NULL);
}

static void futex_block(const struct params *p, uint32_t jobs, double *values)
{
	uint32_t n = atomic_load(&words->ping);
	uint64_t began = now_ns();

	(void)p;
	for (uint32_t i = 0; i < jobs; i++, n++) {
		word_set(&words->ping, n + 1);
		word_await(&words->pong, n);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

const struct kind floor_futex = { futex_open, futex_block, NULL };

/* ---- eventfd, pipe: the same with other fds and sizes ---- */

struct ways {
	int there[2], back[2];
	size_t size;
}; /* a process reads from [0] and writes to [1] */
static struct ways ways;

static void answer_all(void *context)
{
	unsigned char message[MESSAGE_SIZE];

	(void)context;
	while (read(ways.there[0], message, ways.size) == (ssize_t)ways.size &&
		write(ways.back[1], message, ways.size) == (ssize_t)ways.size)
		;
}

static void ways_block(const struct params *p, uint32_t jobs, double *values)
{
	unsigned char sent[MESSAGE_SIZE] = { 0 }, got[MESSAGE_SIZE] = { 0 };
	uint64_t began = now_ns();

	(void)p;
	for (uint32_t i = 0; i < jobs; i++) {
		message_fill(sent, i + 1);
		if (write(ways.there[1], sent, ways.size) != (ssize_t)ways.size ||
			read(ways.back[0], got, ways.size) != (ssize_t)ways.size)
			station_fail("ping-pong: the partner is gone");
		if (ways.size == MESSAGE_SIZE)
			message_check(got, sent);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

static void eventfd_open(const struct params *p)
{
	(void)p;
	ways.size = sizeof(uint64_t);
	ways.there[0] = ways.there[1] = eventfd(0, EFD_CLOEXEC);
	ways.back[0] = ways.back[1] = eventfd(0, EFD_CLOEXEC);
	station_need(ways.there[0] >= 0 && ways.back[0] >= 0, "eventfd");
	station_partner(answer_all, NULL);
}

static void pipe_open(const struct params *p)
{
	(void)p;
	ways.size = MESSAGE_SIZE;
	station_need(!pipe(ways.there) && !pipe(ways.back), "pipe");
	station_partner(answer_all, NULL);
}

/* ---- ring: as many jobs out as the row has, and as many bytes there and back ---- */

#define RING_LOOKS 1000u

struct place {
	_Alignas(64) _Atomic uint64_t number;
	_Alignas(64) unsigned char bytes[];
};
static struct {
	_Atomic uint32_t *open; /* a block is measured now: the partner may spin */
	unsigned char *there, *back, *sent;
	uint32_t out;
	size_t bytes, stride;
	unsigned looks; /* after so many in vain this process yields */
	uint64_t number;
} ring;

static struct place *place_at(unsigned char *way, uint64_t number)
{
	return (struct place *)(way + number % ring.out * ring.stride);
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static void await_number(const struct place *place, uint64_t number, bool partner)
{
	unsigned looks = 0;

	while (atomic_load_explicit(&place->number, memory_order_acquire) != number) {
		if (++looks % ring.looks)
			relax();
		else if (partner && !atomic_load(ring.open))
			syscall(SYS_futex, ring.open, FUTEX_WAIT, 0, NULL, NULL, 0);
		else
			sched_yield();
	}
}

static void put_number(struct place *place, uint64_t number, const unsigned char *bytes)
{
	memcpy(place->bytes, bytes, ring.bytes);
	atomic_store_explicit(&place->number, number, memory_order_release);
}

static void ring_partner(void *context)
{
	(void)context;
	for (uint64_t n = 1;; n++) {
		await_number(place_at(ring.there, n), n, true);
		put_number(place_at(ring.back, n), n, place_at(ring.there, n)->bytes);
	}
}

/* On one CPU the other process cannot run before this one yields. */
static bool one_cpu(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) == 1;
}

static void ring_open(const struct params *p)
{
	unsigned char *memory;

	ring.out = p->out ? p->out : 1;
	ring.bytes = p->bytes > sizeof ring.number ? p->bytes : sizeof ring.number;
	ring.stride = sizeof(struct place) + (ring.bytes + 63) / 64 * 64;
	ring.looks = one_cpu() ? 1 : RING_LOOKS;
	ring.sent = calloc(1, ring.bytes);
	memory = mmap(NULL, 64 + 2 * ring.out * ring.stride, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	station_need(ring.sent && memory != MAP_FAILED, "memory");
	ring.open = (_Atomic uint32_t *)memory;
	ring.there = memory + 64;
	ring.back = ring.there + ring.out * ring.stride;
	station_partner(ring_partner, NULL);
}

static void ring_block(const struct params *p, uint32_t jobs, double *values)
{
	const uint64_t last = ring.number + jobs;
	uint64_t done = ring.number, began = now_ns();

	(void)p;
	word_set(ring.open, 1);
	while (done < last) {
		while (ring.number < last && ring.number - done < ring.out) {
			memcpy(ring.sent, &ring.number, sizeof ring.number);
			ring.number++;
			put_number(place_at(ring.there, ring.number), ring.number, ring.sent);
		}
		await_number(place_at(ring.back, done + 1), done + 1, false);
		if (memcmp(place_at(ring.back, done + 1)->bytes, &done, sizeof done))
			station_fail("ring: a wrong answer");
		done++;
	}
	values[0] = us_each(now_ns() - began, jobs);
	atomic_store(ring.open, 0);
}

const struct kind floor_ring = { ring_open, ring_block, NULL };
const struct kind floor_eventfd = { eventfd_open, ways_block, NULL };
const struct kind floor_pipe = { pipe_open, ways_block, NULL };
