/* SPDX-License-Identifier: MIT */
/*
 * ring_claim.h - whose a job in a ring is. One word a job, in the ring's way up (`dones`).
 *
 * The claim on job N is open while the word is still about job N - RING_DEPTH. The worker swaps the
 * word to TAKEN(N) before it begins. The engine may swap it to WITHDRAWN(N): a cancel, or the job
 * shall go to another worker. Whoever swaps first has the job. For the first round the engine makes
 * all claims WITHDRAWN when the lease begins: a claim of 0 makes no sense, for jobs may clear
 * memory that is not theirs.
 *
 * The engine writes there only to withdraw a job. A line that both write for each job would go to
 * and fro between their CPUs.
 */
#ifndef BROOD_WIRE_RING_CLAIM_H
#define BROOD_WIRE_RING_CLAIM_H

#include "lease_page.h"
#include "ring_done.h"

#include <stdbool.h>

enum claim_state { CLAIM_TAKEN = 1, CLAIM_WITHDRAWN };
#define CLAIM_WORD(sequence, state) ((uint32_t)(sequence) << 2 | (uint32_t)(state))

/* Neither side has the job yet. A word that makes no sense is not open. */
#define CLAIM_IS_OPEN(word, sequence)                                \
	((word) == CLAIM_WORD((sequence)-RING_DEPTH, CLAIM_TAKEN) || \
		(word) == CLAIM_WORD((sequence)-RING_DEPTH, CLAIM_WITHDRAWN))

/* Opens the claims on the first jobs of a lease, which come after `base`. */
static inline void ring_claims_open(struct ring_done dones[RING_DEPTH], uint64_t base)
{
	for (uint64_t n = base + 1; n <= base + RING_DEPTH; n++)
		atomic_store_explicit(&dones[n % RING_DEPTH].claim,
			CLAIM_WORD(n - RING_DEPTH, CLAIM_WITHDRAWN), memory_order_relaxed);
}

/* The engine's swap. True: the job is the engine's again. False: its worker was first. */
static inline bool ring_withdraw(struct ring_done dones[RING_DEPTH], uint64_t sequence)
{
	_Atomic uint32_t *claim = &dones[sequence % RING_DEPTH].claim;
	uint32_t found = atomic_load_explicit(claim, memory_order_relaxed);

	return CLAIM_IS_OPEN(found, sequence) &&
		atomic_compare_exchange_strong(
			claim, &found, CLAIM_WORD(sequence, CLAIM_WITHDRAWN));
}

#endif
