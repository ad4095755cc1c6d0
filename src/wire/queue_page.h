/* SPDX-License-Identifier: MIT */
/* queue_page.h - the page that the engine writes for all leases of a queue: see ring.h. */
#ifndef BROOD_WIRE_QUEUE_PAGE_H
#define BROOD_WIRE_QUEUE_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

struct ring_queue {
	_Atomic uint32_t listening;
	/* the CPU of the engine's thread (os/cpu.h): who shares it does not spin; 0: nobody does */
	_Atomic uint32_t cpu;
};

#endif
