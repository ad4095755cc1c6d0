/* SPDX-License-Identifier: MIT */
/*
 * answer.h - the engine's answer to the supervisor's watchdog (wire/answers.h). Each public call
 * makes it, and each round of a thread that waits in the library. If nobody asks, the answer costs
 * a load of a word that no thread writes.
 */
#ifndef BROOD_ENGINE_ANSWER_H
#define BROOD_ENGINE_ANSWER_H

#include <stdatomic.h>
#include <stdint.h>

/* Leads to struct answers' `asked`, or to a word that is always 0. Set once, in the engine. */
extern _Atomic uint32_t *answer_at;

#define ANSWER_IF_ASKED()                                                                       \
	((void)(__builtin_expect(atomic_load_explicit(answer_at, memory_order_relaxed) != 0, 0) \
			? (atomic_store_explicit(answer_at, 0, memory_order_relaxed), 0)        \
			: 0))

/* Counts a message that was read. Under brood.lock, so one thread writes at a time. */
static inline void answer_count(_Atomic uint64_t *count)
{
	atomic_store_explicit(
		count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

#endif
