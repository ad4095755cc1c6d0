/* SPDX-License-Identifier: MIT */
/*
 * spinning.c - a thread that waits for a job looks at its worker for a moment before it sleeps.
 *
 * If the worker runs on another CPU, both sides gain: the worker need not wake this thread, and
 * this thread need not wake the worker, which spins, too (worker/awake.c). On one CPU the worker
 * could not run while this thread looks, so there the thread sleeps at once. pool/spin.h says for
 * how long a spin may last.
 *
 * The protocol of wire/ring.h does not know of this: `listening` stays 0 while the thread spins,
 * as while it does anything else. When the spin is over, the thread says that it listens, looks
 * once more, and sleeps.
 *
 * The thread keeps the queue's lock, and stops at once when another thread wants it.
 */
#include "spinning.h"

#include "engine_root.h"
#include "lease_state.h"

#include "../os/cpu.h"

/* With more leases than these a look at all of them would take too long. */
#define LEASES_MAX 16

void spinning_here(struct queue *l)
{
	uint32_t cpu = l->brood->spins ? cpu_now() : CPU_UNKNOWN;

	if (cpu != l->sleep.cpu) {
		l->sleep.cpu = cpu;
		atomic_store_explicit(&l->fds.page->cpu, cpu, memory_order_relaxed);
	}
}

/* Leases whose workers have jobs, and run on other CPUs. */
static size_t collect_peers(const struct queue *l, const struct lease *peers[LEASES_MAX])
{
	size_t count = 0;

	if (l->leases.active > LEASES_MAX)
		return 0;
	list_for_each_safe(link, tmp, &l->leases.list) {
		const struct lease *lease = container_of(link, struct lease, link);
		uint32_t cpu;

		if (lease->state != LEASE_ACTIVE || lease->published == lease->collected ||
			lease->damaged || count == LEASES_MAX)
			continue;
		cpu = atomic_load_explicit(&lease->up->cpu, memory_order_relaxed);
		if (cpu != CPU_UNKNOWN && cpu != l->sleep.cpu)
			peers[count++] = lease;
	}
	return count;
}

static bool has_done(const struct lease *lease)
{
	uint64_t done = atomic_load_explicit(&lease->up->done, memory_order_acquire);

	return done != lease->collected && done != 0;
}

static bool look(const struct queue *l, const struct lease *const *peers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has_done(peers[i]))
			return true;
	return atomic_load_explicit(&l->inbox.full, memory_order_relaxed);
}

static bool look_for_a_while(struct queue *l, const struct lease *const *peers, size_t count)
{
	for (int i = 0; i < SPIN_LOOKS; i++) {
		if (look(l, peers, count))
			return true;
		cpu_relax();
	}
	return false;
}

bool spinning_wait(struct queue *l, uint64_t until)
{
	const struct lease *peers[LEASES_MAX];
	uint64_t began, now;
	uint32_t budget;
	size_t count;
	bool hit;

	spinning_here(l);
	if (l->sleep.cpu == CPU_UNKNOWN || (count = collect_peers(l, peers)) == 0)
		return false;
	if (look(l, peers, count))
		return true;
	now = began = now_ns();
	budget = spin_budget(&l->sleep.spin, began);
	if (budget == 0)
		return false;
	do {
		hit = look_for_a_while(l, peers, count);
		now = now_ns();
	} while (!hit && now - began < budget && now < until &&
		atomic_load_explicit(&l->sleep.wanted, memory_order_relaxed) == 0);
	spin_ended(&l->sleep.spin, now - began, hit);
	return hit;
}
