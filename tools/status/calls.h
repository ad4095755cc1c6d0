/* SPDX-License-Identifier: MIT */
/* calls.h - names of the system calls in which a process may wait. */
#ifndef STATUS_CALLS_H
#define STATUS_CALLS_H

#include <stdbool.h>

/* NULL: it is not in the list. */
const char *calls_name(long number);
/* Its first argument is a file. */
bool calls_has_fd(long number);

#endif
