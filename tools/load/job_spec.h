/* SPDX-License-Identifier: MIT */
/*
 * job_spec.h - which jobs a run gives: their kinds and amounts of work, sizes, keys, tags and
 * priorities. The first part reads them from the command line; the second chooses one job. All of
 * it is pure: a choice is a function of the spec, the seed and the job's number alone. So it does
 * not matter which thread gives the job, and when.
 */
#ifndef BROOD_LOAD_JOB_SPEC_H
#define BROOD_LOAD_JOB_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
	KIND_NOP,
	KIND_ECHO,
	/* Jobs from here on read their argument. */
	KIND_CRASH,
	KIND_EXIT,
	KIND_FAIL,
	KIND_HANG,
	KIND_SPIN, /* value: ns of CPU time; 0: for ever */
	KIND_LEAK,
	KIND_THROW,
	KIND_FORK,
	KIND_SLEEP,    /* value: ns */
	KIND_ALLOC,    /* value: bytes */
	KIND_SYSCALLS, /* value: how many */
	KIND_USER      /* --user-job */
};
#define KINDS 14

#define JOB_SPEC_ITEMS_MAX  32
#define JOB_SPEC_SIZES_MAX  16
#define JOB_SPEC_TEXT       1024
#define JOB_SPEC_VALUE_TEXT 32

struct job_spec_item {
	enum kind kind; /* of the mix alone */
	uint64_t value; /* of the mix: as `enum kind` says; else the size, or enum brood_priority */
	double weight;
	uint64_t below; /* the item of a draw is the first one with `below` above the draw */
};
struct job_spec_list {
	struct job_spec_item item[JOB_SPEC_ITEMS_MAX];
	unsigned count;
};
struct job_spec {
	struct job_spec_list mix, sizes, priorities;
	uint64_t keys; /* how many; 0: jobs have no key */
	bool tags;
};

/* ---- reading --------------------------------------------------------------------------------- */

/* echo=1 of 64 bytes, of normal priority, without keys and tags. */
void job_spec_begin(struct job_spec *ret);

/*
 * The values of --mix, --size and --priority. 0; or -EINVAL, and then `why` is a sentence that says
 * what would be right, and *inout is unchanged.
 */
struct job_spec_why {
	char text[320];
};
int job_spec_mix(const char *text, struct job_spec *inout, struct job_spec_why *why);
int job_spec_sizes(const char *text, struct job_spec *inout, struct job_spec_why *why);
int job_spec_priorities(const char *text, struct job_spec *inout, struct job_spec_why *why);

/* The text from which the functions above make the same list again. */
void job_spec_mix_text(const struct job_spec *s, char ret[static JOB_SPEC_TEXT]);
void job_spec_sizes_text(const struct job_spec *s, char ret[static JOB_SPEC_TEXT]);
void job_spec_priorities_text(const struct job_spec *s, char ret[static JOB_SPEC_TEXT]);
/* The value of a kind as --mix would read it, as in 50us; "": it has none. */
void job_spec_value_text(enum kind kind, uint64_t value, char ret[static JOB_SPEC_VALUE_TEXT]);

const char *kind_name(enum kind kind);
double job_spec_weight(const struct job_spec *s, enum kind kind);
uint64_t job_spec_most(const struct job_spec_list *list, enum kind kind); /* the largest value */
/* True: some jobs end at their deadline alone. */
bool job_spec_is_stuck(const struct job_spec *s);

/*
 * True: all jobs of this kind end by themselves and leave nothing. So a process without a pool may
 * run them.
 */
bool job_spec_needs_no_pool(const struct job_spec *s, enum kind kind);
#define JOB_SPEC_NEEDS_NO_POOL \
	"nop, echo, sleep, spin with a time, alloc, syscalls, crash, exit and fail"

/* ---- choosing -------------------------------------------------------------------------------- */

struct job_choice {
	enum kind kind;
	uint64_t value; /* of the kind, see enum kind */
	size_t size;    /* of the request; 0 for all kinds but echo and user */
	uint64_t payload_key;
	uint64_t key;      /* 0: none */
	uint32_t priority; /* enum brood_priority */
	uint32_t variant;  /* for kinds that do the same in several ways */
};
void job_spec_choose(
	const struct job_spec *s, uint64_t seed, uint64_t number, struct job_choice *ret);

#endif
