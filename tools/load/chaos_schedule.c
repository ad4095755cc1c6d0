/* SPDX-License-Identifier: MIT */
/* chaos_schedule.c - see chaos_schedule.h. */
#include "chaos_schedule.h"

#include <string.h>

/* As payload_mix(): the last step of the generator splitmix64. */
static uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15ull;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

static uint64_t random_of(const struct chaos_schedule *s, uint32_t act, uint64_t number)
{
	return mix(mix(s->seed + act) + number);
}

/* The time at which an act is due for the time of this number; CHAOS_NEVER: it is not. */
static uint64_t due(const struct chaos_schedule *s, uint32_t act, uint64_t number)
{
	const struct chaos_act *a = &s->spec->act[act];
	uint64_t first = a->at_ns != CHAOS_NEVER ? a->at_ns : a->scattered ? 0 : a->every_ns, at;

	if (a->at_end)
		return s->over && number == 0 ? 0 : CHAOS_NEVER;
	if (s->over || (number && !a->every_ns))
		return CHAOS_NEVER;
	at = s->start_ns + first + number * a->every_ns;
	if (a->scattered)
		at += (uint64_t)((double)(random_of(s, act, ~number) >> 11) * 0x1p-53 *
			(double)a->every_ns);
	/* What comes again and again has no use at the very end. */
	return at < s->end_ns || (at == s->end_ns && !a->every_ns) ? at : CHAOS_NEVER;
}

void chaos_schedule_init(struct chaos_schedule *s, const struct chaos_spec *spec, uint64_t seed)
{
	memset(s, 0, sizeof *s);
	s->spec = spec;
	s->seed = mix(seed + 1);
}

void chaos_schedule_begin(struct chaos_schedule *s, uint64_t start_ns, uint64_t end_ns)
{
	s->begun = true;
	s->start_ns = start_ns;
	s->end_ns = end_ns;
}

void chaos_schedule_end(struct chaos_schedule *s)
{
	s->over = true;
	for (unsigned i = 0; i < s->held_count; i++)
		s->held[i].until_ns = s->held[i].until_ns ? 1 : 0;
}

static uint64_t next_end(const struct chaos_schedule *s, unsigned *ret_place)
{
	uint64_t next = CHAOS_NEVER;

	for (unsigned i = 0; i < s->held_count; i++) {
		if (s->held[i].until_ns && s->held[i].until_ns < next) {
			next = s->held[i].until_ns;
			*ret_place = i;
		}
	}
	return next;
}

static uint64_t next_begin(const struct chaos_schedule *s, uint32_t *ret_act)
{
	uint64_t next = CHAOS_NEVER;

	for (uint32_t i = 0; s->begun && i < s->spec->count; i++) {
		uint64_t at = due(s, i, s->taken[i]);

		if (at < next) {
			next = at;
			*ret_act = i;
		}
	}
	return next;
}

uint64_t chaos_schedule_next(const struct chaos_schedule *s)
{
	unsigned place;
	uint32_t act;
	uint64_t end = next_end(s, &place), begin = next_begin(s, &act);

	return end < begin ? end : begin;
}

bool chaos_schedule_take(struct chaos_schedule *s, uint64_t now, struct chaos_event *ret)
{
	unsigned place = 0;
	uint32_t act = 0;
	uint64_t end = next_end(s, &place), begin;

	memset(ret, 0, sizeof *ret);
	if (end <= now && end != CHAOS_NEVER) {
		ret->ends = true;
		ret->held = s->held[place];
		ret->act = ret->held.act;
		ret->planned_ns = end;
		s->held[place].until_ns = 0;
		while (s->held_count && !s->held[s->held_count - 1].until_ns)
			s->held_count--;
		return true;
	}
	begin = next_begin(s, &act);
	if (begin > now || begin == CHAOS_NEVER)
		return false;
	ret->act = act;
	ret->planned_ns = begin;
	ret->number = s->taken[act]++;
	ret->random = random_of(s, act, ret->number);
	ret->late = s->spec->act[act].every_ns && now - begin > CHAOS_DEBT_NS;
	return true;
}

bool chaos_schedule_hold(struct chaos_schedule *s, const struct chaos_held *held)
{
	unsigned place = 0;

	while (place < s->held_count && s->held[place].until_ns)
		place++;
	if (place == CHAOS_HELD_MAX || s->over)
		return false;
	if (place == s->held_count)
		s->held_count++;
	s->held[place] = *held;
	return true;
}

bool chaos_schedule_holds(const struct chaos_schedule *s, uint32_t kind, int32_t pid)
{
	for (unsigned i = 0; i < s->held_count; i++) {
		const struct chaos_held *h = &s->held[i];

		if (h->until_ns && s->spec->act[h->act].kind == kind && (!pid || h->pid == pid))
			return true;
	}
	return false;
}
