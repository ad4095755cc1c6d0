/* SPDX-License-Identifier: MIT */
/*
 * options.h - the parts of the command line. Each part is one file: options, the checks of what
 * they mean together, and their help. options.c puts the parts together.
 */
#ifndef BROOD_LOAD_OPTIONS_H
#define BROOD_LOAD_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

struct options;

#define OPTIONS_NOT_MINE 2 /* take() does not know the option */

struct options_part {
	const struct option *longs;
	unsigned longs_count;
	/* 0: taken; 1: all is done, exit with 0; -EINVAL: wrong, and said so */
	int (*take)(int option, const char *text, struct options *o);
	int (*together)(struct options *o); /* after the last option; NULL: nothing to check */
	const char *help;
};
extern const struct options_part options_give, options_jobs, options_pace, options_chaos,
	options_output, options_peer;

/* The values of long options. A part numbers its own from here on. */
enum {
	OPTIONS_GIVE_FIRST = 256,
	OPTIONS_JOBS_FIRST = 320,
	OPTIONS_PACE_FIRST = 384,
	OPTIONS_CHAOS_FIRST = 448,
	OPTIONS_OUTPUT_FIRST = 512,
	OPTIONS_PEER_FIRST = 576
};

/* True: some option kills processes. */
bool options_kill(const struct options *o);
/* True: some option asks for an open loop, or for figures of one. */
bool options_paced(const struct options *o);

#endif
