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

/* all attempts. 0: the handle is closed; -errno: no job was given */
int call_handoff_run(struct call *call);
/* the verdict of a call that never became a job */
void call_handoff_refused(struct call *call, int error);
/* the reply's, to whoever wants them */
void call_handoff_fds(struct call *call);
/* what brood_call() returns */
ssize_t call_handoff_result(struct call *call);

#endif
