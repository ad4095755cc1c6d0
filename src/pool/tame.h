/* SPDX-License-Identifier: MIT */
/*
 * tame.h - which system calls of a job are tame: they leave nothing behind. The worker sees the
 * calls one by one, before they are made (os/syscalls.h), and asks here of each whether it may be
 * made while the worker keeps watching. A job whose calls were all tame needs no look for residue,
 * but a small one where memory is limited or the program has handlers (worker/hygiene.c).
 *
 * A tame call changes nothing that the look compares. It is about files, memory, time, waiting, or
 * what the kernel knows of the process. A call that gives a new fd is tame, too, and so are calls
 * that close that same fd or change its flags. A job that still has such an fd open at its end is
 * looked after. A call that is not listed is not tame, and nor is one whose effect depends on
 * memory that its arguments point to.
 *
 * Not seen: what a job does with tame calls to the library's own fds, such as shutdown(), or by a
 * write() to /proc/self; and an fd that read() brings, which only files do that a program must
 * have opened with a call that is not tame (fanotify, userfaultfd).
 */
#ifndef BROOD_POOL_TAME_H
#define BROOD_POOL_TAME_H

#include "../base/base.h"
#include <limits.h>

#define TAME_MAX     5        /* a look is cheaper than to see more calls than these */
#define TAME_NO_WORD LONG_MIN /* nobody knows what came of the call: it may not have returned */

enum tame_kind {
	TAME_NOT, /* the call may change what a job must leave as it was */
	TAME_YES,
	TAME_MEMORY, /* the call changes mappings: memory may have grown, code may be gone */
	TAME_OPENS,  /* harmless; a result that is not negative is a new fd */
	TAME_CLOSES, /* harmless if the job itself has opened the fd: the first argument */
	TAME_OF_FD,  /* the same, but the fd stays open */
};
/* arguments: the six of the call. Calls of a machine that is not known are all TAME_NOT. */
enum tame_kind tame_sort(long number, const long arguments[6]);

/* What is known of the calls of one job. */
struct tame {
	uint32_t left;   /* how many more calls may be made */
	bool any;        /* a call was made */
	bool memory;     /* a call of the kind TAME_MEMORY was made */
	bool lost;       /* which fds the job has opened is not known */
	bool opening;    /* the last call was of the kind TAME_OPENS */
	uint64_t opened; /* a bit for each fd below 64 that the job has opened and not closed */
};
/* max: how many calls may be made; 0: the first one ends the watch. */
void tame_begin(struct tame *c, uint32_t max);
/*
 * True: this call may be made, and the next one must be asked for, too. last: what came of the call
 * before, if there was one.
 */
bool tame_let(struct tame *c, long number, const long arguments[6], long last);
/* True: the job has left nothing. last: as above. */
bool tame_left_nothing(struct tame *c, long last);

#endif
