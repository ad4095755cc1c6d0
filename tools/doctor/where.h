/* SPDX-License-Identifier: MIT */
/* where.h - reads files of /proc, /sys and /etc, below a folder that stands for the root. */
#ifndef DOCTOR_WHERE_H
#define DOCTOR_WHERE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct where {
	const char *root; /* "": this machine */
};
/* The path of a file: "ROOT" "NAME"; name begins with a slash. */
void where_path(const struct where *w, char ret[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The beginning of a file as a text, without the newline at its end. False: it cannot be read. */
bool where_read(const struct where *w, char *ret, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool where_exists(const struct where *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A file that has a number. False: it does not, or cannot be read. */
bool where_number(const struct where *w, uint64_t *ret, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A default of systemd, as /etc/systemd/system.conf has it. NULL: it is not set there. */
const char *where_manager(const struct where *w, const char *key, char ret[256]);
/* "self", or the number */
void where_process(pid_t pid, char ret[16]);
/* The line of a text that begins with key: what stands behind it. NULL: there is none. */
const char *where_line(const char *text, const char *key);

#endif
