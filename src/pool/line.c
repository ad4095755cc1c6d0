/* SPDX-License-Identifier: MIT */
/* line.c - see line.h. */
#include "line.h"

static bool is_gone(const struct line_place *place, uint64_t now)
{
	return place->told_ns > 0 && now > place->told_ns + LINE_WAIT_NS;
}

void line_init(struct line *line) { list_init(&line->list); }

void line_place_init(struct line_place *place)
{
	list_init(&place->link);
	place->told_ns = 0;
}

uint32_t line_before(
	const struct line *line, const struct line_place *place, uint32_t most, uint64_t now)
{
	uint32_t count = 0;

	for (struct list *l = line->list.next; l != &line->list && count < most; l = l->next) {
		const struct line_place *other = container_of(l, const struct line_place, link);

		if (other == place)
			break;
		count += !is_gone(other, now);
	}
	return count;
}

void line_join(struct line *line, struct line_place *place)
{
	place->told_ns = 0;
	if (list_empty(&place->link))
		list_append(&place->link, &line->list);
}

struct line_place *line_room(struct line *line, uint64_t now)
{
	list_for_each_safe(link, tmp, &line->list) {
		struct line_place *place = container_of(link, struct line_place, link);

		if (place->told_ns == 0) {
			place->told_ns = now;
			return place;
		}
		if (is_gone(place, now))
			list_remove(link);
	}
	return NULL;
}

bool line_leave(struct line_place *place)
{
	bool told = !list_empty(&place->link) && place->told_ns > 0;

	list_remove(&place->link);
	place->told_ns = 0;
	return told;
}
