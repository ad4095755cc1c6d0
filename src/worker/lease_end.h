/* SPDX-License-Identifier: MIT */
/* lease_end.h - LEFT, and the look at what trusted jobs left, which may bring it. */
#ifndef BROOD_WORKER_LEASE_END_H
#define BROOD_WORKER_LEASE_END_H

#include "worker_lease.h"

/* LEFT. flags: FINISHED_RETIRING; left: what the last job left behind */
void lease_end_say(const struct worker_lease *l, uint32_t flags, uint32_t left);
/* The worker is of no more use. */
void lease_end_retire(struct worker_lease *l, uint32_t left) __attribute__((noreturn));
/* what was put off; does not return where it costs the worker */
void lease_end_look(struct worker_lease *l);

#endif
