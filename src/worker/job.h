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

/*
 * The reply of a job on a ring without a socket. Positions count in the lease's space for replies.
 */
struct job_reply {
	uint64_t start, size; /* where the piece lies, unless the reply went elsewhere */
	bool elsewhere;       /* the reply went to a memfd or a socket, or is lost */
	int memfd;
	bool streams; /* the reply goes over job.stream */
	bool ended;   /* brood_job_reply() or brood_job_reply_memory() has ended the reply */
	void *room;   /* where the job fills the reply in place; NULL: it does not */
	int error;    /* negative: the reply is lost, for there was no room */
};

/* The fds beside the job's socket. */
struct job_extra {
	uint32_t count, taken; /* taken: a bit for each fd that the job took */
	int fds[BROOD_JOB_FDS_MAX];
	struct identity identities[BROOD_JOB_FDS_MAX];
};
_Static_assert(BROOD_JOB_FDS_MAX <= 32, "job_extra.taken has a bit for each");

/* Where a request of known size lies in memory. */
struct job_request {
	const unsigned char *bytes; /* NULL: the request comes over a socket */
	size_t read;                /* how far the job has read */
	bool asked;                 /* brood_job_request() has taken the request as a whole */
	void *mapped;
	size_t mapped_size; /* how much is to be unmapped */
};

/* What stands in for the worker in inline mode. */
struct job_inline {
	int fd;
	bool own_pair; /* fd is of a socket pair that the library made */
	uint64_t id;
	size_t request_size;
	const unsigned char *request; /* where the request lies; NULL: it comes over fd */
	const void *arg;
	size_t arg_size;
	const char *name;
	const char *tag; /* "": the job has no tag */
	/* Takes what brood_job_log() says; NULL: it is dropped. */
	void (*log)(void *log_context, const struct brood_log *log);
	void *log_context;
	/* The extra fds: this call closes them, except those that the job took. */
	const int *fds;
	size_t fds_count;
	/* Takes what brood_job_progress() says; NULL: it is dropped. */
	void (*progress)(void *progress_context, const void *data, size_t size);
	void *progress_context;
	/*
	 * Has room for BROOD_JOB_FDS_MAX fds. Those of brood_job_reply_fds() become the caller's.
	 * NULL: the job cannot reply fds.
	 */
	int *ret_fds;
	size_t *ret_fds_count; /* the caller sets it to 0 */
};

struct brood_job {
	uint64_t id, sequence, soft_ns;
	size_t request_size;
	brood_fn *fn;
	const void *arg;
	size_t arg_size;
	const char *tag; /* "": the job has no tag */
	uint32_t attempt;
	uint32_t plugin_size; /* bytes of a plugin's path and symbol, behind arg; 0: no plugin */
	/* The job is not watched for system calls: a full look for residue is due anyway. */
	bool unwatched;
	bool trusted;   /* BROOD_JOB_TRUSTED */
	bool no_plugin; /* the plugin could not be opened, so its function did not run */
	bool on_ring;
	/* The job came by a ring and has no socket: request and reply lie in memory. */
	bool bytes;
	int fd;                   /* the job's socket; -1: none */
	struct identity identity; /* which file fd was when it came */
	/* For a job on a ring: the library's socket for large bytes; -1: there is none. */
	int stream;
	struct identity stream_identity;
	/* A thread of the engine waits, and reads what the job writes to `stream`. */
	bool engine_waits;
	bool taken;                       /* the job took fd over: the library does not close it */
	_Atomic int cancel_fd;            /* -1: the job has not asked for it */
	const struct job_inline *in_line; /* not NULL: inline mode runs the job */
	struct job_request request;
	struct job_reply reply;
	struct job_extra extra;
	uint32_t back_count; /* fds for the reply: duplicates that the library owns */
	int back[BROOD_JOB_FDS_MAX];
	char name[BROOD_NAME_MAX];
};
/*
 * No job has one of these two as its sequence: the word of a slot page has 61 bits for a sequence.
 */
#define SEQUENCE_NONE   UINT64_MAX
#define SEQUENCE_INLINE (UINT64_MAX - 1)

/* Between jobs the_job has no fds and no memory. Taking a job sets the other members. */
extern struct brood_job the_job;
/*
 * Sets the job's argument, the text of its plugin and its tag, which lie one behind the other at
 * data; size: of all three. The job gets a copy, because a frame or ring entry is used again while
 * the job runs, and because brood_job_arg() promises an alignment for any type.
 */
void job_set_arg(
	struct brood_job *job, const void *data, size_t size, size_t plugin_size, size_t tag_size);

#endif
