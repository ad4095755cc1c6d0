/* SPDX-License-Identifier: MIT */
/* futex.h - sleeping on a word of memory that processes share. */
#ifndef BROOD_OS_FUTEX_H
#define BROOD_OS_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleeps while *word is `expected`, until `until` (CLOCK_MONOTONIC; TIME_NEVER: for ever). 0:
 * woken, or it was something else; look at the word: it may be for nothing. -ETIMEDOUT; -EINTR: a
 * signal's handler has run.
 */
int futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until);
/*
 * Who sleeps at `from` (the first of them) sleeps at `to` from now on, if *from is `expected`. How
 * many: 0 or 1; -EAGAIN: it is not; -errno.
 */
int futex_requeue(_Atomic uint32_t *from, uint32_t expected, _Atomic uint32_t *to);
/* Wakes up to `count` who sleep there. How many there were, or -errno. */
int futex_wake(_Atomic uint32_t *word, int count);

#endif
