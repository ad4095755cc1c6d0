/* SPDX-License-Identifier: MIT */
/*
 * hostile_loot.h - what a hostile worker finds in itself: memory that it shares with others, and
 * its open files by kind. The memory of the test itself is left out.
 */
#ifndef BROOD_TESTS_HOSTILE_LOOT_H
#define BROOD_TESTS_HOSTILE_LOOT_H

#include "../../src/wire/ring.h"

#include <stdbool.h>
#include <stddef.h>

struct area {
	unsigned char *at;
	size_t size;
	bool writable, down, up;
	bool own; /* the worker's own slot page, to read: the worker may write it anyway */
};
struct loot {
	struct area areas[64];
	size_t areas_count;
	int memfds[64], sockets[64], events[64], others[64];
	size_t memfds_count, sockets_count, events_count, others_count;
	struct ring_up *up;
	struct slot_page *page;
};
extern struct loot loot;

void loot_find(void); /* begins the search again */

#endif
