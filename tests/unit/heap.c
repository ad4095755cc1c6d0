/* SPDX-License-Identifier: MIT */
/* heap.c - the heap, compared with a plain array that is searched from end to end. */
#include "base/heap.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

#define NODES 200
#define STEPS 4000

TestSuite(unit_heap, .timeout = 60);

static void check_shape(const struct heap *h)
{
	for (size_t i = 0; i < h->count; i++) {
		cr_assert_eq(h->nodes[i]->index, i + 1, "a node knows its place");
		if (i > 0)
			cr_assert_leq(h->nodes[(i - 1) / 2]->key, h->nodes[i]->key);
	}
}

static void check_against(
	const struct heap *h, const struct heap_node *nodes, const bool *in, const uint64_t *keys)
{
	size_t count = 0;
	uint64_t smallest = UINT64_MAX;

	for (size_t i = 0; i < NODES; i++) {
		cr_assert_eq(heap_contains(&nodes[i]), in[i]);
		if (!in[i])
			continue;
		cr_assert_eq(nodes[i].key, keys[i]);
		count++;
		smallest = keys[i] < smallest ? keys[i] : smallest;
	}
	cr_assert_eq(h->count, count);
	if (count == 0)
		cr_assert_null(heap_first(h));
	else
		cr_assert_eq(heap_first(h)->key, smallest);
}

static uint64_t some_key(struct unit_random *r)
{
	static const uint64_t edges[] = { 0, 1, UINT64_MAX - 1, UINT64_MAX };

	/* many equal ones */
	return unit_below(r, 8) == 0 ? edges[unit_below(r, 4)] : unit_below(r, 500);
}

static void run_model(uint64_t seed, size_t capacity)
{
	struct unit_random r = { seed };
	struct heap_node nodes[NODES] = { 0 };
	uint64_t keys[NODES] = { 0 };
	bool in[NODES] = { 0 };
	struct heap h;

	cr_assert_eq(heap_init(&h, capacity), 0);
	for (int step = 0; step < STEPS; step++) {
		size_t i = unit_below(&r, NODES);

		if (unit_below(&r, 5) < 3) {
			keys[i] = some_key(&r);
			in[i] = true;
			cr_assert_eq(heap_insert(&h, &nodes[i], keys[i]), 0);
		} else if (unit_below(&r, 3) == 0 && heap_first(&h)) {
			struct heap_node *first = heap_first(&h);

			in[first - nodes] = false;
			heap_remove(&h, first);
		} else {
			in[i] = false;
			heap_remove(&h, &nodes[i]);
		}
		if (step % 16 == 0) {
			check_shape(&h);
			check_against(&h, nodes, in, keys);
		}
	}
	heap_free(&h);
	for (size_t i = 0; i < NODES; i++)
		cr_assert_not(heap_contains(&nodes[i]), "a freed heap holds nobody");
}

Test(unit_heap, model)
{
	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++)
		run_model(seed * 0x9e3779b97f4a7c15ull, seed % 2 ? 0 : NODES);
}

Test(unit_heap, comes_out_sorted)
{
	struct unit_random r = { 99 };
	struct heap_node nodes[NODES] = { 0 };
	uint64_t last = 0;
	struct heap h;

	cr_assert_eq(heap_init(&h, NODES), 0);
	for (size_t i = 0; i < NODES; i++)
		cr_assert_eq(heap_insert(&h, &nodes[i], unit_random(&r)), 0);
	for (size_t i = 0; i < NODES; i++) {
		struct heap_node *n = heap_first(&h);

		cr_assert_geq(n->key, last);
		last = n->key;
		heap_remove(&h, n);
	}
	cr_assert_null(heap_first(&h));
	heap_free(&h);
}

Test(unit_heap, a_reserved_place_is_there)
{
	struct heap_node nodes[NODES] = { 0 };
	struct heap_node **array;
	struct heap h;

	cr_assert_eq(heap_init(&h, NODES), 0);
	array = h.nodes;
	for (size_t i = 0; i < NODES; i++)
		cr_assert_eq(heap_insert(&h, &nodes[i], NODES - i), 0);
	cr_assert_eq(h.nodes, array, "nothing was allocated");
	heap_free(&h);
	heap_free(&h);
	heap_free(NULL);
}

Test(unit_heap, too_large)
{
	struct heap h;

	cr_assert_eq(heap_init(&h, SIZE_MAX / 4), -ENOMEM, "the size in bytes wraps");
	heap_free(&h);
}

Test(unit_heap, removing_what_is_not_in)
{
	struct heap_node n = { 0 };
	struct heap h;

	cr_assert_eq(heap_init(&h, 0), 0);
	heap_remove(&h, &n);
	cr_assert_null(heap_first(&h));
	heap_free(&h);
}

Test(unit_heap, a_copied_node_is_a_bug_of_ours, .signal = SIGABRT)
{
	struct heap_node n = { 0 }, copy;
	struct heap h;

	heap_init(&h, 4);
	heap_insert(&h, &n, 1);
	copy = n;
	heap_remove(&h, &copy);
}
