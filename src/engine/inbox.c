/* SPDX-License-Identifier: MIT */
/*
 * inbox.c - what the reader of the channel leaves for a queue. The reader holds brood.lock, and the
 * order of the locks forbids it to take a queue's lock. So the reader leaves a note, and the
 * queue's own threads look at the note (inbox_look.c).
 */
#include "inbox.h"

#include "../os/fds.h"

void inbox_poke(struct inbox *inbox)
{
	if (inbox->wake_fd >= 0)
		fds_poke(inbox->wake_fd);
}

void inbox_add(struct inbox *inbox, struct list *link, struct list *to)
{
	if (list_empty(link))
		list_append(link, to);
	atomic_store_explicit(&inbox->full, true, memory_order_release);
	inbox_poke(inbox);
}

void inbox_add_lease(struct lease_news *news)
{
	inbox_add(news->to, &news->link, &news->to->leases);
}

void inbox_room(struct line *line)
{
	struct line_place *place = list_empty(&line->list) ? NULL : line_room(line, now_ns());
	struct inbox *inbox;

	if (!place)
		return;
	inbox = container_of(place, struct inbox, place);
	inbox->may_ask = true;
	atomic_store_explicit(&inbox->full, true, memory_order_release);
	inbox_poke(inbox);
}

void inbox_leave_line(struct inbox *inbox, struct line *line, bool asked)
{
	bool told = line_leave(&inbox->place);

	inbox->may_ask = false;
	if (told && !asked)
		inbox_room(line);
}

void inbox_log_free(struct list *waits)
{
	list_for_each_safe(link, tmp, waits) {
		struct inbox *inbox = container_of(link, struct inbox, log);

		list_remove(link);
		inbox->log_free = true;
		atomic_store_explicit(&inbox->full, true, memory_order_release);
		inbox_poke(inbox);
	}
}

void inbox_lease_refused(struct lease_news *news, enum brood_detail detail)
{
	news->over = (struct message_lease_over){
		.id = news->id, .how = LEASE_REFUSED, .detail = detail
	};
	news->has_over = true;
	inbox_add_lease(news);
}
