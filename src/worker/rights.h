/* SPDX-License-Identifier: MIT */
/*
 * rights.h - sets who a worker is and what it may use: the struct brood_rights of its pool. Done
 * before any code of the program runs there.
 */
#ifndef BROOD_WORKER_RIGHTS_H
#define BROOD_WORKER_RIGHTS_H

#include <brood.h>

/*
 * Returns 0, or -errno; *ret_what then says what failed, for the log. Calls what needs privileges
 * first, and gives the privileges up last.
 */
int rights_take(const struct brood_rights *rights, const char **ret_what);

#endif
