/* SPDX-License-Identifier: MIT */
/*
 * fold.c - see fold.h. An entry is a window: it begins with the first line of its key, lets `burst`
 * lines pass and counts the others until its time is up. An entry whose key is 0 is free. A window
 * that ends without held lines ends without a word, and needs no wake-up.
 */
#include "fold.h"

#include <stdio.h>

/* Where a job's tag stands: from the first "[" to the last "]". Both 0: the line has no tag. */
static void fold_tag(const struct message_log *line, size_t *ret_from, size_t *ret_to)
{
	*ret_from = *ret_to = 0;
	for (size_t i = 0; i < sizeof(line->text) && line->text[i]; i++) {
		if (line->text[i] == '[' && *ret_from == 0)
			*ret_from = i;
		if (line->text[i] == ']' && *ret_from > 0)
			*ret_to = i;
	}
}

/*
 * FNV-1a over what lines of one kind have in common: level, event, pool, and the text without its
 * digits (pids, slots, ids and times differ from line to line) and without a job's tag.
 */
static uint64_t fold_key(const struct message_log *line)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	const uint32_t head[3] = { line->level, line->event, line->pool };
	const unsigned char *bytes = (const unsigned char *)head;
	size_t from, to;

	for (size_t i = 0; i < sizeof(head); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	fold_tag(line, &from, &to);
	for (size_t i = 0; i < sizeof(line->text) && line->text[i]; i++)
		if ((line->text[i] < '0' || line->text[i] > '9') && (i <= from || i >= to))
			hash = (hash ^ (unsigned char)line->text[i]) * 0x100000001b3ull;
	return hash ? hash : 1;
}

static uint64_t fold_end(const struct fold *f, const struct fold_entry *e)
{
	return time_after_ns(e->began, f->window_ns);
}

static bool fold_over(const struct fold *f, const struct fold_entry *e, uint64_t now)
{
	return now >= fold_end(f, e);
}

/* Makes the line that tells how many lines the entry held back. Then the entry is free. */
static void fold_summary(
	const struct fold *f, struct fold_entry *e, uint64_t now, struct message_log *ret)
{
	uint64_t elapsed = MIN(now > e->began ? now - e->began : 0, f->window_ns);
	bool seconds = elapsed >= NS_PER_S;
	uint64_t figure = seconds ? (elapsed + NS_PER_S / 2) / NS_PER_S
				  : (elapsed + NS_PER_MS - 1) / NS_PER_MS;
	int n;

	*ret = e->last;
	ret->event = BROOD_EVENT_REPEATED;
	memset(ret->text, 0, sizeof(ret->text));
	n = snprintf(ret->text, sizeof(ret->text), "(%u more like this in %llu %s) ", e->held,
		(unsigned long long)figure, seconds ? "s" : "ms");
	if (n > 0 && (size_t)n < sizeof(ret->text))
		memcpy(ret->text + n, e->last.text,
			strnlen(e->last.text, sizeof(ret->text) - (size_t)n - 1));
	e->key = 0;
	e->held = 0;
}

void fold_init(struct fold *f, uint32_t burst, uint64_t window_ns)
{
	memset(f, 0, sizeof(*f));
	f->burst = burst;
	f->window_ns = window_ns;
}

static struct fold_entry *fold_find(struct fold *f, uint64_t key)
{
	for (size_t i = 0; i < FOLD_KEYS; i++)
		if (f->entries[i].key == key)
			return &f->entries[i];
	return NULL;
}

/* A place for a new key: a free one, one whose window ended without a word, else the oldest. */
static struct fold_entry *fold_place(struct fold *f, uint64_t now)
{
	struct fold_entry *oldest = &f->entries[0];

	for (size_t i = 0; i < FOLD_KEYS; i++) {
		struct fold_entry *e = &f->entries[i];

		if (!e->key || (!e->held && fold_over(f, e, now)))
			return e;
		if (e->began < oldest->began)
			oldest = e;
	}
	return oldest;
}

/*
 * Events of a crash loop: one line says all that the next ones could say. Lines of other events
 * answer somebody (a reload is done), or their details differ (frames), so some of them pass.
 */
static uint32_t fold_burst(const struct fold *f, uint32_t event)
{
	switch (event) {
	case BROOD_EVENT_WORKER_DIED:
	case BROOD_EVENT_WORKER_OOM:
	case BROOD_EVENT_WORKER_LEFT:
	case BROOD_EVENT_SPAWN_FAILED:
	case BROOD_EVENT_STRAY_KILLED:
	case BROOD_EVENT_PROTOCOL:
	case BROOD_EVENT_GUARD_DIED:
	case BROOD_EVENT_SPAWNER_DIED: return 1;
	default: return f->burst;
	}
}

int fold_line(struct fold *f, uint64_t now, const struct message_log *line,
	struct message_log *ret_summary, bool *ret_has_summary)
{
	uint64_t key = fold_key(line);
	struct fold_entry *e = fold_find(f, key);

	*ret_has_summary = false;
	if (!e || fold_over(f, e, now)) {
		if (!e)
			e = fold_place(f, now);
		if (e->key && e->held) {
			fold_summary(f, e, now, ret_summary);
			*ret_has_summary = true;
		}
		e->key = key;
		e->began = now;
		e->passed = e->held = 0;
	}
	if (e->passed < fold_burst(f, line->event)) {
		e->passed++;
		return 1;
	}
	if (e->held < UINT32_MAX)
		e->held++;
	e->last = *line;
	return 0;
}

bool fold_due(struct fold *f, uint64_t now, struct message_log *ret_summary)
{
	for (size_t i = 0; i < FOLD_KEYS; i++) {
		struct fold_entry *e = &f->entries[i];

		if (!e->key || !e->held || !fold_over(f, e, now))
			continue;
		fold_summary(f, e, now, ret_summary);
		return true;
	}
	return false;
}

uint64_t fold_next(const struct fold *f)
{
	uint64_t next = TIME_NEVER;

	for (size_t i = 0; i < FOLD_KEYS; i++)
		if (f->entries[i].key && f->entries[i].held)
			next = MIN(next, fold_end(f, &f->entries[i]));
	return next;
}
