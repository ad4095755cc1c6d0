/* SPDX-License-Identifier: MIT */
/* assign.h - the job or request that waits longest gets an idle worker. */
#ifndef BROOD_SUPERVISOR_ASSIGN_H
#define BROOD_SUPERVISOR_ASSIGN_H

#include "root.h"

void assign_all(struct pool *pool);

#endif
