/* SPDX-License-Identifier: MIT */
/* pidset.c - see pidset.h. */
#include "pidset.h"

#define PID_LIMIT (sizeof(long) > 4 ? 4194304u : 32768u) /* the kernel's own limit on pids */

static uint64_t bits[PID_LIMIT / 64];

static uint64_t bit(pid_t pid) { return UINT64_C(1) << (unsigned)pid % 64; }

/* The modulo keeps a number that no kernel gives as a pid within the array. */
static uint64_t *word(pid_t pid) { return &bits[(unsigned)pid % PID_LIMIT / 64]; }

void pidset_add(pid_t pid) { *word(pid) |= bit(pid); }

void pidset_remove(pid_t pid) { *word(pid) &= ~bit(pid); }

bool pidset_has(pid_t pid) { return *word(pid) & bit(pid); }
