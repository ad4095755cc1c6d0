/* SPDX-License-Identifier: MIT */
/* futex.h - sleeping on a word of memory that processes share. */
#ifndef BROOD_OS_FUTEX_H
#define BROOD_OS_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleeps while *word is `expected`, at most until `until` (CLOCK_MONOTONIC; TIME_NEVER: for ever).
 * Returns 0 when it was woken or *word is not `expected`; it may wake for nothing, so look at the
 * word. Else -ETIMEDOUT, or -EINTR when a signal handler has run.
 */
int futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until);
/*
 * Moves the first sleeper of `from` to `to`, if *from is `expected`. Returns how many it moved, 0
 * or 1; -EAGAIN when *from is not `expected`; else -errno.
 */
int futex_requeue(_Atomic uint32_t *from, uint32_t expected, _Atomic uint32_t *to);
/* Wakes up to `count` sleepers. Returns how many it woke, or -errno. */
int futex_wake(_Atomic uint32_t *word, int count);

#endif
