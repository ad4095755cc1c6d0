/* SPDX-License-Identifier: MIT */
/* given.h - a job that was checked, before any transport has it. */
#ifndef BROOD_ENGINE_GIVEN_H
#define BROOD_ENGINE_GIVEN_H

#include "../wire/message_job.h"
#include "engine.h"
#include <sys/uio.h>
#include <stdbool.h>

/* A job that was checked. */
struct given {
	const struct engine_job *job;
	struct brood_pool *pool;          /* the pool whose workers may do the job */
	struct brood_job_options options; /* the job's options, resolved */
	/* given_check_at() clears what follows, up to `text`. */
	uint32_t path; /* enum brood_path: what the program asked for */
	const struct iovec *request;
	size_t request_count;
	uint64_t request_size, given_ns;
	struct brood_request *loan; /* the memory in which the request lies; NULL: none */
	size_t loan_at;             /* where in that memory */
	uint32_t attempt;           /* how many attempts were made before this one */
	uint64_t id;                /* the id that the job shall have; 0: any */
	int fd;                     /* the worker's end of the socket; -1: none */
	/* fd belongs to a socketpair that the library made */
	bool own_pair;
	/* By handoff: the request goes in the message, and the job has no socket. */
	bool carried;
	const void *carried_request; /* request_size bytes */
	/* the argument, with the plugin's text and the tag behind it */
	const void *arg;
	/* arg_size: of argument, plugin text and tag together */
	uint32_t arg_size, plugin_size, tag_size;
	/* holds argument, plugin text and tag if the job has a plugin or a tag; else unused */
	unsigned char text[MESSAGE_ARG_MAX];
};

/*
 * Checks options that are not a job's and copies them to *dst. reserved: their reserved fields, in
 * *dst. 0, -EINVAL.
 */
int given_options(void *dst, size_t known_size, const void *src, const uint64_t *reserved,
	size_t reserved_count, const char *what);
/* The sum of the pieces' sizes; -EINVAL with a sentence: no request looks like that. */
int given_pieces(const char *call, const struct iovec *pieces, size_t count, size_t *ret_size);
/* Sets the request. The pieces were checked. */
void given_request(struct given *given, const struct iovec *request, size_t count);
/* True: the pool is one of the brood's. */
bool given_pool_known(const struct brood *b, const struct brood_pool *pool);
void given_name(char dst[BROOD_NAME_MAX], const char *name);
/*
 * Checks the job and its options. Takes brood.lock only if the job has a key and any key is on the
 * poison list. submitted: the job waits for a worker without limit, if nobody has set one. 0,
 * -EINVAL, -EFAULT, -EBADF, -EKEYREJECTED.
 */
int given_check(
	const struct brood *b, const struct engine_job *job, bool submitted, struct given *ret);
/* The same for a job of a batch, which was given at `now`. */
int given_check_at(const struct brood *b, const struct engine_job *job, bool submitted,
	uint64_t now, struct given *ret);

static inline const char *given_text(const struct given *given)
{
	return given->options.plugin ? given->options.symbol : given->job->name;
}
/* The job's tag; NULL: it has none. */
static inline const char *given_tag(const struct given *given)
{
	return given->tag_size ? (const char *)given->arg + given->arg_size - given->tag_size
			       : NULL;
}

#endif
