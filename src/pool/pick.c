/*
 * pick.c - see pool.h.
 */
#include "pool.h"

enum pick_choice pick_lease(const struct pick_view *v)
{
	uint64_t est = pick_estimate(v->est_ns);

	if (!v->once && v->warm_cost != TIME_NEVER && v->warm_cost + est <= PICK_WARM_NS)
		return PICK_WARM;
	if (v->idle)
		return PICK_IDLE;
	if (!v->once && v->least_cost != TIME_NEVER && v->least_cost + est <= PICK_FULL_NS)
		return PICK_LEAST;
	return PICK_NONE;
}

/* A running mean over about eight; the first figure is taken as it is. */
uint32_t pick_learn(uint32_t est_ns, uint64_t ran_ns)
{
	uint64_t ran = MIN(ran_ns, (uint64_t)PICK_UNKNOWN - 1);

	return est_ns == PICK_UNKNOWN ? (uint32_t)ran : (uint32_t)(est_ns - est_ns / 8 + ran / 8);
}

uint32_t pick_more(size_t waiting, uint32_t active, uint32_t asked, uint32_t limit)
{
	uint32_t have = active + asked, room = have < limit ? limit - have : 0;

	return waiting > asked ? MIN(room, (uint32_t)MIN(waiting - asked, (size_t)UINT32_MAX)) : 0;
}
