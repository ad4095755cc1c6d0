/* SPDX-License-Identifier: MIT */
/*
 * awake.c - a worker on lease looks for its next job for a moment before it sleeps. The other half
 * is engine/spinning.c, which says why; pool/spin.h says for how long.
 *
 * Engine and worker may share one CPU for good, while another CPU idles: each wakes the other, and
 * the kernel sees no reason to part them. So a worker that has slept beside its engine many times
 * in a short while steps aside: it forbids itself this CPU, which moves it, and allows all CPUs
 * again before any job runs. If both meet again at once, the other CPU is taken by something else:
 * the next step waits longer.
 */
#include "awake.h"

#include "../os/cpu.h"
#include "../pool/packed.h"
#include "../pool/spin.h"
#include "worker.h"
#include "worker_lease.h"

static struct spin its_spin;
static struct packed its_packed;

static bool is_due(const struct worker_lease *l)
{
	return (!l->gone &&
		       atomic_load_explicit(&l->down->published, memory_order_relaxed) > l->last) ||
		atomic_load_explicit(&the_worker.page->attention, memory_order_relaxed);
}

static bool look_for_a_while(const struct worker_lease *l)
{
	for (int i = 0; i < SPIN_LOOKS; i++) {
		if (is_due(l))
			return true;
		cpu_relax();
	}
	return false;
}

static bool spin(struct worker_lease *l)
{
	uint64_t began = l->now ? l->now : now_ns(), now;
	uint32_t budget;
	bool hit;

	/* an engine that spins has its next job ready as soon as it has seen this one's end */
	if (!atomic_load_explicit(&l->queue->listening, memory_order_relaxed))
		spin_met(&its_spin, began);
	budget = spin_budget(&its_spin, began);
	if (budget == 0)
		return false;
	do {
		hit = look_for_a_while(l);
		now = now_ns();
	} while (!hit && now - began < budget);
	spin_ended(&its_spin, now - began, hit);
	l->now = 0;
	return hit;
}

bool awake_wait(struct worker_lease *l)
{
	uint32_t engine = atomic_load_explicit(&l->queue->cpu, memory_order_relaxed);
	/* where the last job ended */
	uint32_t cpu = atomic_load_explicit(&l->up->cpu, memory_order_relaxed);

	if (engine == CPU_UNKNOWN || cpu == CPU_UNKNOWN)
		return false;
	if (cpu != engine)
		return spin(l);
	if (packed_step_due(&its_packed, now_ns()) && cpu_step_aside(cpu))
		l->now = 0;
	return false;
}
