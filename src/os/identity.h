/* SPDX-License-Identifier: MIT */
/* identity.h - which open file an fd stands for. */
#ifndef BROOD_OS_IDENTITY_H
#define BROOD_OS_IDENTITY_H

#include "../base/base.h"
#include <sys/stat.h>

/*
 * Says which open file an fd stands for. So a file of the library is told from a file that took its
 * number. Each socket has an inode number of its own.
 */
struct identity {
	dev_t device;
	ino_t inode;
};
int identity_get(int fd, struct identity *ret);
bool identity_is(int fd, const struct identity *identity);

#endif
