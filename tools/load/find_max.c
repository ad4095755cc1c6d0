/* SPDX-License-Identifier: MIT */
/* find_max.c - see find_max.h. */
#include "find_max.h"

#include <math.h>

static double find_max_bound(double rate)
{
	return fmin(fmax(rate, FIND_MAX_LOWEST), FIND_MAX_HIGHEST);
}

void find_max_begin(struct find_max *f, double first)
{
	*f = (struct find_max){ .rate = find_max_bound(first), .high = INFINITY };
}

static void find_max_confirm(struct find_max *f, double rate)
{
	f->phase = f->confirms++ < FIND_MAX_CONFIRMS && rate >= FIND_MAX_LOWEST ? FIND_MAX_CONFIRM
										: FIND_MAX_NONE;
	f->rate = rate;
}

static void find_max_choose(struct find_max *f)
{
	if (f->high <= FIND_MAX_LOWEST)
		f->phase = FIND_MAX_NONE;
	else if (f->low <= 0)
		f->rate = find_max_bound(f->high / 2);
	else if (f->low >= FIND_MAX_HIGHEST || f->high <= f->low * (1 + FIND_MAX_GAP))
		find_max_confirm(f, f->low);
	else if (isinf(f->high))
		f->rate = find_max_bound(f->low * 2);
	else
		f->rate = (f->low + f->high) / 2;
}

void find_max_tell(struct find_max *f, bool held)
{
	if (!held && !f->again) {
		f->again = true;
		return;
	}
	f->again = false;
	if (f->phase == FIND_MAX_CONFIRM) {
		if (held)
			f->phase = FIND_MAX_FOUND;
		else
			find_max_confirm(f, f->rate * (1 - f->confirms * FIND_MAX_STEP));
		return;
	}
	if (held)
		f->low = f->rate;
	else
		f->high = f->rate;
	find_max_choose(f);
}
