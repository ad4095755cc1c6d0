/* SPDX-License-Identifier: MIT */
/* faults_plugin.c - a plugin that crashes. */
#include <brood.h>

int plugin_job(struct brood_job *job);

static __attribute__((noinline)) int guilty_plugin(volatile int *at) { return *at + 1; }

int plugin_job(struct brood_job *job)
{
	(void)job;
	return guilty_plugin((volatile int *)0) + 1;
}
