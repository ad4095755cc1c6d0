/*
 * payload.c - the bytes of requests. A function of (key, offset), so that neither the giver nor the checker keeps a
 * copy: any piece of any job's payload can be made again. Each job has a key of its own, so a reply that belongs to
 * another job differs.
 */
#include "load.h"

#include <string.h>

#define STEP           0x9e3779b97f4a7c15ull
#define CHECKSUM_PRIME 0x100000001b3ull          /* FNV-1a */
#define CHECKSUM_BASE  0xcbf29ce484222325ull

uint64_t payload_mix(uint64_t value)
{
	value += STEP;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

void payload_fill(uint64_t key, uint64_t offset, void *data, size_t size)
{
	unsigned char *out = data;
	size_t skip = (size_t)(offset % 8), head = 8 - skip < size ? 8 - skip : size;

	if (skip) {
		uint64_t block = payload_mix(key + offset / 8 * STEP);

		memcpy(out, (const char *)&block + skip, head);
		out += head;
		offset += head;
		size -= head;
	}
	for (; size >= 8; offset += 8, size -= 8, out += 8) {
		uint64_t block = payload_mix(key + offset / 8 * STEP);

		memcpy(out, &block, 8);
	}
	if (size) {
		uint64_t block = payload_mix(key + offset / 8 * STEP);

		memcpy(out, &block, size);
	}
}

bool payload_same(uint64_t key, uint64_t offset, const void *data, size_t size)
{
	const unsigned char *in = data;
	unsigned char right[4096];

	while (size) {
		size_t part = size < sizeof right ? size : sizeof right;

		payload_fill(key, offset, right, part);
		if (memcmp(in, right, part))
			return false;
		in += part;
		offset += part;
		size -= part;
	}
	return true;
}

/* Over bytes in any portions: the worker sees them as they come. */
uint64_t payload_checksum(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *in = data;
	uint64_t state = sum ^ CHECKSUM_BASE;

	for (size_t i = 0; i < size; i++)
		state = (state ^ in[i]) * CHECKSUM_PRIME;
	return state ^ CHECKSUM_BASE;
}
