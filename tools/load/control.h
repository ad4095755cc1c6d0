/* SPDX-License-Identifier: MIT */
/* control.h - --control: a bare epoll loop beside the pool. */
#ifndef BROOD_LOAD_CONTROL_H
#define BROOD_LOAD_CONTROL_H

#include <stdint.h>

struct control;
struct control *control_begin(void); /* NULL: there is no room for it */
/* Returns the longest time from one answer to the next, in ns. */
uint64_t control_end(struct control *c);

#endif
