/* SPDX-License-Identifier: MIT */
/*
 * faults.h - keys whose jobs ended workers, as the engine counts them: of all jobs, whatever their
 * transport. The rule is that of pool/poison.h. The supervisor counts the same for its own queue
 * and for the log (supervisor/poisoned.c).
 */
#ifndef BROOD_ENGINE_FAULTS_H
#define BROOD_ENGINE_FAULTS_H

#include "pool_state.h"

/*
 * A job with this key ended its worker, at the time `at`. Under brood.lock. True: the key is on the
 * poison list.
 */
bool faults_count(struct brood_pool *pool, uint64_t key, uint64_t at);
/*
 * A job with this key, which is not 0, is to begin, or to be given. 0; -EKEYREJECTED: the key is on
 * the poison list. Takes brood.lock if any key is listed.
 */
int faults_refuse(struct brood_pool *pool, uint64_t key);
/* faults_refuse() for a caller that holds brood.lock. */
int faults_refuse_locked(struct brood_pool *pool, uint64_t key);

#endif
