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

/*
 * Called when `sig` is about to end the worker: notes where the code was. error: errno, which
 * trace_fell() restores.
 */
void trace_crash(int sig, const siginfo_t *info, void *context, int error);
/*
 * Called when the job is told to end (told), or when it is slow: notes where the job is. `handler`:
 * the library's own of SIGSEGV and SIGBUS.
 */
void trace_told(void *context, const struct sigaction *handler, int error);
void trace_slow(void *context, const struct sigaction *handler, int error);
/* Called when a process outside asks: answers on the status page, whether or not a job runs. */
void trace_asked(void *context, const struct sigaction *handler, int error);
/*
 * The handler of faults calls this before all else. True: the fault is of one of the walks that the
 * calls above make, on a broken stack. What they found stays, and the caller
 * must return at once: its return goes back to the code that they had interrupted.
 */
bool trace_fell(const siginfo_t *info, void *context);
/* True: the supervisor has asked about the job that runs. */
bool trace_wanted(void);
void trace_answered(void);
/* Keeps the last progress that the job has told, for its report. */
void trace_progress(uint64_t sequence, const void *data, size_t size);

#endif
