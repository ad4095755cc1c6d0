/* SPDX-License-Identifier: MIT */
/* find_run.h - --find-max: whole runs, one after the other, at the rates of find_max.h. */
#ifndef BROOD_LOAD_FIND_RUN_H
#define BROOD_LOAD_FIND_RUN_H

#include "load.h"

/*
 * Writes a line for each run into `table` (NULL: none), and the answer. ret: the last run. Returns
 * like judge_run(), and 3 if no rate keeps the conditions.
 */
int find_run(const struct options *o, struct findings *ret, FILE *table);
/* The key "find_max"; null without a search. */
void find_run_json(const struct pacing *p, FILE *file);

#endif
