/* SPDX-License-Identifier: MIT */
/* bar.h - a pool's workers as a row of letters, each for a share of them. */
#ifndef STATUS_BAR_H
#define STATUS_BAR_H

#include "../../src/wire/status_view.h"

/* L on lease, B busy by handoff, i idle, s starting, U undead, "." missing */
#define BAR_LETTERS "LBisU."
/* Writes `columns` letters and a NUL. */
void bar_write(const struct brood_status_counts *counts, char *ret, unsigned columns);
/* Busy by handoff. The counts are read one after the other, so one may be a moment older. */
uint32_t bar_busy(const struct brood_status_counts *counts);

#endif
