/* SPDX-License-Identifier: MIT */
/*
 * line.h - queues that want one more lease, while the supervisor already has as many requests
 * waiting as are allowed. They stand in a line, one for each pool, and who came first is told first
 * that there is room. Without the line a queue whose lease has just ended would be the first to
 * ask, each time, and the others would find room by chance.
 *
 * A queue that was told and does not ask within LINE_WAIT_NS counts as gone: its thread may be
 * anywhere.
 */
#ifndef BROOD_POOL_LINE_H
#define BROOD_POOL_LINE_H

#include "../base/base.h"

#define LINE_WAIT_NS (5 * NS_PER_MS)

struct line {
	struct list list;
};
struct line_place {
	struct list link;
	uint64_t told_ns; /* when the queue was told to ask; 0: not told, or it found no room */
};

void line_init(struct line *line);
void line_place_init(struct line_place *place);
/* How many queues stand in the line before this one. Does not count beyond `most`. */
uint32_t line_before(
	const struct line *line, const struct line_place *place, uint32_t most, uint64_t now);
/* The queue found no room: it joins the line, or keeps its place there and will be told again. */
void line_join(struct line *line, struct line_place *place);
/* There is room for one lease more. Returns the queue to tell of it; NULL: none waits. */
struct line_place *line_room(struct line *line, uint64_t now);
/* The queue leaves. True: it had been told. If it has not asked, the next one can have the room. */
bool line_leave(struct line_place *place);

#endif
