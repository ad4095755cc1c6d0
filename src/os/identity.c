/* SPDX-License-Identifier: MIT */
/* identity.c - see identity.h. */
#include "identity.h"

int identity_get(int fd, struct identity *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct identity){ .device = st.st_dev, .inode = st.st_ino };
	return 0;
}

bool identity_is(int fd, const struct identity *identity)
{
	struct identity now = { 0 };

	return identity_get(fd, &now) == 0 && now.device == identity->device &&
		now.inode == identity->inode;
}
