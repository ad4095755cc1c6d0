/* SPDX-License-Identifier: MIT */
/* machine.h - on what a run was made: without this its figures say little. */
#ifndef BROOD_LOAD_MACHINE_H
#define BROOD_LOAD_MACHINE_H

#include <stdint.h>

struct machine {
	char cpu[128];      /* the model; "": not known */
	char kernel[160];   /* "Linux 6.1.0 x86_64" */
	unsigned cpus;      /* that this process may use */
	uint64_t memory;    /* bytes */
	double load_before; /* the average of the last minute, before the run; < 0: not known */
};
void machine_look(struct machine *ret);

#endif
