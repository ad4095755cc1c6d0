/* SPDX-License-Identifier: MIT */
/*
 * loan.h - struct brood_request: memory that the program fills with requests, and that workers only
 * read. Which workers have it mapped: lease_loans.h.
 */
#ifndef BROOD_ENGINE_LOAN_H
#define BROOD_ENGINE_LOAN_H

#include "../base/base.h"
#include "../os/identity.h"
#include <brood.h>
#include <pthread.h>
#include <stdatomic.h>

struct given;
struct ring_down;
struct slot_page;

/* A worker on lease that has the memory mapped. */
struct loan_place {
	struct list link;           /* in brood_request.places; guarded by its lock */
	struct brood_request *loan; /* NULL: the place is free */
	uint64_t id; /* the memory file that the worker has: brood_request.id at that time */
	struct ring_down *down;
	struct slot_page *page;
	uint32_t number; /* the place's number in `down` */
};

struct brood_request {
	/* guarded by: nothing; set once, or atomic */
	struct brood *brood;
	unsigned char *memory;
	size_t size, mapped;
	/* The program holds one of each, a job both, a place `holders` alone. */
	_Atomic uint32_t holders, users;
	/* No two memory files have the same id. */
	_Atomic uint64_t id;
	_Atomic bool tainted; /* an undead worker may still read the memory */
	pthread_mutex_t lock;
	/* guarded by: lock, which is a leaf: taken under any other lock */
	int fd;
	struct identity identity;
	struct list places;
};

/*
 * Checks options.request, which is set, of a job whose request is known, and sets given.loan. 0;
 * -EINVAL; -errno: an undead worker has the memory, and there is none to take its place.
 */
int loan_check(const struct brood *b, struct given *given);
/* A job uses the loan from now on, until loan_release(). */
struct brood_request *loan_hold(struct brood_request *loan);
/* Returns NULL. */
struct brood_request *loan_release(struct brood_request *loan);
/*
 * A worker that has the memory was killed and does not end: it may read on, for ever. Puts other
 * memory with the same bytes at the same address. The job that this worker had is still out, so
 * nobody writes to the memory meanwhile.
 */
void loan_taint(struct brood_request *loan);

/* The memory file to send; -EBADF: the program has closed it. */
int loan_fd(struct brood_request *loan);
/* The worker of this place has the memory file `id` from now on. */
void loan_enter(struct brood_request *loan, struct loan_place *place, uint64_t id);
/* The place is free again; its worker is told nothing. */
void loan_leave(struct loan_place *place);

#endif
