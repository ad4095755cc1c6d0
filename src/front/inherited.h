/* SPDX-License-Identifier: MIT */
/*
 * inherited.h - the files that the service manager has passed to this process (LISTEN_FDS and its
 * like, sd_listen_fds(3)), and whether it stores files for a later start (FDSTORE).
 */
#ifndef BROOD_FRONT_INHERITED_H
#define BROOD_FRONT_INHERITED_H

#include "../pool/kept.h"

struct inherited {
	uint32_t count;      /* how many files were passed to this process */
	bool ours;           /* LISTEN_PID and its like are about this process */
	bool open[KEPT_MAX]; /* the program has not closed the file */
	char line[160]; /* for the log: why files that were passed are not in the tables; or "" */
};

/*
 * Reads the variables, and changes nothing. A fault in them is told by `line`. Called before the
 * library opens any file: that file could get the number of one that the program has closed.
 */
void inherited_look(struct inherited *ret);
/*
 * Duplicates the files (close-on-exec) and adds them to both tables, as far as these have room.
 * Files that the program has closed are left out. 0 or -errno: the duplicates that were made are in
 * the tables.
 */
int inherited_take(const struct inherited *in, struct kept *engine, struct kept *supervisor);
/* The most files that the service manager stores. UINT32_MAX: it does not say. */
uint32_t inherited_store_room(void);
/* The body of brood_kept() before the start. */
int inherited_find(const char *name, int *ret_fds, size_t room);

/* Sets close-on-exec on the files themselves, once the start cannot fail any more. */
void inherited_close_on_exec(const struct inherited *in);
/* In the engine: the variables are now about this process. */
void inherited_rename(const struct inherited *in);
/* Unsets the variables. */
void inherited_hide(void);

#endif
