/* SPDX-License-Identifier: MIT */
/* bar.c - see bar.h */
#include "bar.h"

#include <string.h>

uint32_t bar_busy(const struct brood_status_counts *counts)
{
	return counts->busy > counts->leased ? counts->busy - counts->leased : 0;
}

/* One worker of a kind has one letter at least, if there is room. */
void bar_write(const struct brood_status_counts *counts, char *ret, unsigned columns)
{
	const uint32_t parts[] = { counts->leased, bar_busy(counts), counts->idle, counts->starting,
		counts->undead };
	const unsigned kinds = sizeof parts / sizeof parts[0];
	uint64_t sum = 0, all, before = 0;
	unsigned used = 0;

	for (unsigned i = 0; i < kinds; i++)
		sum += parts[i];
	all = sum > counts->workers ? sum : counts->workers;
	memset(ret, BAR_LETTERS[kinds], columns);
	ret[columns] = '\0';
	for (unsigned i = 0; all > 0 && i < kinds; i++) {
		unsigned until;

		before += parts[i];
		until = (unsigned)((before * columns + all / 2) / all);
		until = parts[i] > 0 && until <= used ? used + 1 : until;
		for (; used < until && used < columns; used++)
			ret[used] = BAR_LETTERS[i];
	}
}
