/* SPDX-License-Identifier: MIT */
/*
 * open_files.h - compares the open files of the process under load: after the load it must not have
 * more than before.
 */
#ifndef BROOD_LOAD_OPEN_FILES_H
#define BROOD_LOAD_OPEN_FILES_H

#include "load.h"

#define OPEN_FILES_MAX 65536

struct open_files {
	bool open[OPEN_FILES_MAX];
	int count, eventfds;
};

void open_files_look(struct open_files *seen);
/* Writes into e->tally which files are open in `after` and were not in `before`. */
void open_files_compare(
	const struct engine *e, const struct open_files *before, const struct open_files *after);

#endif
