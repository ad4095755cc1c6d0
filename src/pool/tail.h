/* SPDX-License-Identifier: MIT */
/*
 * tail.h - the last bytes that a process wrote on stderr, and the last lines among these as text
 * for people. The bytes may be anything.
 */
#ifndef BROOD_POOL_TAIL_H
#define BROOD_POOL_TAIL_H

#include <stddef.h>
#include <stdint.h>

#define TAIL_BYTES 4096u

struct tail {
	uint64_t added; /* how many bytes there were ever */
	/* The last bytes: the one with number n, counted from 0, stands at n % TAIL_BYTES. */
	unsigned char bytes[TAIL_BYTES];
};

static inline void tail_clear(struct tail *t) { t->added = 0; }
void tail_add(struct tail *t, const void *bytes, size_t size);
/*
 * Writes the last lines, at most `lines` of them, with a newline between two, and a NUL. Bytes that
 * are neither text nor UTF-8 become \xNN. If there is no room for all, the beginning is left out; a
 * line whose beginning is left out begins with "...". size: at least 8. Returns the length.
 */
size_t tail_text(const struct tail *t, uint32_t lines, char *text, size_t size);

#endif
