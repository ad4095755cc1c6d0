/* SPDX-License-Identifier: MIT */
/*
 * trace.h - leaves in the worker's trace page (wire/trace_page.h) where its code is. Called by
 * signal handlers. See trace.c.
 */
#ifndef BROOD_WORKER_TRACE_H
#define BROOD_WORKER_TRACE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The signal is about to end the worker. error: errno, for trace_fell(). */
void trace_crash(int sig, const siginfo_t *info, void *context, int error);
/* The job is told to end. `handler`: that of SIGSEGV and SIGBUS, if it is to be the library's. */
void trace_told(void *context, const struct sigaction *handler, int error);
/*
 * For the handler of faults, before all else. True: the fault is of trace_crash() or trace_told()
 * itself, on a broken stack. What they found stays, and the caller must return at once: its return
 * goes back to the code that they had interrupted.
 */
bool trace_fell(void *context);
/* The job has told its progress. */
void trace_progress(uint64_t sequence, const void *data, size_t size);

#endif
