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

/* Cheap, for it is made twice for each 8 bytes of a job: what differs between jobs is the key, which drive_make() mixes well. */
static inline uint64_t block_at(uint64_t key, uint64_t offset)
{
	return key + offset / 8 * STEP;
}

void payload_fill(uint64_t key, uint64_t offset, void *data, size_t size)
{
	unsigned char *out = data;
	size_t skip = (size_t)(offset % 8), head = 8 - skip < size ? 8 - skip : size;
	uint64_t block = block_at(key, offset);

	if (skip) {
		memcpy(out, (const char *)&block + skip, head);
		out += head;
		size -= head;
		block += STEP;
	}
	for (; size >= 8; size -= 8, out += 8, block += STEP)
		memcpy(out, &block, 8);
	if (size)
		memcpy(out, &block, size);
}

/* Every bit is compared; not byte by byte. */
bool payload_same(uint64_t key, uint64_t offset, const void *data, size_t size)
{
	const unsigned char *in = data;
	size_t skip = (size_t)(offset % 8), head = 8 - skip < size ? 8 - skip : size;
	uint64_t block = block_at(key, offset), other, differ = 0;

	if (skip) {
		differ |= (uint64_t)(memcmp(in, (const char *)&block + skip, head) != 0);
		in += head;
		size -= head;
		block += STEP;
	}
	for (; size >= 8; size -= 8, in += 8, block += STEP) {
		memcpy(&other, in, 8);
		differ |= other ^ block;
	}
	return !differ && (!size || !memcmp(in, &block, size));
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
