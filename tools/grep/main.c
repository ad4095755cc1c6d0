/* SPDX-License-Identifier: MIT */
/* brood-grep: starts the pool, runs the search, stops the pool. grep.h lists the files. */
#define _GNU_SOURCE
#include "grep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Memory of a worker: enough for a chunk, its matches, and the state tables of a well-meant
 * pattern. The shadow memory of a sanitizer does not fit.
 */
#if defined(__SANITIZE_ADDRESS__)
#define WORKER_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WORKER_MEMORY 0
#endif
#endif
#ifndef WORKER_MEMORY
#define WORKER_MEMORY (96u << 20)
#endif

/*
 * A worker's fall is expected, and the output names the pattern. Only trouble with the pool as a
 * whole is worth a line.
 */
static void log_line(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->level <= BROOD_ERR)
		complain("%s", log->text);
}

static int start(
	const struct grep_options *options, struct killer *killer, struct brood **ret_brood)
{
	struct brood_options pool = {
		.size = sizeof pool,
		.flags = BROOD_NO_CORE,
		.workers = options->workers,
		.run_ms = options->run_ms,
		.worker_memory = WORKER_MEMORY,
		.log = log_line,
		.title = "brood-grep",
	};
	if (killer) {
		pool.worker_init = killer_worker_init;
		pool.hook_context = killer;
	}
	int r = brood_start(&pool, ret_brood);
	if (r < 0)
		complain("%s", brood_error());
	return r;
}

static void report(struct brood *brood, uint64_t killed)
{
	struct brood_stats stats = { .size = sizeof stats };
	uint64_t verdicts = 0;
	brood_stats(brood, &stats);
	for (int i = 1; i < BROOD_OUTCOMES; i++)
		verdicts += stats.verdicts[i];
	complain("workers killed %" PRIu64 ", jobs %" PRIu64 ", run again %" PRIu64
		 ", verdicts lost %" PRIu64,
		killed, stats.submitted, stats.retried + stats.redispatched,
		stats.submitted - verdicts + stats.verdicts[BROOD_LOST]);
}

int main(int argc, char **argv)
{
	struct grep_options options;
	struct killer *killer = NULL;
	struct brood *brood = NULL;
	options_read(&options, argc, argv);
	if (options.kill_rate)
		killer = killer_new(options.kill_rate, options.workers);
	if (!options.in_process && start(&options, killer, &brood) < 0)
		return GREP_TROUBLE;
	if (killer)
		killer_start(killer);
	int code = options.rows ? rows_run(&options, brood) : lines_run(&options, brood);
	uint64_t killed = killer ? killer_stop(killer) : 0;
	if (brood && brood_stop(brood) < 0) {
		complain("%s", brood_error());
		code = GREP_TROUBLE;
	}
	if (options.kill_rate)
		report(brood, killed);
	free(options.patterns.text);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("write error: %s", strerror(errno));
		code = GREP_TROUBLE;
	}
	return code;
}
