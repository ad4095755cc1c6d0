/* SPDX-License-Identifier: MIT */
/*
 * rights_options.h - checks the rights of a pool (struct brood_rights) before the first fork, and
 * copies them.
 */
#ifndef BROOD_FRONT_RIGHTS_OPTIONS_H
#define BROOD_FRONT_RIGHTS_OPTIONS_H

#include <brood.h>

/*
 * *ret_own is one block of memory with all arrays; the caller frees it. where: the words before a
 * field's name in a message. -EINVAL, -ENOMEM, with a sentence.
 */
int rights_options_take(
	const struct brood_rights *rights, const char *where, struct brood_rights **ret_own);

#endif
