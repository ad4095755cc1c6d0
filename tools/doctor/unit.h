/* SPDX-License-Identifier: MIT */
/* unit.h - the [Service] lines of a unit file of systemd, and of its drop-in files. */
#ifndef DOCTOR_UNIT_H
#define DOCTOR_UNIT_H

#include "where.h"

struct unit;
/*
 * name: a path, if it has a slash, or else the name of a unit, which is looked for where systemd
 * does. 0; -ENOENT and other errors of open(); -ENOMEM.
 */
int unit_read(const struct where *w, const char *name, struct unit **ret);
struct unit *unit_free(struct unit *unit);
const char *unit_path(const struct unit *unit);
/* The last value that the key has; NULL: none, or an empty one came last. */
const char *unit_value(const struct unit *unit, const char *key);
/* True for 1, yes, true, on. */
bool unit_says_yes(const struct unit *unit, const char *key);
/* True: a line "SystemCallFilter=~..." has the word. */
bool unit_denies(const struct unit *unit, const char *word);
/* "1min 30s" and the like, in ms; UINT64_MAX: infinity. False: no value, or a wrong one. */
bool unit_time(const char *text, uint64_t *ret_ms);
/* "512M", "infinity" (UINT64_MAX). False: no value, a share ("80%"), or a wrong one. */
bool unit_bytes(const char *text, uint64_t *ret);
/* "1024", "1024:4096" (the second one counts), "infinity". */
bool unit_limit(const char *text, uint64_t *ret);

#endif
