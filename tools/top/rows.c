/* SPDX-License-Identifier: MIT */
/* rows.c - see rows.h */
#include "rows.h"

#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By slot; the pid tells whether it is the same process still. */
struct rows_cpu {
	pid_t pid;
	uint64_t at_ns, cpu_ns;
	double percent; /* as rows_process() says it */
};

const char *rows_sort_name(enum rows_sort sort)
{
	static const char *const names[ROWS_SORTS] = { "time", "slot", "jobs", "function" };

	return names[sort];
}

/* ---- filter ---- */

static bool has(const char *text, const char *filter) { return strcasestr(text, filter) != NULL; }

static bool passes(
	const struct look *look, const struct status_worker *w, const struct rows_choice *choice)
{
	char number[48];

	if (w->pid <= 0 || (choice->pool >= 0 && (uint32_t)choice->pool != w->pool))
		return false;
	if (!choice->filter[0])
		return true;
	snprintf(number, sizeof number, "%u %d", w->slot, w->pid);
	return (w->runs && (has(w->name, choice->filter) || has(w->tag, choice->filter))) ||
		has(words_worker_state(w), choice->filter) || has(number, choice->filter) ||
		(w->pool < look->pools && has(look->pool[w->pool].setup.name, choice->filter));
}

/* ---- sort ---- */

static int by_number(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

/* Jobs come first, the oldest at the top; then other workers, the youngest at the top. */
static int by_time(const struct status_worker *a, const struct status_worker *b)
{
	if (a->runs != b->runs)
		return a->runs ? -1 : 1;
	return a->runs ? by_number(a->job_since_ns, b->job_since_ns)
		       : by_number(b->since_ns, a->since_ns);
}

static int compare(const void *left, const void *right, void *context)
{
	const struct status_worker *a = left, *b = right;
	const struct rows_choice *choice = context;
	int r = 0;

	switch (choice->sort) {
	case ROWS_BY_TIME: r = by_time(a, b); break;
	case ROWS_BY_JOBS: r = by_number(b->jobs, a->jobs); break;
	case ROWS_BY_FUNCTION:
		r = a->runs != b->runs ? (a->runs ? -1 : 1) : strcmp(a->name, b->name);
		break;
	default: break;
	}
	r = r ? r : by_number(a->slot, b->slot);
	return choice->reversed ? -r : r;
}

bool rows_read(struct rows *rows, const struct look *look)
{
	uint32_t slots = status_view_slots(&look->page->view);

	if (rows->room < slots) {
		rows_free(rows);
		rows->read = calloc(slots, sizeof *rows->read);
		rows->worker = calloc(slots, sizeof *rows->worker);
		rows->cpu = calloc(slots, sizeof *rows->cpu);
		rows->room = rows->read && rows->worker && rows->cpu ? slots : 0;
	}
	for (uint32_t i = 0; i < slots && rows->room; i++)
		status_view_worker(&look->page->view, i, &rows->read[i]);
	return rows->room >= slots;
}

void rows_fill(struct rows *rows, const struct look *look, const struct rows_choice *choice)
{
	rows->count = rows->all = 0;
	for (size_t i = 0; i < rows->room; i++) {
		const struct status_worker *w = &rows->read[i];

		rows->all += w->pid > 0;
		if (passes(look, w, choice))
			rows->worker[rows->count++] = *w;
	}
	if (rows->count)
		qsort_r(rows->worker, rows->count, sizeof *rows->worker, compare,
			(void *)(uintptr_t)choice);
}

void rows_process(struct rows *rows, const struct look *look, const struct status_worker *worker,
	struct process *ret, double *ret_cpu)
{
	struct rows_cpu *cpu = &rows->cpu[worker->slot];

	look_process(look, worker, ret);
	*ret_cpu = -1;
	if (ret->state == 0)
		return;
	if (cpu->pid == worker->pid && cpu->at_ns == look->now_ns) { /* a key: the same look */
		*ret_cpu = cpu->percent;
		return;
	}
	if (cpu->pid == worker->pid && look->now_ns > cpu->at_ns && ret->cpu_ns >= cpu->cpu_ns)
		*ret_cpu = 100 * (double)(ret->cpu_ns - cpu->cpu_ns) /
			(double)(look->now_ns - cpu->at_ns);
	*cpu = (struct rows_cpu){ worker->pid, look->now_ns, ret->cpu_ns, *ret_cpu };
}

void rows_free(struct rows *rows)
{
	free(rows->read);
	free(rows->worker);
	free(rows->cpu);
	memset(rows, 0, sizeof *rows);
}
