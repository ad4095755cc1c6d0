/* SPDX-License-Identifier: MIT */
/*
 * passed.h - which files the service manager has passed to this process, by the variables LISTEN_*
 * (sd_listen_fds(3)): their numbers are 3, 4, ..., and each may have a name.
 */
#ifndef BROOD_POOL_PASSED_H
#define BROOD_POOL_PASSED_H

#include "kept.h"

#define PASSED_FIRST 3 /* the number of the first file */

/* The variables as the environment has them; NULL: unset. */
struct passed_words {
	const char *pid, *pidfd, *fds, *names;
};
/* The process that reads them. pidfd: the inode number of its pidfd; 0: not known. */
struct passed_self {
	uint64_t pid, pidfd;
};

/*
 * How many files were passed to this process, 0 if none were, or if they were for another one.
 * -EINVAL: the variables make no sense.
 */
int passed_count(const struct passed_words *words, const struct passed_self *self);
/*
 * The name of the index-th file: "unknown" if it has none, or one that is not good. Writes it into
 * `name`, which has room for KEPT_NAME_MAX + 1 bytes.
 */
void passed_name(const char *names, uint32_t index, char *name);
/* How many names there are. */
uint32_t passed_names(const char *names);

#endif
