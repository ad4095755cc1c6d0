/* SPDX-License-Identifier: MIT */
/*
 * intake.h - what the engine gives: jobs, and requests for leases.
 */
#ifndef BROOD_SUPERVISOR_INTAKE_H
#define BROOD_SUPERVISOR_INTAKE_H

#include "root.h"
#include "../wire/frame.h"

void intake_job(struct pool *pool, struct frame *f);
void intake_lease(struct pool *pool, struct frame *f);
void intake_cancel(struct pool *pool, uint64_t id);

#endif
