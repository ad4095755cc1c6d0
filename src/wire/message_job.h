/* SPDX-License-Identifier: MIT */
/* message_job.h - messages about one job: see message.h. */
#ifndef BROOD_WIRE_MESSAGE_JOB_H
#define BROOD_WIRE_MESSAGE_JOB_H

#include <brood.h>

/* The most bytes that follow JOB, RUN or a ring's entry: argument, plugin's text and tag. */
#define MESSAGE_ARG_MAX (BROOD_ARG_MAX + BROOD_TAG_MAX)

/*
 * JOB: followed by arg_size bytes: the argument, plugin_size bytes of a plugin's text, tag_size
 * bytes of the tag. `id` modulo the number of job records (same in engine and supervisor) names its
 * record: the engine gives no id whose record is out.
 */
struct message_job {
	uint64_t id;
	uint64_t fn;
	uint64_t request_size; /* BROOD_SIZE_UNKNOWN for a conversation */
	uint64_t given_ns;     /* when the caller gave it, CLOCK_MONOTONIC */
	uint32_t flags;        /* enum brood_job_flags */
	/* resolved: no zeros for defaults; UINT32_MAX forever */
	uint32_t queue_ms, run_ms, grace_ms;
	/*
	 * that the supervisor may make: for open and give. A call's are made by the engine's
	 * library, which has the request
	 */
	uint32_t retries;
	uint32_t retry_on; /* enum brood_retry: after what */
	uint32_t pause_ms; /* before each attempt but the first */
	uint32_t attempt;  /* attempts made before this message */
	uint32_t arg_size;
	/* of those bytes, behind the argument: "path\0symbol\0"; 0: fn is the function */
	uint32_t plugin_size;
	/*
	 * 1: the socket is one of a pair that the library made for this job: blocking, without
	 * linger, and nobody else has set anything on it
	 */
	uint32_t own_pair;
	uint32_t pool; /* whose workers may do it */
	/* of those bytes, the last, with their NUL; 0: the job has no tag */
	uint32_t tag_size;
	uint32_t priority, pad; /* enum brood_priority */
	char name[BROOD_NAME_MAX];
}; /* fds: the job's socket, then the extra ones */
/* RUN: followed by arg_size bytes, as JOB. */
struct message_run {
	uint64_t id, sequence; /* sequence: of the slot page word */
	uint64_t fn;
	uint64_t request_size;
	uint64_t soft_ns; /* the soft step, CLOCK_MONOTONIC; UINT64_MAX never */
	uint32_t attempt, arg_size;
	uint32_t plugin_size;
	uint16_t own_pair, tag_size;
	char name[BROOD_NAME_MAX];
};
/*
 * CANCEL of a job; LEASE_END; LEASE_LOOK: the engine published a job whose run time ends before
 * lease_page.look_at; WORN: why, as the enum says (once a worker, and the worker works on)
 */
enum { WORN_JOBS = 1, WORN_MEMORY, WORN_WISH };
struct message_about {
	uint64_t id;
};
struct message_verdict {
	struct brood_verdict verdict;
}; /* fds: those of the reply */
/* told: enum brood_verdict_flags. The last two: where they are accounted. fds: of the reply */
struct message_finished {
	uint64_t id, sequence;
	int32_t code;
	uint32_t left;
	uint32_t flags, told;
	uint64_t cpu_us, peak_kb;
};
/* RETIRING: the worker ends by itself now */
enum {
	FINISHED_REFUSED_POINTER = 1,
	FINISHED_RETIRING = 2,
	/* the job's fds did not arrive; fn was not entered. Comes with RETIRING */
	FINISHED_NO_FD = 4,
	/* worker_memory refused the job memory */
	FINISHED_MEMORY = 16,
	/* with RETIRING: nothing is wrong, it was to do one job */
	FINISHED_PLANNED = 32,
	/* it could not be opened; fn was not entered */
	FINISHED_NO_PLUGIN = 8
};
enum { ESCAPED_LONGJMP = 1, ESCAPED_THREAD_EXIT };
struct message_escaped {
	uint64_t id, sequence;
	uint32_t how, pad;
};
/* sent cut after its NUL */
struct message_job_log {
	uint64_t id;
	uint32_t level, pad;
	char text[400];
};
/* sent whole */
struct message_progress {
	uint64_t id, sequence;
	uint32_t size, pad;
	unsigned char data[BROOD_PROGRESS_MAX];
};

#endif
