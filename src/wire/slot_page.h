/* SPDX-License-Identifier: MIT */
/*
 * slot_page.h - a page a slot. A worker keeps its own and unmaps the others; the supervisor and the
 * engine keep all.
 *
 * One word tells which job runs, so that a kill cannot hit job N+1. The supervisor stores
 * ASSIGNED(N) and sends RUN. The worker swaps ASSIGNED(N) to RUNNING(N) before the first
 * instruction of fn, and RUNNING(N) to DONE(N) after its last. Whoever wants to kill job N swaps
 * ASSIGNED(N) or RUNNING(N) to CONDEMNED(N), and kills only if this swap succeeds. A worker whose
 * swap fails waits to be killed.
 *
 * On a lease the word goes from DONE(N-1) (FREE at first) to RUNNING(N) to DONE(N) without the
 * supervisor; condemning swaps DONE(N-1) or RUNNING(N) to CONDEMNED(N).
 *
 * A worker that scribbles on its own page harms itself alone: what the supervisor and the engine
 * read there only decides about that worker. Processes that its jobs make do not have the page
 * (os/shm.h, shm_keep_from_children()): so a process that outlives the worker does not write by
 * mistake to the page of the slot's next worker. Hostile code could make its memory writable again.
 *
 * Programs outside read the page as struct brood_status_worker (status.c has the asserts).
 */
#ifndef BROOD_WIRE_SLOT_PAGE_H
#define BROOD_WIRE_SLOT_PAGE_H

#include <brood.h>
#include <stdatomic.h>

enum slot_page_state {
	SLOT_PAGE_FREE,
	SLOT_PAGE_ASSIGNED,
	SLOT_PAGE_RUNNING,
	SLOT_PAGE_DONE,
	SLOT_PAGE_CONDEMNED
};
#define SLOT_PAGE_WORD(sequence, state) ((uint64_t)(sequence) << 3 | (state))
#define SLOT_PAGE_STATE(word)           ((enum slot_page_state)((word) % 8))
#define SLOT_PAGE_SEQUENCE(word)        ((word) >> 3)

#define SLOT_PAGE_STANDARD UINT32_C(0x80000000)

/*
 * Exit codes of workers that end themselves. The code alone proves nothing, for a job may exit with
 * the same code. So the library also writes the code into the slot page (gave_up) before it ends
 * the worker.
 */
enum worker_exit {
	WORKER_EXIT_ORDERLY = 0,
	WORKER_EXIT_BIRTH = 70, /* the kernel refused something that a worker needs */
	WORKER_EXIT_INIT = 71,  /* worker_init did not return 0, or left its frame */
	/* The channel is gone, is another file now, or carried nonsense. */
	WORKER_EXIT_CHANNEL = 72,
	WORKER_EXIT_SLOT_PAGE = 73, /* the slot page word makes no sense: a job wrote there */
	WORKER_EXIT_ESCAPED = 74,   /* a job left its frame; ESCAPED was sent before */
	/* On lease: the ring makes no sense, or the side socket carried nonsense. */
	WORKER_EXIT_RING = 75,
};

/*
 * At the start of the slot's page. A job can write all of it, so nobody but the slot's own worker
 * may trust what stands there.
 */
struct slot_page {
	_Atomic uint64_t word;
	/* When job N began, as the worker says. Stored before RUNNING(N). */
	_Atomic uint64_t began_ns;
	/*
	 * Written by the supervisor, before it sends the signal: the sequence of the last job that
	 * was told to end. No job has 0.
	 */
	_Atomic uint64_t soft;
	/* Written by the worker as it dies: worker_memory refused it memory. */
	_Atomic uint32_t memory;
	/* Written by the supervisor before `soft`: why that job was told to end, a BROOD_TOLD_*. */
	_Atomic uint32_t soft_cause;
	/* Written by the worker: the last job to which brood_job_cancelled() said yes. */
	_Atomic uint64_t noticed;
	/* The function of the last job that began; a plugin's: 0. For programs outside. */
	_Atomic uint64_t fn;
	/*
	 * 0: no process lives that a job or hook of this worker made. The worker stores 1 before
	 * code of the program can make a process, and 0 when it has seen that none is left. If the
	 * worker dies in between, the 1 tells the supervisor to look for strays.
	 */
	_Atomic uint32_t offspring;
	/*
	 * A worker on lease sleeps on this word (futex). The engine adds 1 after it has published a
	 * job, and the supervisor after a recall: then the worker wakes, or does not fall asleep.
	 */
	_Alignas(64) _Atomic uint32_t wake;
	/*
	 * 1: the worker sleeps on `wake`, or is about to, and wants to be woken. The worker sets
	 * this word, looks for jobs once more (seq_cst), and sleeps.
	 */
	_Atomic uint32_t asleep;
	/*
	 * The flags that stdout and stderr had before the job that runs, with SLOT_PAGE_STANDARD,
	 * if the engine shares the file; 0: nothing is to be put back.
	 */
	_Atomic uint32_t standard[2];
	/*
	 * 1: a job made system calls since the supervisor looked for strays. The worker sets this
	 * and says CALLED. The supervisor clears it before it looks.
	 */
	_Atomic uint32_t called;
	/* 1: the supervisor has sent something: read the channel before the next job. */
	_Atomic uint32_t attention;
	/* enum worker_exit, written right before the library ends the worker. 0: it has not. */
	_Atomic uint32_t gave_up;
	/* Function and tag of the last job that began, for log lines. They may lack their NULs. */
	_Alignas(64) char name[BROOD_NAME_MAX];
	char tag[BROOD_TAG_MAX];
};

#endif
