/* SPDX-License-Identifier: MIT */
/* ring_done.h - the completion of a job on a ring, which the worker writes. */
#ifndef BROOD_WIRE_RING_DONE_H
#define BROOD_WIRE_RING_DONE_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	DONE_BACK = 1,  /* BACK came over the side socket */
	DONE_MEMFD = 2, /* the first fd of BACK is a memfd with the reply */
	/* The worker leaves now: LEFT follows on its channel. */
	DONE_RETIRING = 4,
	DONE_REFUSED_POINTER = 8,
	DONE_NO_FD = 16,
	DONE_NO_PLUGIN = 32, /* the plugin could not be opened; fn was not entered */
	DONE_MEMORY = 128,   /* worker_memory refused the job memory */
	/* The reply went over a socket: the request's, or one that came with BACK (SIDE_STREAM). */
	DONE_STREAM = 4096,
	/*
	 * The reply of reply_size bytes was lost, for lack of memory or an fd. The verdict says
	 * what fn returned, and the call says -ENOMEM.
	 */
	DONE_NO_ROOM = 64
};
#define DONE_TOLD_SHIFT  8 /* four bits from this one on: enum brood_verdict_flags */
#define DONE_TOLD(flags) ((uint32_t)(flags) >> DONE_TOLD_SHIFT & 15u)
#define DONE_FLAGS       8191u

struct ring_done {
	_Alignas(64) uint64_t sequence;
	uint64_t began_ns, ended_ns;
	uint64_t reply_size;
	/* Set if the pool's options ask for them. A larger figure becomes UINT32_MAX. */
	uint32_t cpu_us, peak_kb;
	uint32_t reply_at;
	int32_t code;
	uint16_t left, flags, extra;
	/*
	 * The claim on the job with this number: ring_claim.h. It stands here since the worker
	 * writes to this cache line anyway.
	 */
	_Atomic uint32_t claim;
};
_Static_assert(sizeof(struct ring_done) == 64, "a whole cache line");

#endif
