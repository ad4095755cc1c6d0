/* SPDX-License-Identifier: MIT */
/*
 * halt.c - see halt.h. DONE comes once no job is out and no worker lives, or when HALT_KILL_MS is
 * up after SIGKILL: a worker that lives on then hangs in the kernel, and no longer wait would help.
 * HALT_KILL_MS is generous, because a pool of thousands takes seconds to die on a small machine.
 */
#include "halt.h"

void halt_begin(struct halt *h, uint64_t now, uint32_t drain_ms, uint32_t stop_ms)
{
	switch (h->phase) {
	case HALT_NONE:
		h->phase = HALT_DRAIN;
		h->next = time_after_ms(now, drain_ms);
		h->stop_ms = stop_ms;
		break;
	case HALT_DRAIN:
		h->next = MIN(h->next, time_after_ms(now, drain_ms));
		h->stop_ms = MIN(h->stop_ms, stop_ms);
		break;
	case HALT_CANCEL: h->next = MIN(h->next, time_after_ms(now, stop_ms)); break;
	case HALT_KILL:
	case HALT_DONE: break;
	}
}

static bool halt_go(struct halt *h, enum halt_phase phase, uint64_t next)
{
	h->phase = phase;
	h->next = next;
	return true;
}

bool halt_step(struct halt *h, uint64_t now, uint32_t jobs_out, uint32_t workers_alive)
{
	bool up = h->next != TIME_NEVER && now >= h->next;
	bool nothing = jobs_out == 0 && workers_alive == 0;

	switch (h->phase) {
	case HALT_NONE:
	case HALT_DONE: return false;
	case HALT_DRAIN:
		return (up || jobs_out == 0) &&
			halt_go(h, HALT_CANCEL, time_after_ms(now, h->stop_ms));
	case HALT_CANCEL:
		if (nothing)
			return halt_go(h, HALT_DONE, TIME_NEVER);
		return up && halt_go(h, HALT_KILL, time_after_ms(now, HALT_KILL_MS));
	case HALT_KILL: return (up || nothing) && halt_go(h, HALT_DONE, TIME_NEVER);
	}
	return false;
}
