/* SPDX-License-Identifier: MIT */
/*
 * title.h - sets the title of a process that ps shows. title_init() is called once, before the
 * first fork. It returns 0, or -ENOTSUP: then only the comm name changes. title.c explains how.
 */
#ifndef BROOD_OS_TITLE_H
#define BROOD_OS_TITLE_H
/* NULL: the prefix is the program's own name. */
int title_init(const char *name);
/*
 * Sets the title to "PREFIX: text", cut to fit; also the comm name, unless `comm` was set already.
 */
void title_set(const char *text);
void title_set_comm(const char *comm); /* cuts the name to 15 bytes */
/*
 * Sets the text behind the title, without a system call. A new suffix replaces the old one; ""
 * removes it.
 */
void title_set_suffix(const char *text);
/* The byte before the suffix that was set last: '\0' hides the suffix, ' ' shows it. Never NULL. */
extern char *title_suffix;
#endif
