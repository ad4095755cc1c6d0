/* SPDX-License-Identifier: MIT */
/* faults.h - planted faults: each job calls a function that is guilty of its end. */
#ifndef BROOD_TESTS_FAULTS_H
#define BROOD_TESTS_FAULTS_H

#include <brood.h>

#ifdef __clang__
#define GUILTY __attribute__((noinline))
#else
#define GUILTY __attribute__((noinline, noclone))
#endif

struct fault {
	const char *name;
	brood_fn *fn;       /* NULL: the fault is in a plugin, or in worker_init */
	const char *guilty; /* the function's name begins so */
	uint32_t cause;     /* enum brood_report_cause */
	int signal;         /* 0: any */
	const char *waits;  /* what a stuck job waits for begins so; NULL: it was not looked at */
};

extern const struct fault faults[];
extern const size_t faults_count;

#ifdef __cplusplus
extern "C"
#endif
	int
	faults_throw(struct brood_job *job);
int faults_in_init(void *context);

#endif
