/* SPDX-License-Identifier: MIT */
/*
 * open_files.h - which files the process under load has open: before the load, and after it, when
 * there must not be more of them.
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
/* says in e->tally what is open in `after` and was not in `before` */
void open_files_compare(
	const struct engine *e, const struct open_files *before, const struct open_files *after);

#endif
