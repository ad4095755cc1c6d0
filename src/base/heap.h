/* SPDX-License-Identifier: MIT */
/*
 * heap.h - a binary heap of intrusive nodes, smallest key first. Nodes know their place, so that
 * one can be taken out or moved in O(log n). The array is sized once (heap_init) when the caller
 * wants insertion never to fail; heap_insert grows it otherwise.
 */
#ifndef BROOD_HEAP_H
#define BROOD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	size_t index;
}; /* index: the node's place + 1; 0: the node is in no heap */
struct heap {
	struct heap_node **nodes;
	size_t count, capacity;
};

/* Returns 0 or -ENOMEM. After it, `capacity` insertions cannot fail. */
int heap_init(struct heap *h, size_t capacity);
void heap_free(struct heap *h);
/* Inserts the node; a node in the heap moves to its new key. 0 or -ENOMEM. */
int heap_insert(struct heap *h, struct heap_node *n, uint64_t key);
void heap_remove(struct heap *h, struct heap_node *n); /* does nothing if the node is in no heap */
struct heap_node *heap_first(const struct heap *h);    /* returns NULL if the heap is empty */
static inline bool heap_contains(const struct heap_node *n) { return n->index != 0; }

#endif
