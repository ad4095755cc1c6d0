/* SPDX-License-Identifier: MIT */
/* slot_words.c - see slot_words.h. */
#include "slot_words.h"

#include "../base/base.h"

void slot_words_text(struct slot_words *w, const char *text)
{
	while (*text && w->used < w->size)
		w->text[w->used++] = *text++;
}

void slot_words_number(struct slot_words *w, uint64_t number)
{
	char digits[21] = "";
	size_t at = sizeof digits - 1;

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	slot_words_text(w, digits + at);
}

static const char *state_word(uint32_t state)
{
	static const char *const words[] = {
		[BROOD_STATUS_EMPTY] = "no process",
		[BROOD_STATUS_ORDERED] = "a process is being made",
		[BROOD_STATUS_BORN] = "not ready yet",
		[BROOD_STATUS_IDLE] = "idle",
		[BROOD_STATUS_BUSY] = "busy",
		[BROOD_STATUS_LEASED] = "on lease, without a job",
		[BROOD_STATUS_ENDING] = "ends",
		[BROOD_STATUS_UNDEAD] = "was killed, and does not end",
		[BROOD_STATUS_SPARE] = "out of use",
	};

	return state < ARRAY_SIZE(words) ? words[state] : "in an unknown state";
}

bool slot_words_wanted(const struct status_worker *slot)
{
	return slot->runs || slot->in_flux ||
		(slot->state != BROOD_STATUS_EMPTY && slot->state != BROOD_STATUS_IDLE &&
			slot->state != BROOD_STATUS_LEASED && slot->state != BROOD_STATUS_SPARE);
}

static void add_time(struct slot_words *w, uint64_t since, uint64_t now)
{
	if (since == 0)
		return;
	slot_words_text(w, ", for ");
	slot_words_number(w, now > since ? (now - since) / NS_PER_MS : 0);
	slot_words_text(w, " ms");
}

static void add_job(struct slot_words *w, const struct status_worker *slot)
{
	slot_words_text(w, "job ");
	if (slot->job) {
		slot_words_number(w, slot->job);
		slot_words_text(w, " ");
	}
	slot_words_text(w, slot->name);
	if (slot->tag[0]) {
		slot_words_text(w, " [");
		slot_words_text(w, slot->tag);
		slot_words_text(w, "]");
	}
	if (slot->leased)
		slot_words_text(w, " on lease");
}

void slot_words(struct slot_words *w, const struct status_worker *slot, uint64_t now)
{
	slot_words_text(w, "worker ");
	slot_words_number(w, slot->slot);
	if (slot->pid > 0) {
		slot_words_text(w, " (pid ");
		slot_words_number(w, (uint64_t)slot->pid);
		slot_words_text(w, ")");
	}
	slot_words_text(w, ": ");
	if (slot->runs)
		add_job(w, slot);
	else
		slot_words_text(w, state_word(slot->state));
	add_time(w, slot->runs ? slot->job_since_ns : slot->since_ns, now);
}

void slot_words_row(struct slot_words *w, uint32_t first, uint32_t last, uint32_t state)
{
	slot_words_text(w, "worker ");
	slot_words_number(w, first);
	if (last > first) {
		slot_words_text(w, " to ");
		slot_words_number(w, last);
	}
	slot_words_text(w, ": ");
	slot_words_text(w, state_word(state));
}
