/* SPDX-License-Identifier: MIT */
/*
 * library_call.h - LIBRARY_CALL: the rest of the scope is the library's. Cancellation is held off,
 * and what system calls are made there are not the job's.
 */
#ifndef BROOD_WORKER_LIBRARY_CALL_H
#define BROOD_WORKER_LIBRARY_CALL_H

#include "../base/cancellation.h"
#include "../os/syscalls.h"

#define LIBRARY_CALL   \
	SYSCALLS_OURS; \
	CANCELLATION_OFF

#endif
