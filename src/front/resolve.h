/* SPDX-License-Identifier: MIT */
/*
 * resolve.h - struct brood_options as the rest of the library wants it: a copy of its own, no zeros
 * for defaults, arrays valid for the life of the process.
 */
#ifndef BROOD_RESOLVE_H
#define BROOD_RESOLVE_H

#include <brood.h>

struct resolved {
	struct brood_options options;
	/* options.queue_ms of a submitted job: no limit unless the pool's is set */
	uint32_t submit_queue_ms;
	void *memory; /* what the pointers in options point into */
};

/* 0, -EINVAL or -ENOMEM with a sentence in brood_error(). NULL: all defaults. */
int resolve_options(const struct brood_options *options, struct resolved *ret);
void resolve_free(struct resolved *r);

#endif
