/* SPDX-License-Identifier: MIT */
#include "notices.h"

static struct notice *at(struct notices *n, uint32_t place)
{
	return &n->ring[(n->first + place) % NOTICES_MAX];
}

static bool waits(struct notices *n, const char *text)
{
	for (uint32_t i = 0; i < n->count; i++)
		if (strcmp(at(n, i)->text, text) == 0)
			return true;
	return false;
}

/* Where a message of this kind goes. NULL: there is no room. */
static struct notice *place_for(struct notices *n, enum notice_kind kind)
{
	uint32_t room = kind == NOTICE_PLAIN ? NOTICES_MAX : NOTICES_FOR_OTHERS;
	struct notice *last = n->count > 0 ? at(n, n->count - 1) : NULL;

	if (last && kind == NOTICE_STATUS && last->kind == NOTICE_STATUS)
		return last;
	if (n->count >= room) {
		n->dropped++;
		return NULL;
	}
	/* An empty queue begins at its beginning again: so most of its memory is never touched. */
	if (n->count == 0)
		n->first = 0;
	return at(n, n->count++);
}

int notices_add(struct notices *n, enum notice_kind kind, const char *text, int fd)
{
	size_t size = strlen(text);
	struct notice *notice;

	if (size >= NOTICE_TEXT_MAX)
		return -EMSGSIZE;
	if (kind == NOTICE_ONCE && waits(n, text))
		return 0;
	notice = place_for(n, kind);
	if (!notice)
		return -ENOBUFS;
	notice->kind = kind;
	notice->fd = fd;
	notice->size = (uint32_t)size;
	memcpy(notice->text, text, size + 1);
	return 0;
}

struct notice *notices_first(struct notices *n) { return n->count > 0 ? at(n, 0) : NULL; }

int notices_take(struct notices *n)
{
	struct notice *notice = notices_first(n);

	if (!notice)
		return -1;
	n->first = (n->first + 1) % NOTICES_MAX;
	n->count--;
	return notice->fd;
}
