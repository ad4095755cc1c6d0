/* SPDX-License-Identifier: MIT */
/* control_path.h - options.control_path: which path is meant, and the socket there. */
#ifndef BROOD_CONTROL_PATH_H
#define BROOD_CONTROL_PATH_H

#include "../os/listening.h"

/*
 * Makes the control socket, if control_path is not NULL. *ret: what was made; fd -1: nothing.
 * Returns 0; or -errno, and sets a sentence that says what to do.
 */
int control_path_open(const char *control_path, struct listening *ret);

#endif
