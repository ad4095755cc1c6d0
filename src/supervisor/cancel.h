/* SPDX-License-Identifier: MIT */
/* cancel.h - ends a handed-off job before its end, because the engine or an operator wants that. */
#ifndef BROOD_SUPERVISOR_CANCEL_H
#define BROOD_SUPERVISOR_CANCEL_H

#include "record.h"

enum cancel_result { CANCEL_NONE, CANCEL_WAITED, CANCEL_RUNS };
/*
 * NONE: no such job is here, or it has its verdict. WAITED: it did not run, and is cancelled. RUNS:
 * it was told to end, and is killed after its grace_ms.
 */
enum cancel_result cancel_job(struct supervisor *s, uint64_t id);

#endif
