/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the memory of one lease: how engine and worker give each other jobs and replies without
 * a system call. Layout, and the arithmetic on it; no system calls here.
 *
 *   down   a memfd that the engine makes, maps and then seals (SHRINK, GROW, FUTURE_WRITE, SEAL):
 *          nobody else can ever write to it. It has the jobs: entries, and the bytes of requests.
 *   up     a memfd that the engine makes and seals (SHRINK, GROW, SEAL), and the worker writes. It
 *          has the replies: completions, and bytes. All is hostile: the engine copies, then checks.
 *   queue  a page that the engine writes (sealed like down), one for all leases of a queue. It says
 *          whether a thread of the engine wants to be told of completions.
 *
 * Jobs have consecutive sequences (those of the slot page word). Job N has number N % RING_DEPTH
 * among the entries and the completions (which have the claims), and in the lease page.
 *
 * Down: the engine fills entry, bytes and lease page entry, stores lease_page.published, then
 * down.published (release). Then (seq_cst fence) it looks at slot_page.asleep: if that is 1, the
 * engine adds 1 to slot_page.wake and wakes the futex. A worker that finds nothing published any
 * more reads the wake word, sets asleep (seq_cst), looks at published and attention again, sleeps
 * while the wake word is what it was, and clears asleep.
 *
 * Claims: ring_claim.h. The worker claims a job before it begins. It passes by a job that the
 * engine has withdrawn: this job has no completion, but `done` counts it.
 *
 * Up: the worker fills completion and bytes, then stores up.done = N (release). It tells the engine
 * (8 bytes into the lease's eventfd)
 *   - where queue.listening is 1, for a thread of the engine sleeps that wants to know: after each
 *     completion, and before the worker sleeps if it has not told of all. (A seq_cst fence stands
 *     between the store of done and this look.) After a completion the worker does not tell while
 *     down.collected is less than the sequence that it told of last: the engine, which was told
 *     then, has not come yet;
 *   - before the worker leaves or retires.
 *
 * While a job runs, its completion says where its reply lies so far: if the worker dies, the engine
 * takes that part of the reply, unless it is in a memfd.
 *
 * Before the engine sleeps, it stores queue.listening = 1, then (seq_cst fence) looks once more at
 * `done` of all leases with jobs. On one CPU a worker that is woken often runs at once, and is done
 * before the engine sleeps: then it need not tell. With many leases `listening` stays 1, and the
 * engine does not look at all: it looks at a lease when it was told and, once it has stored
 * down.collected (seq_cst), at that lease's `done` once more.
 *
 * Before a flag is set, engine and worker may spin: they look for news for a moment.
 *
 * Bytes lie in a space (ring_space.h), each request or reply in one piece; what has no room there,
 * or is large, goes by memfd over the side socket, or lies in a file on loan. The worker uses the
 * up space of job N again when the engine has stored down.collected = N.
 */
#ifndef BROOD_WIRE_RING_H
#define BROOD_WIRE_RING_H

#include "lease_page.h"
#include "message_job.h"
#include "queue_page.h"
#include "ring_claim.h"
#include "ring_done.h"
#include "ring_loan.h"
#include "ring_space.h"

#include <brood.h>
#include <stdbool.h>

#define RING_DOWN_BYTES (512u << 10)
#define RING_UP_BYTES   (512u << 10)
/* A request or reply up to this size goes into the space, if there is room. */
#define RING_INLINE_MAX (64u << 10)

enum {
	RING_WITH = 1, /* the entry's fds come over the side socket: WITH */
	/* The first fd is a memfd with the request. request_at is 0. */
	RING_MEMFD = 2,
	/* Open, give: the job's socket is among the fds, and request_size is BROOD_SIZE_UNKNOWN. */
	RING_SOCKET = 4,
	RING_OWN_PAIR = 8, /* as own_pair in JOB */
	/*
	 * The fds of WITH include the job's socket or extra ones. The worker reads WITH once the
	 * word says RUNNING: while WITH is unread, nothing of the job has begun. If the entry is
	 * withdrawn, the engine takes WITH back.
	 */
	RING_FDS = 16,
	/* The first fd is a socket over which the request comes. request_at is 0. */
	RING_STREAM = 32,
	/* A thread waits in the call: a large reply may go over a socket that it reads. */
	RING_CALL = 64,
	RING_CALLER = 128,  /* a thread may sleep for this very job: see `callers` */
	RING_LOAN = 256,    /* the request lies in memory on loan: `loans` says where */
	RING_LOAN_FD = 512, /* The first fd is that memory's file: the worker has to map it. */
	/* The request does not lie in the space. */
	RING_ELSEWHERE = RING_MEMFD | RING_SOCKET | RING_STREAM | RING_LOAN
};

struct ring_entry {
	/* All up to the name is one cache line. The name is written only when it changes. */
	_Alignas(64) uint64_t sequence;
	uint64_t id, fn;
	uint64_t request_size;
	/* positions in the space; at arg_at: argument, plugin's text, tag as in JOB */
	uint32_t request_at, arg_at;
	uint16_t arg_size;
	uint16_t plugin_size;
	uint32_t run_ms, job_flags;             /* enum brood_job_flags */
	uint32_t attempt;                       /* the first attempt is 1 */
	uint16_t flags, extra, tag_size;        /* flags: RING_*. extra: how many extra fds. */
	_Alignas(64) char name[BROOD_NAME_MAX]; /* the function's name; may lack its NUL */
};
_Static_assert(sizeof(struct ring_entry) == 128, "whole cache lines");
struct ring_down {
	_Atomic uint64_t published;
	/* Written by the engine: it has copied the replies of all jobs up to this sequence. */
	_Alignas(64) _Atomic uint64_t collected;
	_Alignas(64) struct ring_entry entries[RING_DEPTH];
	/* of the entries with RING_LOAN, at the same numbers */
	_Alignas(64) struct ring_loan loans[RING_DEPTH];
	_Alignas(64) _Atomic uint64_t gone[RING_LOANS]; /* the loan that was freed last, a place */
	_Alignas(4096) unsigned char bytes[RING_DOWN_BYTES];
};

struct ring_up {
	_Atomic uint64_t done;
	_Atomic uint32_t cpu; /* where the worker runs: see ring_queue.cpu */
	_Alignas(64) _Atomic uint32_t callers[RING_DEPTH];
	_Alignas(64) struct ring_done dones[RING_DEPTH];
	_Alignas(4096) unsigned char bytes[RING_UP_BYTES];
};
/*
 * callers: a word for each job whose entry says RING_CALLER, on which the thread that made the call
 * sleeps. That thread stores CALLER_SLEEPS (or CALLER_DONE_FD, if it sleeps in the queue's epoll),
 * looks once more at `done`, and sleeps while the word is unchanged. Whoever changes the word to
 * CALLER_TOLD wakes the thread: the worker after `done`; or the engine, when another thread took
 * the completion, or the job moves.
 */
enum caller_state { CALLER_NONE, CALLER_SLEEPS, CALLER_DONE_FD, CALLER_TOLD };
#define CALLER_WORD(sequence, state) ((uint32_t)(sequence) << 2 | (uint32_t)(state))

#endif
