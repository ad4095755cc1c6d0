/* SPDX-License-Identifier: MIT */
/* rows.h - the workers that are shown: chosen, filtered and sorted; and their CPU. */
#ifndef TOP_ROWS_H
#define TOP_ROWS_H

#include "look.h"

enum rows_sort {
	ROWS_BY_TIME, /* what runs longest first; then those that run nothing */
	ROWS_BY_SLOT,
	ROWS_BY_JOBS,
	ROWS_BY_FUNCTION,
	ROWS_SORTS
};
const char *rows_sort_name(enum rows_sort sort);

struct rows_choice {
	int pool;           /* -1: all */
	const char *filter; /* in function, tag, state, pool, slot or pid; "": all */
	enum rows_sort sort;
	bool reversed;
};
struct rows {
	struct status_worker *read; /* as the page had them at the last look, by slot */
	struct status_worker *worker;
	size_t count, room, all; /* all: before the filter */
	struct rows_cpu *cpu;    /* of rows that were shown at the look before */
	size_t cpu_room;
};
/* Reads all slots. False: no memory. */
bool rows_read(struct rows *rows, const struct look *look);
/* Chooses among them. */
void rows_fill(struct rows *rows, const struct look *look, const struct rows_choice *choice);
/*
 * What /proc says of a row that is shown. *ret_cpu: CPU time for each second since the last time
 * that this row was shown, in percent; below 0: it was not.
 */
void rows_process(struct rows *rows, const struct look *look, const struct status_worker *worker,
	struct process *ret, double *ret_cpu);
void rows_free(struct rows *rows);

#endif
