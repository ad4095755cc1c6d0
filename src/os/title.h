/* SPDX-License-Identifier: MIT */
/* title.h - what ps shows, by plain stores into the memory of argv and environ. title_init() moves environ away, once, before the first fork; 0, or -ENOTSUP and titles do nothing. */
#ifndef BROOD_OS_TITLE_H
#define BROOD_OS_TITLE_H
int title_init(const char *name);                    /* NULL: keep the program's own name as the prefix */
void title_set(const char *text);                    /* "PREFIX: text"; cut to what fits; also the comm name (prctl), when `comm` was not set yet */
void title_set_comm(const char *comm);               /* 15 bytes */
void title_set_suffix(const char *text);             /* no system call: after the title set last, replaces an earlier suffix; "" removes */
void title_show_suffix(void);                        /* the one that "" removed last */
#endif
