/* SPDX-License-Identifier: MIT */
/* findings.h - what several of the reports make of a run's findings. */
#ifndef BROOD_LOAD_FINDINGS_H
#define BROOD_LOAD_FINDINGS_H

#include "load.h"
#include "machine.h"

struct about { /* what a run's figures do not say */
	int argc;
	char **argv;
	time_t when;
	struct machine machine;
};
void findings_about(int argc, char **argv, struct about *ret);

/* Gives back the memory of a run, before the next one has the same findings. */
void findings_free(struct findings *f);

/* Of all kinds of jobs together; free() it. NULL: no memory. */
struct histogram *findings_latency(const struct findings *f);

/* The series of all threads. False: there is none. */
bool findings_view(const struct findings *f, unsigned most, struct series_view *ret);

/* The length of the warm-up, which is not measured. */
uint64_t findings_warm_ns(const struct findings *f);

/* Parts of the run after the warm-up, of equal length, for comparing two runs. */
#define BATCHES_MAX 30
struct batch {
	double seconds;
	uint64_t given, verdicts, done;
	double p50_ns, p90_ns, p99_ns, p999_ns, max_ns; /* 0: no job ended */
};
/* Returns how many there are; a last one that would be shorter than half is left out. */
unsigned findings_batches(const struct findings *f, struct batch ret[BATCHES_MAX]);

#endif
