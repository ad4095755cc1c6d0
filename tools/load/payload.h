/* SPDX-License-Identifier: MIT */
/*
 * payload.h - the bytes of requests, which are a function of a job's key; and the mixer of numbers
 * from which all random choices of a run are made.
 */
#ifndef BROOD_LOAD_PAYLOAD_H
#define BROOD_LOAD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last step of the generator splitmix64. */
static inline uint64_t payload_mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15ull;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}
void payload_fill(uint64_t key, uint64_t offset, void *data, size_t size);
bool payload_same(uint64_t key, uint64_t offset, const void *data, size_t size);
/* Adds data to the checksum `sum`, which begins as 0. */
uint64_t payload_checksum(uint64_t sum, const void *data, size_t size);

#endif
