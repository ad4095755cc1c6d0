/* SPDX-License-Identifier: MIT */
/*
 * title.h - what ps shows, by plain stores into the memory of argv and environ. title_init() moves
 * environ away, once, before the first fork; 0, or -ENOTSUP and titles do nothing.
 */
#ifndef BROOD_OS_TITLE_H
#define BROOD_OS_TITLE_H
/* NULL: keep the program's own name as the prefix */
int title_init(const char *name);
/* "PREFIX: text"; cut to what fits; also the comm name (prctl), when `comm` was not set yet */
void title_set(const char *text);
void title_set_comm(const char *comm); /* 15 bytes */
/* no system call: after the title set last, replaces an earlier suffix; "" removes */
void title_set_suffix(const char *text);
void title_show_suffix(void); /* the one that "" removed last */
#endif
