/* SPDX-License-Identifier: MIT */
/* surroundings.h - checks before the fork what a start needs beside memory and fds. */
#ifndef BROOD_SURROUNDINGS_H
#define BROOD_SURROUNDINGS_H

/* Returns 0; or -errno, and sets a sentence that names what is missing. */
int surroundings_check(void);

#endif
