/* SPDX-License-Identifier: MIT */
/* residue.h - what a job left behind, and what that costs the worker. */
#ifndef BROOD_WORKER_RESIDUE_H
#define BROOD_WORKER_RESIDUE_H

#include <stdbool.h>
#include <stdint.h>

struct ending {
	uint32_t left;
	bool retiring; /* the worker is of no more use */
};
/* After a job that made system calls. ran_ns: how long it ran */
struct ending residue_look(uint64_t ran_ns);

#endif
