/* SPDX-License-Identifier: MIT */
/* call_handoff.h - a call by handoff. */
#ifndef BROOD_ENGINE_CALL_HANDOFF_H
#define BROOD_ENGINE_CALL_HANDOFF_H

#include "given.h"
#include "job_record.h"
#include "transfer.h"
#include "given.h"
#include "job_record.h"
#include "transfer.h"

struct call {
	struct brood *b;
	struct given given;
	const struct engine_bytes *bytes;
	struct brood_handle handle;
	struct transfer transfer;
};

int call_handoff_run(struct call *call);
void call_handoff_refused(struct call *call, int error);
void call_handoff_fds(struct call *call);
ssize_t call_handoff_result(struct call *call);

#endif
