/* SPDX-License-Identifier: MIT */
/*
 * answers.h - how the engine answers the supervisor's watchdog without a thread, a message or a
 * clock. The supervisor stores 1 in `asked` near its deadline, and looks later whether the word is
 * 0. Each public call in the engine loads the word, and stores 0 where it finds 1. So the line is
 * shared by all threads that only read it, and is written twice for each question.
 *
 * The other words say which of the supervisor's messages the engine has read. They are written
 * under brood.lock, for messages only, never for a job in a ring. Which jobs of a ring wait to be
 * collected stands in the lease page (`unread`).
 */
#ifndef BROOD_WIRE_ANSWERS_H
#define BROOD_WIRE_ANSWERS_H

#include <stdatomic.h>
#include <stdint.h>

struct answers {
	_Alignas(64) _Atomic uint32_t asked;
	/*
	 * How many VERDICT and how many GRANTED were read; and how many jobs by handoff are out
	 * whose handle was released: nobody waits for their verdicts.
	 */
	_Alignas(64) _Atomic uint64_t verdicts;
	_Atomic uint64_t grants, released;
};

#endif
