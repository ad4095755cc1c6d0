/* SPDX-License-Identifier: MIT */
/* worker_ring_pattern.h - bytes that are known at each place, and a job that replies them. */
#ifndef BROOD_TESTS_WORKER_RING_PATTERN_H
#define BROOD_TESTS_WORKER_RING_PATTERN_H

#include "../helpers/case.h"

#include <brood.h>
#include <stdlib.h>

static inline unsigned char pattern(size_t i) { return (unsigned char)(i ^ i >> 8 ^ i >> 16); }

/* Its request: how large, and in what pieces. */
struct wish {
	size_t size, piece;
};

static inline int replies(struct brood_job *job)
{
	struct wish w;
	unsigned char *data;

	if (brood_job_read_all(job, &w, sizeof w) != sizeof w)
		return 1;
	data = malloc(w.piece);
	for (size_t done = 0; data && done < w.size;) {
		size_t n = w.size - done < w.piece ? w.size - done : w.piece;

		for (size_t i = 0; i < n; i++)
			data[i] = pattern(done + i);
		if (brood_job_write(job, data, n) != (ssize_t)n)
			return 2;
		done += n;
	}
	free(data);
	return 0;
}

static inline void check_pattern(const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != pattern(i))
			FAIL("byte %zu of %zu: %u, %u", i, size, data[i], pattern(i));
}

#endif
