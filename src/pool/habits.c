/* SPDX-License-Identifier: MIT */
/* habits.c - see habits.h. */
#include "habits.h"

/* Functions begin at multiples of 16. The product spreads the other bits over the highest six. */
static struct habit *place(struct habits *h, uintptr_t fn)
{
	return &h->of[(uint64_t)(fn >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 58];
}
_Static_assert(HABITS == 64, "place() takes six bits");

bool habits_watch(struct habits *h, uintptr_t fn)
{
	struct habit *of = place(h, fn);

	if (of->fn != fn || of->skip == 0)
		return true;
	of->skip--;
	return false;
}

void habits_note(struct habits *h, uintptr_t fn, bool looked)
{
	struct habit *of = place(h, fn);

	if (fn == 0 || (!looked && of->fn != fn))
		return;
	if (!looked || of->fn != fn)
		*of = (struct habit){ .fn = looked ? fn : 0, .next_skip = HABITS_SKIP };
	if (looked && of->in_a_row < HABITS_IN_A_ROW)
		of->in_a_row++;
	if (of->in_a_row < HABITS_IN_A_ROW)
		return;
	of->skip = of->next_skip;
	of->next_skip = (uint8_t)MIN(of->next_skip * 2u + 1, HABITS_SKIP_MOST);
}
