/* SPDX-License-Identifier: MIT */
/* message_job.h - messages about one job: see message.h. */
#ifndef BROOD_WIRE_MESSAGE_JOB_H
#define BROOD_WIRE_MESSAGE_JOB_H

#include <brood.h>

/* The most bytes that follow JOB, RUN or a ring's entry: argument, plugin's text and tag. */
#define MESSAGE_ARG_MAX (BROOD_ARG_MAX + BROOD_TAG_MAX)

/*
 * JOB: followed by arg_size bytes: the argument, plugin_size bytes of a plugin's text, tag_size
 * bytes of the tag. `id` modulo the number of job records (same in engine and supervisor) is the
 * number of its record: the engine gives no id whose record is in use. FAULT has id, key, pool and
 * name: a job with a key, on a lease, has ended its worker (pool/poison.h).
 *
 * A job that is `carried` has a small request, and no socket. The request stands before the
 * argument: request_size bytes, which arg_size counts, too. A small reply comes back behind
 * FINISHED, and behind VERDICT. If the job asks for its socket, or its reply gets large, its worker
 * makes a socket pair, and SOCKET brings the engine's end.
 */
struct message_job {
	uint64_t id;
	uint64_t fn;
	uint64_t request_size; /* BROOD_SIZE_UNKNOWN: open or give, so there is no request */
	uint64_t given_ns;     /* when the caller gave the job, CLOCK_MONOTONIC */
	uint32_t flags;        /* enum brood_job_flags */
	/* Resolved: no zeros for defaults. UINT32_MAX: for ever. */
	uint32_t queue_ms, run_ms, grace_ms;
	/*
	 * How often the supervisor may retry: for open and give. The engine's library retries a
	 * call, since it has the request.
	 */
	uint32_t retries;
	uint32_t retry_on; /* the kinds of failure after which to try again: enum brood_retry */
	uint32_t pause_ms; /* the pause before each attempt but the first */
	uint32_t attempt;  /* how many attempts were made before this message */
	uint32_t arg_size;
	/*
	 * Size of the plugin's text, "path\0symbol\0", behind the argument. 0: fn is the function.
	 */
	uint32_t plugin_size;
	/*
	 * 1: the library made the socket pair for this job. The socket is blocking, without linger,
	 * and nothing else has been set on it.
	 */
	uint32_t own_pair;
	uint32_t pool; /* the pool whose workers may do the job */
	/* Bytes of the tag with its NUL, at the end of the arg_size bytes. 0: no tag. */
	uint32_t tag_size;
	uint32_t priority; /* enum brood_priority */
	uint32_t carried;  /* 1: request and reply travel in the messages */
	uint64_t key;      /* prefer the worker that had this key last; 0: none */
	char name[BROOD_NAME_MAX];
}; /* fds: the job's socket, unless it is carried; then the extra ones */
/* RUN: followed by arg_size bytes, as JOB. */
struct message_run {
	uint64_t id, sequence; /* sequence: as in the slot page word */
	uint64_t fn;
	uint64_t request_size;
	uint64_t soft_ns; /* when the soft step is due, CLOCK_MONOTONIC; UINT64_MAX: never */
	uint32_t attempt, arg_size;
	uint32_t plugin_size;
	uint16_t tag_size;
	uint8_t own_pair, carried;
	char name[BROOD_NAME_MAX];
};
/*
 * id: of CANCEL the job; of LEASE_END the lease; of LEASE_LOOK the lease on which the engine
 * published a job whose run time ends before lease_page.look_at; of TAKEN a job that has begun, and
 * whose files the supervisor has closed on its side (supervisor/copies.h); of WORN a cause from
 * this enum. A worker says WORN once, and works on.
 */
enum { WORN_JOBS = 1, WORN_MEMORY, WORN_WISH };
struct message_about {
	uint64_t id;
};
/* The most bytes of a carried reply: a record has room for them and the job's tag. */
#define MESSAGE_REPLY_MAX (MESSAGE_ARG_MAX - BROOD_TAG_MAX)

/* VERDICT: followed by arg_size bytes, the reply of a carried job. */
struct message_verdict {
	struct brood_verdict verdict;
	uint32_t arg_size, pad;
}; /* fds: those of the reply */
/*
 * FINISHED: followed by arg_size bytes, the reply of a carried job. told: enum brood_verdict_flags.
 * cpu_us, peak_kb: if the pool's options ask. fds: of the reply.
 */
struct message_finished {
	uint64_t id, sequence;
	int32_t code;
	uint32_t left;
	uint32_t flags, told;
	uint64_t cpu_us, peak_kb;
	uint32_t arg_size, pad;
};
/* What FINISHED says of the worker and the job. RETIRING: the worker ends by itself now. */
enum {
	FINISHED_REFUSED_POINTER = 1,
	FINISHED_RETIRING = 2,
	/* The job's fds did not arrive, so fn was not entered. Comes with RETIRING. */
	FINISHED_NO_FD = 4,
	/* worker_memory refused the job memory. */
	FINISHED_MEMORY = 16,
	/* Comes with RETIRING: nothing is wrong, the worker was to do one job. */
	FINISHED_PLANNED = 32,
	/* The plugin could not be opened, so fn was not entered. */
	FINISHED_NO_PLUGIN = 8
};
enum { ESCAPED_LONGJMP = 1, ESCAPED_THREAD_EXIT };
struct message_escaped {
	uint64_t id, sequence;
	uint32_t how, pad;
};
/* The text is cut after its NUL when it is sent. */
struct message_job_log {
	uint64_t id;
	uint32_t level, pad;
	char text[400];
};
/* The whole struct is sent, whatever the size of the data. */
struct message_progress {
	uint64_t id, sequence;
	uint32_t size, pad;
	unsigned char data[BROOD_PROGRESS_MAX];
};

#endif
