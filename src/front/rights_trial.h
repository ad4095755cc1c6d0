/* SPDX-License-Identifier: MIT */
/* rights_trial.h - finds out whether a worker can have the rights of its pool. */
#ifndef BROOD_FRONT_RIGHTS_TRIAL_H
#define BROOD_FRONT_RIGHTS_TRIAL_H

#include "../wire/pool_setup.h"

/* Tries the rights of each pool in a child, pool after pool. 0, or -errno with a sentence. */
int rights_trial(const struct pool_setups *pools);

#endif
