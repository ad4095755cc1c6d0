/* SPDX-License-Identifier: MIT */
/* tail_parts.h - parts of the root structs for what workers write on stderr: tails.c, relay.c. */
#ifndef BROOD_SUPERVISOR_TAIL_PARTS_H
#define BROOD_SUPERVISOR_TAIL_PARTS_H

#include "../loop/loop.h"
#include "../pool/tail.h"

/* One a slot, in a pool with stderr_lines. */
struct slot_tail {
	int fd; /* reads what the slot's worker writes; -1: there is no pipe */
	struct tail *tail;
};

/* What waits until stderr takes it: relay.c. error: why stderr took no more. */
struct relay {
	char *bytes;
	size_t from, size;
	uint64_t lost; /* bytes that had no room, and nobody was told yet */
	int error;
	struct source room; /* fd -1: the loop does not wait for room */
	struct timer again;
};

/* The pipes by which workers write on stderr: tails.c. bytes: read since began_ns. */
struct tails {
	int epoll_fd;           /* all pipes; -1: no pool has stderr_lines */
	struct source readable; /* in the loop from the start; events 0: the pipes rest */
	struct timer again;
	uint64_t began_ns, bytes;
	char *chunk;
	struct relay relay;
};

#endif
