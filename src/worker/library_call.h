/* SPDX-License-Identifier: MIT */
/*
 * library_call.h - LIBRARY_CALL: says that the rest of the scope is code of the library: no thread
 * is cancelled there, and system calls made there do not count as the job's.
 */
#ifndef BROOD_WORKER_LIBRARY_CALL_H
#define BROOD_WORKER_LIBRARY_CALL_H

#include "../base/cancellation.h"
#include "../os/syscalls.h"

#define LIBRARY_CALL   \
	SYSCALLS_OURS; \
	CANCELLATION_OFF

#endif
