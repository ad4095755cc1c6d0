/* SPDX-License-Identifier: MIT */
/*
 * heap.c - see heap.h. Place p has its children at 2p+1 and 2p+2. Every store of a node into a
 * place goes through heap_put(), so that a node always knows where it is.
 */
#include "heap.h"

#include <errno.h>
#include <stdlib.h>

#define HEAP_FIRST_CAPACITY 16

static void heap_put(struct heap *h, size_t place, struct heap_node *n)
{
	h->nodes[place] = n;
	n->index = place + 1;
}

static void heap_up(struct heap *h, size_t place, struct heap_node *n)
{
	while (place > 0) {
		size_t parent = (place - 1) / 2;

		if (h->nodes[parent]->key <= n->key)
			break;
		heap_put(h, place, h->nodes[parent]);
		place = parent;
	}
	heap_put(h, place, n);
}

static void heap_down(struct heap *h, size_t place, struct heap_node *n)
{
	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (n->key <= h->nodes[child]->key)
			break;
		heap_put(h, place, h->nodes[child]);
		place = child;
	}
	heap_put(h, place, n);
}

/* Puts n at `place`, which is free, and moves it up or down to where its key belongs. */
static void heap_settle(struct heap *h, size_t place, struct heap_node *n)
{
	if (place > 0 && n->key < h->nodes[(place - 1) / 2]->key)
		heap_up(h, place, n);
	else
		heap_down(h, place, n);
}

/*
 * Returns the place of the node. Aborts if another node is there: then n was copied or is in
 * another heap, by a bug of the library, and the array would be overrun.
 */
static size_t heap_place(const struct heap *h, const struct heap_node *n)
{
	if (n->index > h->count || h->nodes[n->index - 1] != n)
		abort();
	return n->index - 1;
}

static int heap_reserve(struct heap *h, size_t capacity)
{
	struct heap_node **nodes;

	if (capacity <= h->capacity)
		return 0;
	if (capacity > SIZE_MAX / sizeof(*nodes))
		return -ENOMEM;
	nodes = realloc(h->nodes, capacity * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	h->nodes = nodes;
	h->capacity = capacity;
	return 0;
}

int heap_init(struct heap *h, size_t capacity)
{
	*h = (struct heap){ 0 };
	return heap_reserve(h, capacity);
}

void heap_free(struct heap *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++)
		h->nodes[i]->index = 0;
	free(h->nodes);
	*h = (struct heap){ 0 };
}

int heap_insert(struct heap *h, struct heap_node *n, uint64_t key)
{
	if (heap_contains(n)) {
		size_t place = heap_place(h, n);

		n->key = key;
		heap_settle(h, place, n);
		return 0;
	}
	if (h->count == h->capacity) {
		int r = heap_reserve(h,
			h->capacity < HEAP_FIRST_CAPACITY ? HEAP_FIRST_CAPACITY : h->capacity * 2);

		if (r < 0)
			return r;
	}
	n->key = key;
	heap_up(h, h->count++, n);
	return 0;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *last;
	size_t place;

	if (!heap_contains(n))
		return;
	place = heap_place(h, n);
	last = h->nodes[--h->count];
	n->index = 0;
	if (last != n)
		heap_settle(h, place, last);
}

struct heap_node *heap_first(const struct heap *h) { return h->count ? h->nodes[0] : NULL; }
