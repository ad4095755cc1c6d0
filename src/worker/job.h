/* SPDX-License-Identifier: MIT */
/*
 * job.h - a job as its function sees it: struct brood_job. The worker's own job is the_job; inline
 * mode has one on the stack of each thread that runs a job.
 */
#ifndef BROOD_WORKER_JOB_H
#define BROOD_WORKER_JOB_H

#include "../os/fds.h"

#include <brood.h>
#include <stdatomic.h>

/* Of a job of bytes on a ring. Positions are those of the lease's space. */
struct job_reply {
	uint64_t start, size; /* the piece, unless it went elsewhere */
	bool elsewhere;       /* to a memfd or a socket, or it is lost */
	int memfd;
	bool streams; /* it goes over job.stream */
	bool ended;   /* by brood_job_reply() */
	int error;    /* negative: there was no room for it, it is lost */
};

/* The fds beside the job's socket. */
struct job_extra {
	uint32_t count, taken; /* taken: a set */
	int fds[BROOD_JOB_FDS_MAX];
	struct identity identities[BROOD_JOB_FDS_MAX];
};
_Static_assert(BROOD_JOB_FDS_MAX <= 32, "job_extra.taken has a bit for each");

/* Where a request of known size lies in memory. */
struct job_request {
	const unsigned char *bytes; /* NULL: it comes over a socket */
	size_t read;                /* how far it was read */
	bool asked;                 /* by brood_job_request(), which takes it as a whole */
	void *mapped;
	size_t mapped_size; /* what of it is to be unmapped */
};

/* What stands in for the worker in inline mode. */
struct job_inline {
	int fd;
	bool own_pair; /* a socket pair that the library made */
	uint64_t id;
	size_t request_size;
	const void *arg;
	size_t arg_size;
	const char *name;
	const char *tag; /* "": none */
	/* where brood_job_log() goes; NULL: nowhere */
	void (*log)(void *log_context, const struct brood_log *log);
	void *log_context;
	/* extra ones: this call closes them, but those that the job took */
	const int *fds;
	size_t fds_count;
	/* where brood_job_progress() goes; NULL: nowhere */
	void (*progress)(void *progress_context, const void *data, size_t size);
	void *progress_context;
	/*
	 * room for BROOD_JOB_FDS_MAX: those of brood_job_reply_fds(), the caller's from now on.
	 * NULL: not a job that replies fds
	 */
	int *ret_fds;
	size_t *ret_fds_count; /* 0 before */
};

struct brood_job {
	uint64_t id, sequence, soft_ns;
	size_t request_size;
	brood_fn *fn;
	const void *arg;
	size_t arg_size;
	const char *tag; /* "": none */
	uint32_t attempt;
	uint32_t plugin_size; /* behind the argument; 0: fn is the function */
	/* its system calls do not matter: what is owed is a look at everything anyway */
	bool unwatched;
	bool no_plugin; /* it could not be had: fn was not entered */
	bool on_ring;
	/* on a ring, and has no socket: request and reply lie in memory */
	bool bytes;
	int fd;                   /* -1: none */
	struct identity identity; /* of the fd, when it came */
	/* on a ring: the library's socket for large bytes; -1: none */
	int stream;
	struct identity stream_identity;
	/* a thread of the engine waits, and reads what is written there */
	bool engine_waits;
	bool taken;                       /* the job's own: not ours to close */
	_Atomic int cancel_fd;            /* -1: not asked for */
	const struct job_inline *in_line; /* inline mode: not NULL */
	struct job_request request;
	struct job_reply reply;
	struct job_extra extra;
	uint32_t back_count; /* fds that go back with the reply: duplicates, ours */
	int back[BROOD_JOB_FDS_MAX];
	char name[BROOD_NAME_MAX];
};
#define SEQUENCE_NONE   UINT64_MAX /* no slot page has it: words have 61 bits for it */
#define SEQUENCE_INLINE (UINT64_MAX - 1)

/* Between two jobs it has no fds and no memory: whoever takes a job sets the other members. */
extern struct brood_job the_job;
/*
 * The argument, with the text of a plugin and the tag behind it; size: of all three. Copies: where
 * they came is used again while the job runs, and brood_job_arg() is aligned for anything.
 */
void job_set_arg(
	struct brood_job *job, const void *data, size_t size, size_t plugin_size, size_t tag_size);

#endif
