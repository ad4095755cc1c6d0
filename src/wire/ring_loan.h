/* SPDX-License-Identifier: MIT */
/* ring_loan.h - requests that lie in memory on loan, in neither half of a ring: see ring.h. */
#ifndef BROOD_WIRE_RING_LOAN_H
#define BROOD_WIRE_RING_LOAN_H

#include <stdint.h>

/*
 * Memory on loan: a file that only the engine can write (sealed like down), which the worker maps
 * to read. The worker has RING_LOANS places for such mappings and keeps them until the end of the
 * lease, so most jobs bring no file. RING_LOAN_FD: what was in the place before is unmapped. The
 * place RING_LOANS is none: the file is mapped for this job alone.
 *
 * A file that is no longer in use: the engine stores its id in `gone` at the number of its place,
 * then sets slot_page.attention, and wakes the worker. The worker unmaps what its place has, if it
 * has that id.
 */
#define RING_LOANS 16
struct ring_loan {
	uint64_t id, at, mapped; /* at: where the request begins. mapped: the size of the file. */
	uint32_t place;
};

#endif
