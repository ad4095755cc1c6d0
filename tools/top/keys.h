/* SPDX-License-Identifier: MIT */
/* keys.h - what the keys do. */
#ifndef TOP_KEYS_H
#define TOP_KEYS_H

#include "draw.h"

/* False: the user wants to quit. page: so many rows one page has. */
bool keys_take(struct view *view, const char *keys, size_t count, uint32_t pools, size_t page);

#endif
