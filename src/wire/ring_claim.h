/* SPDX-License-Identifier: MIT */
/*
 * ring_claim.h - whose a job in a ring is. One word a job, in the ring's way up (`dones`).
 *
 * The claim on job N is open while the word is still about job N - RING_DEPTH, or 0. The worker
 * swaps the word to TAKEN(N) before it begins. The engine may swap it to WITHDRAWN(N): a cancel, or
 * the job shall go to another worker. Whoever swaps first has the job.
 *
 * The engine writes there only to withdraw a job. A line that both write for each job would go to
 * and fro between their CPUs.
 */
#ifndef BROOD_WIRE_RING_CLAIM_H
#define BROOD_WIRE_RING_CLAIM_H

#include "lease_page.h"

#include <stdbool.h>

enum claim_state { CLAIM_TAKEN = 1, CLAIM_WITHDRAWN };
#define CLAIM_WORD(sequence, state) ((uint32_t)(sequence) << 2 | (uint32_t)(state))

/* True: neither side has the job yet. A word that makes no sense is not open. */
static inline bool claim_is_open(uint32_t word, uint64_t sequence)
{
	return word == CLAIM_WORD(sequence - RING_DEPTH, CLAIM_TAKEN) ||
		word == CLAIM_WORD(sequence - RING_DEPTH, CLAIM_WITHDRAWN) || word == 0;
}

/* Swaps an open claim to TAKEN or WITHDRAWN. False: the word was *ret_found, and not open. */
static inline bool claim_swap(
	_Atomic uint32_t *claim, uint64_t sequence, enum claim_state to, uint32_t *ret_found)
{
	*ret_found = atomic_load_explicit(claim, memory_order_relaxed);
	return claim_is_open(*ret_found, sequence) &&
		atomic_compare_exchange_strong(claim, ret_found, CLAIM_WORD(sequence, to));
}

#endif
