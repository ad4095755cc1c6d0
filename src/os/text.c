/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "text.h"
#include "../base/base.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#ifdef DLFO_STRUCT_HAS_EH_DBASE
/* Weak, because the library may run with an older C library, which does not have this function. */
#pragma weak _dl_find_object
#endif

/*
 * An executable segment, and what identifies its object: once an object is gone, another one may be
 * loaded at the same address.
 */
struct segment {
	uintptr_t start, end;
	uintptr_t base;
	const void *headers;
	uint32_t name;
};

static struct {
	struct segment *segments;
	size_t count, capacity;
	unsigned long long unloads;
} noted;

static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (const unsigned char *c = (const unsigned char *)name; c && *c; c++)
		h = (h ^ *c) * 16777619u;
	return h;
}

static bool executable(const struct dl_phdr_info *info, int i, struct segment *ret)
{
	const ElfW(Phdr) *p = &info->dlpi_phdr[i];

	if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_memsz == 0)
		return false;
	ret->start = info->dlpi_addr + p->p_vaddr;
	ret->end = ret->start + p->p_memsz;
	ret->base = info->dlpi_addr;
	ret->headers = info->dlpi_phdr;
	ret->name = hash(info->dlpi_name);
	return true;
}

static int count_segments(struct dl_phdr_info *info, size_t size, void *context)
{
	struct segment s;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		*(size_t *)context += executable(info, i, &s);
	return 0;
}

static int note_segments(struct dl_phdr_info *info, size_t size, void *context)
{
	struct segment s;

	(void)size, (void)context;
	noted.unloads = info->dlpi_subs;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		size_t at = noted.count;

		if (!executable(info, i, &s) || noted.count == noted.capacity)
			continue;
		for (; at > 0 && noted.segments[at - 1].start > s.start; at--)
			noted.segments[at] = noted.segments[at - 1];
		noted.segments[at] = s;
		noted.count++;
	}
	return 0;
}

int text_snapshot(void)
{
	struct segment *segments;
	size_t count = 0;

	dl_iterate_phdr(count_segments, &count);
	segments = calloc(MAX(count, 1u), sizeof *segments);
	if (!segments)
		return -ENOMEM;
	free(noted.segments);
	noted.segments = segments;
	noted.capacity = count;
	noted.count = 0;
	dl_iterate_phdr(note_segments, NULL);
	return 0;
}

static const struct segment *find(uintptr_t address)
{
	size_t low = 0, high = noted.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct segment *s = &noted.segments[middle];

		if (address < s->start)
			high = middle;
		else if (address >= s->end)
			low = middle + 1;
		else
			return s;
	}
	return NULL;
}

struct lookup {
	const struct segment *segment;
	bool found;
};

/*
 * Stops at the first object if no object was unloaded since the snapshot. Otherwise looks for the
 * same object at the same place.
 */
static int still_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
	struct lookup *l = context;
	const struct segment *want = l->segment;
	struct segment s;

	(void)size;
	if (info->dlpi_subs == noted.unloads)
		return l->found = true;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (executable(info, i, &s) && s.start == want->start && s.end == want->end &&
			s.base == want->base && s.headers == want->headers && s.name == want->name)
			return l->found = true;
	return 0;
}

/*
 * Since glibc 2.35, _dl_find_object() tells without a lock to which object an address belongs.
 * (With a lock, threads would wait for each other at each job.) Returns 1: the same object; 0:
 * another one; -1: unknown.
 */
static int same_object(const void *fn, const struct segment *s)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
	struct dl_find_object found;

	if (!_dl_find_object)
		return -1;
	if (_dl_find_object((void *)(uintptr_t)fn, &found) != 0 || !found.dlfo_link_map)
		return 0;
	return found.dlfo_link_map->l_addr == s->base &&
		(uintptr_t)found.dlfo_map_start <= s->start &&
		(uintptr_t)found.dlfo_map_end >= s->end &&
		hash(found.dlfo_link_map->l_name) == s->name;
#else
	(void)fn;
	(void)s;
	return -1;
#endif
}

bool text_callable(const void *fn)
{
	struct lookup l = { .segment = find((uintptr_t)fn) };
	int same;

	if (!l.segment)
		return false;
	same = same_object(fn, l.segment);
	if (same >= 0)
		return same;
	dl_iterate_phdr(still_loaded, &l);
	return l.found;
}

/* The loader's name for the program itself is "". */
bool text_in_program(const void *fn)
{
	const struct segment *s = find((uintptr_t)fn);

	return s && s->name == hash("");
}
