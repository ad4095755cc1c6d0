/* SPDX-License-Identifier: MIT */
/*
 * kept.h - the table of kept fds: files with names, which outlive the process that keeps them. The
 * engine and the supervisor have one each. The supervisor's also knows what the service manager,
 * which stores copies of the files, has not been told yet.
 *
 * Several files may have one name, if they were passed so at the start. Whoever keeps a file under
 * a name replaces all files of that name.
 */
#ifndef BROOD_POOL_KEPT_H
#define BROOD_POOL_KEPT_H

#include "../base/base.h"

#define KEPT_MAX      256u /* BROOD_KEPT_MAX */
#define KEPT_NAME_MAX 255u /* the longest name that systemd takes */

/* What the service manager has to be told of a name, in this order: bits of kept_file.due. */
enum kept_word { KEPT_REMOVE = 1, KEPT_STORE = 2 };

struct kept_file {
	int fd;       /* -1: the name is forgotten, and the entry stays until that is told */
	unsigned due; /* enum kept_word, bits */
	bool stored;  /* the service manager stores a copy, as far as it has room */
	char name[KEPT_NAME_MAX + 1];
};
struct kept {
	struct kept_file *files;
	uint32_t count, room;
	bool told; /* there is a service manager that has to be told */
};

/* True: systemd takes the name, too: 1 to 255 printable ASCII characters, none of them ':'. */
bool kept_name_is_good(const char *name);

/* Makes a table for so many files. 0 or -ENOMEM. */
int kept_init(struct kept *k, uint32_t room, bool told);
/* Frees the table's memory; its fds are the caller's matter. Also valid for a zeroed struct. */
void kept_free(struct kept *k);

/* Adds a file that came by this name; nobody has to be told. 0 or -ENOSPC. */
int kept_add(struct kept *k, const char *name, int fd);
/* True: kept_set() has room for a file of this name. */
bool kept_has_room(const struct kept *k, const char *name);
/*
 * Sets the one file of a name, or forgets the name (fd -1). ret_old: gets the fds that the name
 * had, with room for KEPT_MAX; they are the caller's now. Returns how many; -ENOSPC: the table is
 * full, and as it was.
 */
int kept_set(struct kept *k, const char *name, int fd, int *ret_old);
/*
 * Puts the fds of a name (NULL: of all names) into ret_fds, in the order in which they came, at
 * most `room`. Returns how many there are. The fds stay the table's.
 */
uint32_t kept_find(const struct kept *k, const char *name, int *ret_fds, uint32_t room);
/* How many files the table has; names that are forgotten do not count. */
uint32_t kept_files(const struct kept *k);
/* How many of them the service manager stores. */
uint32_t kept_stored(const struct kept *k);

/* What is to be told next, and of which entry. NULL: nothing. */
struct kept_file *kept_next(struct kept *k, enum kept_word *ret_word);
/* This word was told of this entry, which may be gone afterwards. */
void kept_was_told(struct kept *k, struct kept_file *file, enum kept_word word);

#endif
