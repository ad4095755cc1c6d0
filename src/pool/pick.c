/* SPDX-License-Identifier: MIT */
/*
 * pick.c - see pick.h.
 */
#include "pick.h"

enum pick_choice pick_lease(const struct pick_view *v)
{
	uint64_t est = pick_estimate(v->est_ns);

	if (!v->once && v->warm_cost != TIME_NEVER && v->warm_cost + est <= PICK_WARM_NS)
		return PICK_WARM;
	if (v->idle)
		return PICK_IDLE;
	/*
	 * The estimate of a function that nobody has seen run is so high that no two jobs of it
	 * share a ring here: the first may be long, and another worker is on its way for the
	 * second.
	 */
	if (!v->once && v->least_cost != TIME_NEVER && v->least_cost + est < PICK_FULL_NS)
		return PICK_LEAST;
	return PICK_NONE;
}

bool pick_lies(struct pick_doubt *d, uint64_t word, uint64_t collected, uint64_t now)
{
	if (SLOT_PAGE_STATE(word) != SLOT_PAGE_DONE || SLOT_PAGE_SEQUENCE(word) <= collected) {
		*d = (struct pick_doubt){ 0 };
		return false;
	}
	if (word != d->word)
		*d = (struct pick_doubt){ .word = word, .since = now };
	return now - d->since >= PICK_LIE_NS;
}

static bool stands(const struct pick_stand *s, uint64_t sequence)
{
	return sequence > s->collected + 1 && sequence <= s->published;
}

static uint64_t runs_for(const struct pick_stand *s, uint64_t now)
{
	return now > s->began_ns ? now - s->began_ns : 0;
}

enum pick_standing pick_stands(const struct pick_stand *s, uint64_t now)
{
	if (s->published == s->collected)
		return PICK_STAY;
	if (runs_for(s, now) >= PICK_STAND_NS || now >= s->head_since + PICK_NO_CPU_NS)
		return PICK_MOVE_SLOW;
	/*
	 * Several short jobs have run, none long enough to move the others from behind it. But
	 * together they have kept one job waiting for PICK_STAND_NS.
	 */
	if (runs_for(s, now) >= PICK_STAND_NS / 4 && stands(s, s->seen) &&
		now >= s->seen_ns + PICK_STAND_NS)
		return PICK_MOVE;
	return PICK_STAY;
}

/*
 * No look is due once the first job was found to be long (stalled): the jobs behind it have moved,
 * and none is put there any more.
 */
uint64_t pick_stand_due(const struct pick_stand *s, bool head, uint64_t now)
{
	bool behind = stands(s, s->published);
	uint64_t due = s->head_since + PICK_NO_CPU_NS;

	if (s->published == s->collected || s->stalled || !(behind || head))
		return TIME_NEVER;
	return MIN(due, (s->began_ns == TIME_NEVER ? now : s->began_ns) + PICK_STAND_NS);
}

uint32_t pick_more(const struct pick_load *load)
{
	uint32_t have = load->active + load->asked, most = MAX(load->active, PICK_FIRST),
		 room = MIN(have < load->limit ? load->limit - have : 0,
			 load->asked < most ? most - load->asked : 0);
	uint64_t worth = MIN(load->waiting_ns / PICK_GUESS_NS, (uint64_t)load->waiting),
		 wanted = MAX(worth, (uint64_t)(load->active <= load->stalled && load->asked == 0));

	return wanted > load->asked
		? (uint32_t)MIN(wanted - load->asked, (uint64_t)MIN(room, PICK_AT_ONCE))
		: 0;
}

uint32_t pick_spare(const struct pick_pool *p)
{
	uint32_t wishes = p->out > p->leased ? p->out - p->leased : 0;
	uint32_t idle = p->idle > wishes ? p->idle - wishes : 0;
	uint32_t granted = p->library + wishes;

	return MIN(idle, p->limit > granted ? p->limit - granted : 0);
}

/*
 * While workers are free, a queue may ask for one. If all workers are out, a further request wants
 * a worker of another queue: a queue may have one such request at a time, or an eighth of the
 * places for requests, if there are many. Else one queue would take several workers before the
 * next queue, which may have none, has its turn.
 */
bool pick_may_ask(const struct pick_room *r)
{
	uint32_t all = r->workers + r->waiting, room = r->out < all ? all - r->out : 0;

	return r->out < r->workers || (r->asked == 0 ? room > 0 : r->asked < room / 8);
}
