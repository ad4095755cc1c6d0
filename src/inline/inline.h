/* SPDX-License-Identifier: MIT */
/*
 * inline.h - BROOD_INLINE: an engine without a supervisor, which runs its jobs itself. This header
 * has the public calls that differ in this mode, with the contracts of brood.h; all other calls are
 * the engine's.
 */
#ifndef BROOD_INLINE_H
#define BROOD_INLINE_H

#include "../engine/engine.h"

/*
 * Starts inline mode. pools: checked, with defaults filled in; the list, and the memory of `kept`,
 * stay valid until the process ends. Returns 0, or -errno: then brood_error() says why.
 */
int inline_start(
	const struct pool_setups *pools, const struct kept *kept, struct brood **ret_brood);
int inline_stop(struct brood *b);
int inline_fd(struct brood *b);
int inline_set_init_data(
	struct brood_pool *pool, const void *data, size_t size, const int *fds, size_t fds_count);
/*
 * All that brood_notify_*() do in this mode: the program is the service's main process itself, and
 * may notify the service manager without the library.
 */
int inline_check(struct brood *b);
/* Returns -ENOTSUP, for a call that is about workers. */
int inline_has_no_workers(struct brood *b, const char *call);
int inline_lease(
	struct brood *b, const struct brood_lease_options *options, struct brood_lease **ret);
void inline_lease_end(struct brood_lease *l);

#endif
