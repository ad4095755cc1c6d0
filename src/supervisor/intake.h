/* SPDX-License-Identifier: MIT */
/*
 * intake.h - what the engine gives: jobs, and requests for leases.
 */
#ifndef BROOD_SUPERVISOR_INTAKE_H
#define BROOD_SUPERVISOR_INTAKE_H

#include "root.h"
#include "../wire/frame.h"

void intake_job(struct supervisor *s, struct frame *f);
void intake_lease(struct supervisor *s, struct frame *f);
void intake_cancel(struct supervisor *s, uint64_t id);

#endif
