/* SPDX-License-Identifier: MIT */
/*
 * record.h - a job, or a request for a lease and then the lease, as long as the engine waits for
 * it. A record owns the job's fds until the verdict is decided. A running job and its slot point at
 * each other; slot.c joins them and cuts them apart.
 */
#ifndef BROOD_SUPERVISOR_RECORD_H
#define BROOD_SUPERVISOR_RECORD_H

#include "root.h"
#include "../wire/frame.h"
#include "../wire/trace_page.h"

/* A carried job: message_job.h. */
struct job_carried {
	bool has_socket;     /* its worker has made it a socket */
	int socket_fd;       /* the engine's end of the socket, until SOCKET is sent; else -1 */
	struct list untold;  /* in copies.sockets of the pool, while SOCKET waits */
	uint32_t reply_size; /* the bytes of the reply, at the beginning of `arg` */
};

struct job {
	struct record_link link; /* the first member, for records.h */
	struct pool *pool;
	/* True: a request or a lease; has `lease` and `grant`. False: a job; has `arg`. */
	bool is_lease;
	struct message_lease lease;
	struct message_job message;
	union {
		unsigned char arg[MESSAGE_ARG_MAX]; /* message.arg_size bytes */
		struct {
			struct message_granted granted;
			struct message_lease_over over;
		} grant;
	};
	struct list untold; /* in the pool's leases.untold, while GRANTED waits for the socket */
	struct list filed;  /* of a job: in copies.running or copies.untold of the pool */
	uint32_t files;     /* how many of the job's given files the supervisor has */
	bool files_gone;    /* it has closed them, since the job has begun */
	struct job_carried carried;
	/*
	 * A job has its socket and its extra fds here, and the reply's fds once it has finished. A
	 * request has the lease's five fds, until it is granted.
	 */
	int fds[1 + BROOD_JOB_FDS_MAX];
	uint32_t fds_count;
	uint32_t attempts, redispatched;
	uint32_t retries_left;
	bool for_key, key_waited; /* waits for its key's worker now; has waited once */
	uint64_t assigned_ns;
	struct slot *slot; /* the slot whose worker has the job or lease; NULL: none has */
	struct timer queue_timer;
	struct brood_verdict verdict; /* the decided verdict, until the engine's socket takes it */
	struct brood_verdict before;  /* if `ran`: the verdict of an earlier attempt */
	bool ran;
	bool replied; /* `fds` has the reply's fds */
	/* When the kernel first refused to pass the reply's fds on; 0: it did not. */
	uint64_t refused_ns;
};
_Static_assert(sizeof(struct job) <= 2200, "a pool has many of them");

static inline struct job *record_of(struct record_link *l)
{
	return l ? container_of(l, struct job, link) : NULL;
}
static inline bool record_is_pinned(const struct job *job)
{
	return job->lease.flags & LEASE_PINNED;
}
/* Finds the record of that id, of any pool. NULL: no such record is in use. */
static inline struct job *record_find(struct supervisor *s, uint64_t id)
{
	return record_of(records_find(&s->pools[0].records, id));
}
/* The job's tag with its NUL; "": the job has no tag. */
const char *record_tag(const struct job *job);
/* Sets up a record that was just claimed: all fields but arg, fds, lease. */
void record_begin(struct pool *pool, struct job *job, const struct message_job *m);
void record_take_fds(struct job *job, struct frame *f);
void record_close_fds(struct job *job);
/* Closes the fds that the job was given. The peer of its socket may be a client. */
void record_close_own_fds(struct job *job);
/* Closes the job's files while its worker has them open: no close() here is the last. */
void record_let_go_files(struct job *job);
/*
 * Closes the fds that the job was given, and puts the reply's fds in their place; the bytes of a
 * carried reply take the place of request and argument.
 */
void record_take_reply(struct job *job, struct frame *f);
/* The worker of a carried job has died: keeps what there is of the reply, for the last verdict. */
void record_take_so_far(struct job *job, const struct trace_page *page, uint64_t sequence);
/* True: FINISHED has no more bytes than a reply of this job can have there. */
bool record_reply_fits(const struct job *job, const struct message_finished *m);
/* The job's verdict is complete: the record waits until the engine's socket takes it. */
void record_end(struct job *job);
/* Ends a lease or request: LEASE_OVER waits for the engine's socket. how: LEASE_REFUSED etc. */
void record_end_lease(struct job *job, uint32_t how);

#endif
