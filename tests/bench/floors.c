/* SPDX-License-Identifier: MIT */
/*
 * floors.c - ping-pong between two processes: over a shared word and a futex, over two eventfds, or
 * over two pipes. This is the price of a wake-up there and back.
 */
#include "bench.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
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

const struct kind floor_eventfd = { eventfd_open, ways_block, NULL };
const struct kind floor_pipe = { pipe_open, ways_block, NULL };
