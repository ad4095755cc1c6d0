/* SPDX-License-Identifier: MIT */
/* open_files.h - is the hard limit on open files enough for the pools, and who may use how much? */
#ifndef BROOD_FRONT_OPEN_FILES_H
#define BROOD_FRONT_OPEN_FILES_H

#include <stddef.h>
#include <stdint.h>

struct resolved;

/*
 * Checks the hard limit; the supervisor raises its own soft limit, after the fork. Sets for each
 * pool how many files of jobs may wait at the supervisor: both roles count by that number.
 * open: how many files the program has open. passed: how many files the service manager has passed.
 * ret_kept_room: how many files may be kept. Returns 0, or -errno with a sentence.
 */
int open_files_check(struct resolved *r, size_t open, uint32_t passed, uint32_t *ret_kept_room);

#endif
