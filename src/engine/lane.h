/* SPDX-License-Identifier: MIT */
/*
 * lane.h - the fast way: jobs to workers that this engine has on lease. What the files of it share.
 *
 *   lane.c      a lane's life; its jobs, ids and functions
 *   loan.c      how a lease is asked for, and how it ends
 *   ring.c      into the ring and out of it (wire/ring.h)
 *   settle.c    what becomes of jobs when their lease ends, or is damaged
 *   pump.c      what has happened: events
 *   submit.c    the public calls of queues
 *   direct.c    call, open and give on a lease
 *   keep.c      explicit leases
 *   stream.c    submitted jobs that are handed off
 *   sleep.c     threads that wait
 *   pipe.c      large requests and replies of calls
 *   lanes.c     all lanes at once
 *   pool/pick.c which lease takes the next job
 *   behind.c    jobs that stand behind others
 *   side.c      fds to a worker, and back
 *   crowd.c     whose lease a call takes
 *   callers.c   threads that share the leases
 *
 * A lane is what has leases: each brood_queue is one, each thread that makes calls has one (and all
 * of them have one in common, for when they are more than workers), each brood_lease is one with a
 * single lease for life, and the brood has one of its own for what is opened and given. What two
 * lanes do for a job touches no memory that both write: that is why a thread has its own.
 *
 * Locks, in this order: brood.lanes_lock (which lanes there are), lane.lock (all of a lane),
 * brood.lock (the channel, the records of handoffs and leases). So whoever reads the channel, under
 * brood.lock, cannot touch a lane: it leaves what it read with the lease or the handle, puts that
 * on lane.inbox (guarded by brood.lock) and pokes the lane.
 *
 * One verdict a job: lane_close() is the only place where a lane's job gets its verdict.
 */
#ifndef BROOD_ENGINE_LANE_H
#define BROOD_ENGINE_LANE_H

#include "../pool/pick.h"
#include "../wire/ring.h"
#include "ending.h"
#include "internal.h"

#define LANE_TICK_MS 5 /* between two tries to get what was refused */
/* a function that nobody has seen end counts as long from then on */
#define LANE_LONG_NS (5 * NS_PER_MS)
/* on an explicit lease with a job: how often it is looked whether its worker lies */
#define LANE_LIE_TICK_MS 1000
/* jobs that a worker may do for callers before one of them has run */
#define CALLERS_AHEAD    6
#define LANE_EVENTS      64 /* at once */
#define LANE_BUFFER_KEPT (64u << 10)
#define LANE_TAKEN_MAX   16 /* workers may die under a job that has not started so often */

/* What a function is called, and how long it runs, as far as seen. */
struct function {
	brood_fn *fn;
	const char *text; /* the caller's, a literal: compared by address */
	uint32_t est_ns;  /* PICK_UNKNOWN: nobody knows yet */
	char name[BROOD_NAME_MAX];
};

/*
 * What an event of a lane's epoll is about: the low four bits; for a lease its place in the table
 * and that place's serial, for a stream the job's id stand above.
 */
enum {
	LANE_EVENT_WAKE = 1,
	LANE_EVENT_TICK,
	LANE_EVENT_CHANNEL,
	LANE_EVENT_LOG,
	LANE_EVENT_BELL,
	LANE_EVENT_LINK,
	LANE_EVENT_STREAM,
	LANE_EVENT_OVER
};
#define LANE_EVENT_KIND(data) ((unsigned)((data) % 16))
#define LANE_EVENT_LEASE(lease, kind) \
	((uint64_t)(lease)->serial << 32 | (uint64_t)(lease)->index << 4 | (kind))
#define LANE_EVENT_JOB(job) ((job)->id << 4 | LANE_EVENT_STREAM)

struct lane_fds {
	size_t count;
	int fds[BROOD_JOB_FDS_MAX];
};

enum lane_job_state { JOB_NEW, JOB_WAITING, JOB_RINGED, JOB_STREAMED, JOB_CLOSED };
struct lane_job {
	/* WAITING: lane.queue. CLOSED: lane.results or lane.taken. Else none */
	struct list link;
	enum lane_job_state state;
	uint64_t id, sequence;
	struct lease *lease; /* RINGED */
	const struct function *function;
	struct function *own_function; /* when the lane's table was full */
	uint32_t job_flags, queue_ms, run_ms, grace_ms, retries, attempts, moved;
	uint64_t given_ns, waiting_until;
	uint32_t queued_ns;
	bool reply_lost;     /* no memory, no fd for it */
	bool cancelled, ran; /* ran: an attempt had started; before is its verdict */
	struct brood_verdict before;

	/*
	 * what it is about. bytes: the argument, plugin text, and the request, while it is in no
	 * ring
	 */
	uint32_t arg_size, plugin_size;
	uint64_t request_size; /* BROOD_SIZE_UNKNOWN: a conversation */
	unsigned char *bytes;
	bool alone; /* behind no other job */
	/* a call or conversation that waits: counted in brood.lanes_waiting */
	bool in_backlog;
	bool own_pair;     /* its socket, as in JOB */
	bool socket_job;   /* open, give: its result is a handle's */
	int memfd, socket; /* -1 */
	/* socket and extra are not here: the worker has them, or the side socket's queue */
	bool fds_out;
	struct lane_fds *extra; /* NULL */

	/* who wants to know */
	brood_done_fn *on_done;
	brood_progress_fn *on_progress;
	/* not told yet: a call's by its own thread, a submitted job's by who delivers */
	struct list progress;
	uint32_t progress_count;
	struct list talks; /* lane.talkers */
	/* somebody tells it now, without the lock; closed meanwhile: the result waits for that */
	bool telling, held;
	struct brood_handle *handle; /* open, give */
	bool waited;                 /* call: a thread sleeps for it, and takes it when CLOSED */
	struct sleeper *sleeper;     /* that thread, while it does */
	void *room;
	size_t room_size; /* call: where the reply goes */

	/* what came of it */
	struct brood_result result;
	/* of the library, for replies that have no other place */
	char *buffer;
	size_t buffer_size;
	void *mapped;
	size_t mapped_size; /* a reply that is a memfd */
	struct lane_fds *back;
	int back_memfd;
	bool back_came;
	struct stream *stream; /* STREAMED */
	struct pipe *pipe;     /* RINGED: its bytes go over a socket; NULL */
	bool piped;            /* its request does */
};

enum lease_state { LEASE_ASKED, LEASE_ACTIVE, LEASE_DYING, LEASE_OVER };
struct lease {
	struct lane *lane;
	struct list link; /* lane.leases */
	struct list idle; /* lane.idle when ACTIVE and nothing is in its ring */
	uint32_t index;   /* in lane.table */
	/* of that place: events of an earlier lease there are not ours */
	uint32_t serial;
	enum lease_state state;
	uint64_t id; /* the record */
	pid_t pid;
	uint32_t slot, generation;
	int link_fd, bell_fd;
	/* the worker's end of the link: to take back what it did not read */
	int far_fd;
	struct identity link_identity, far_identity;
	uint64_t fds_sequence; /* of the last job that had fds of its own */
	struct ring_down *down;
	struct ring_up *up;
	struct desk *desk;
	struct ledger *ledger;
	uint32_t ledger_number; /* UINT32_MAX: it has none */
	struct ring_space space;
	uint64_t base, published, harvested;
	uint64_t cost_ns;    /* of what is in the ring, as estimated */
	uint64_t head_since; /* when the first of those in the ring became the first */
	/* the last job in the ring at the last look of behind.c, and when that was */
	uint64_t seen, seen_ns;
	struct lane_job *jobs[RING_DEPTH]; /* NULL: withdrawn */
	uint64_t ends[RING_DEPTH];
	uint32_t costs[RING_DEPTH];
	const struct function *named[RING_DEPTH]; /* whose name stands in the entry */
	/* the last sequence that the worker knows of; the earliest deadline of those it does not */
	uint64_t said, look_due;
	uint32_t unsaid;
	bool to_wake, damaged, ended_by_us, stalled;
	struct pick_doubt doubt;
	/* under brood.lock */
	struct list inbox;
	bool has_lent, has_over;
	struct message_lent lent;
	struct message_lease_over over;
};

/* A thread that waits for something of a lane, on its own stack, while it sleeps. */
struct sleeper {
	struct list link;              /* lane.followers; the leader: none */
	struct sleeper **chain, *next; /* of those that wait for the same; NULL: that was there */
	_Atomic uint32_t woken;        /* what a follower sleeps on: SLEEPER_* */
	_Atomic uint32_t *word;        /* or this one, in a ring: see callers.c. NULL: woken */
	/* what stands there while it may sleep; and when it shall not */
	uint32_t asleep, told;
};
enum { SLEEPER_SLEEPS, SLEEPER_WOKEN, SLEEPER_MOVED };

enum lane_kind { LANE_OWN, LANE_QUEUE, LANE_THREAD, LANE_KEPT, LANE_CALLERS };
struct lane {
	struct list link; /* brood.lanes, under lanes_lock */
	struct brood *brood;
	enum lane_kind kind;
	pthread_mutex_t lock;
	int epoll_fd, wake_fd, tick_fd, control_fd;
	struct ring_lane *control;
	bool gone;  /* the fds are not ours any more, or all is lost */
	bool freed; /* no callback any more */
	/* in epoll_wait() on it, or about to come back from there; NULL */
	struct sleeper *leader;
	struct list followers;
	uint32_t waking; /* waking: of these, woken and not yet here */
	/* waiting for results; for a lease to come or to end, or a conversation to begin */
	struct sleeper *takers, *lookers;
	uint64_t timer_at;   /* when the timer fires; TIME_NEVER: it is not set */
	bool timer_soon;     /* it was set to fire within PICK_STAND_NS */
	uint32_t delivering; /* callbacks run: wakes wait for their end */

	uint64_t next_id, last_id; /* of the block that it has */
	struct lane_job **jobs;    /* by id; a power of two */
	size_t jobs_room, jobs_out, jobs_limit;
	/* of these, calls and conversations: no result of theirs is ever taken */
	size_t others_out;
	struct list spare; /* lane_jobs that nobody has */
	size_t spare_count;
	struct function **functions;

	struct list queue;
	size_t queued;
	size_t told_queued; /* of these the page for the supervisor knows */
	uint64_t queued_ns; /* what they will take, as estimated */
	uint64_t queue_due; /* the first of them has waited for too long then, or later */
	/* results, and verdicts of handles, that nobody was told of yet */
	uint32_t news, handle_news;
	bool wakes; /* some lease is to_wake */
	/* its epoll is in brood.lanes_fd: brood_stop() waits for it. Under lanes_lock */
	bool watched;
	bool polled;    /* somebody has its fd: listen whenever nobody looks */
	uint32_t looks; /* without a system call, in a row */
	/* who holds the lock takes the results: nobody else need be woken for them */
	bool taking;
	bool delivering_next;  /* and delivers: a poke has done its work */
	struct list talkers;   /* submitted jobs with progress that is to be told */
	_Atomic uint32_t refs; /* the lane's own, and one of each handle */
	_Atomic bool orphan;   /* LANE_THREAD without a thread */
	struct list callbacks; /* closed: on_done is to be called */
	/* closed: to be delivered; delivered by brood_take() and still the caller's to look at */
	struct list results, taken;
	size_t results_count, taken_count;

	struct list leases, idle;
	struct lease **table;
	uint32_t table_size, serial;
	/* stalled: of those in use, with a job that takes long */
	uint32_t active, asked, stalled, leases_limit;
	uint32_t ringed, streamed; /* jobs in rings, and handed off */
	uint32_t busy;             /* leases in use with a job in the ring, or a withdrawn one */
	struct lease *warm;        /* that got the last job; NULL */
	uint64_t ask_again;        /* not before: the last wish was refused */
	bool ask_held;             /* one more is wanted then */
	enum brood_detail refused; /* why; NONE: it was not */

	struct list inbox; /* leases, under brood.lock */
	/* handles whose verdict came (handed-off submits), under brood.lock */
	struct list handles;
	_Atomic bool inbox_full;
	struct lease *kept; /* LANE_KEPT */
	pid_t pid;
	uint32_t slot, generation; /* of its worker */
	bool kept_over;

	struct {
		uint64_t submitted, dropped, redispatched, retried, verdicts[BROOD_OUTCOMES];
	} stats;
};

/* Of the request: what lies in the ring, or with the job. */
static inline size_t lane_job_bytes(const struct lane_job *job)
{
	bool elsewhere = job->request_size == BROOD_SIZE_UNKNOWN || job->memfd >= 0 || job->piped;

	return elsewhere ? 0 : (size_t)job->request_size;
}

static inline void lane_lock(struct lane *l) { pthread_mutex_lock(&l->lock); }
void lane_promote(struct lane *l);
/* for those that dispatch */
static inline bool lane_has_news(const struct lane *l)
{
	return l->news > 0 || l->handle_news > 0 || !list_empty(&l->talkers);
}
static inline void lane_unlock(struct lane *l)
{
	if (l->queued != l->told_queued)
		ending_tell_waiting(l);
	if (!l->leader && l->waking == 0 && !list_empty(&l->followers))
		lane_promote(l);
	pthread_mutex_unlock(&l->lock);
}

/* lane.c */
int lane_new(struct brood *b, enum lane_kind kind, struct lane **ret);
/* no lock held; its memory stays while a handle has it */
void lane_free(struct lane *l);
void lane_put(struct lane *l); /* one reference less */
/* made when first asked for; NULL: errno-like text was set */
struct lane *lane_own(struct brood *b);
/* that of all callers without a lease of their own */
struct lane *lane_callers(struct brood *b);
/* this thread's, if it has one */
struct lane *lane_thread_has(void);
/* this thread's; NULL: it has none, and there are as many as workers */
struct lane *lane_thread(struct brood *b);
/* a job with its own copy of nothing yet: NEW. -EAGAIN: full */
int lane_order(struct lane *l, const struct given *order, struct lane_job **ret);
/* what outlives the call: bytes that no ring has, dups of fds */
int lane_job_keep(struct lane_job *job, const struct given *order);
/* OPEN to CLOSED: to the results, the handle or the caller */
void lane_close(struct lane *l, struct lane_job *job, const struct brood_verdict *verdict);
void lane_out_of_backlog(struct lane *l, struct lane_job *job);
void lane_refuse(struct lane *l, struct lane_job *job, enum brood_detail detail);
/* gives back its id and itself */
void lane_job_free(struct lane *l, struct lane_job *job);
void lane_watch_for_stop(struct lane *l); /* under lanes_lock too */
struct lane_job *lane_find(struct lane *l, uint64_t id);
/* another id, before anybody knows the first one */
void lane_renumber(struct lane *l, struct lane_job *job);
void lane_unqueue(struct lane *l, struct lane_job *job);              /* from there */
void lane_wait_for(struct lane *l, struct lane_job *job, bool front); /* to lane.queue */
/* and do without them from now on */
void lane_close_fds(struct lane *l);
/* any lock: whoever leads there, or polls its fd, looks again */
void lane_poke(struct lane *l);
bool lane_function_callable(const struct given *order);
struct lane_fds *lane_fds_free(struct lane_fds *fds);

/* loan.c */
/* for one more. 0 or -errno */
int loan_ask(struct lane *l, uint32_t limit_ms, uint32_t wait_ms);
/* what whoever read the channel left for it */
void lane_inbox(struct lane *l);
void loan_inbox(struct lane *l); /* LENT, LEASE_OVER */
/* asks the supervisor to take it back */
void loan_end(struct lease *lease);
/* the same for all that were asked for and are not lent yet */
void loan_unask(struct lane *l);
void loan_kill(struct lease *lease, uint64_t sequence, uint32_t cause);
void loan_look(struct lease *lease);
void loan_free(struct lease *lease);
void loan_drop(struct lease *lease);
/* its lane goes: LEASE_OVER will find nobody */
void loan_abandon(struct lease *lease);
/* under brood.lock, for channel.c */
/* it closed, or has progress */
void lane_inbox_handle(struct brood_handle *handle);
int loan_heard(struct brood *b, const struct frame *f); /* 0, -EBADMSG */
void loan_not_asked(struct lease *lease, enum brood_detail detail);

/* ring.c */
/*
 * order: the request's bytes; NULL: the job has them. 0; -ENOBUFS: no room now; -errno: with this
 * lease not at all
 */
int ring_publish(struct lease *lease, struct lane_job *job, const struct given *order);
/* to its worker: what was published since */
void ring_say(struct lease *lease);
void ring_wake(struct lease *lease);
/* 0: it is nobody's now (NEW again, with its bytes); -EBUSY: it runs; -ENOMEM */
int ring_withdraw(struct lease *lease, struct lane_job *job);
/* the same without asking: the worker is gone. -ENOMEM: its bytes are lost */
int ring_rescue(struct lease *lease, struct lane_job *job);
/* what it had written of its reply when its worker died; for its result */
void ring_so_far(const struct lease *lease, struct lane_job *job);
/* whose job it was */
void ring_verdict_of(const struct lease *lease, struct brood_verdict *v);
void ring_harvest(struct lease *lease);
void ring_hear(struct lease *lease); /* the link */
static inline uint64_t ring_used(const struct lease *lease)
{
	return lease->published - lease->harvested;
}

/* settle.c */
/* LEASE_OVER is there: each job still in its ring goes on somehow */
void settle_over(struct lease *lease);
/* no new ones; what has not begun goes elsewhere */
void settle_dying(struct lease *lease);
void settle_lost(struct lease *lease);
/* it sent nonsense: have it killed */
void settle_damaged(struct lease *lease);
/* a retry that its options allow */
bool settle_again(struct lane *l, struct lane_job *job, const struct brood_verdict *verdict);

/* pump.c; under the lane's lock */
/* the queue to the leases; asks for more */
void lane_assign(struct lane *l);
/* a NEW job: into a ring now (true), else it waits (its bytes kept by the caller) */
bool lane_place(struct lane *l, struct lane_job *job, const struct given *order);
void lane_flush(struct lane *l); /* wake whom that needs */
/* one with nothing to do, that nobody wants back; NULL */
struct lease *lane_idle(struct lane *l);
/* what can be seen in memory alone */
void lane_glance(struct lane *l);
/* this thread is in a callback of it */
bool lane_delivers(const struct lane *l);
/* what has happened, without waiting */
void lane_look(struct lane *l);
struct epoll_event;
/* what lane_look() does, with what the epoll said */
void lane_heard(struct lane *l, const struct epoll_event *events, int n);
void lane_hear_channel(struct lane *l, bool logs);
/* callbacks, without the lock; how many results came that were not counted before */
int lane_deliver(struct lane *l);
void lane_tell_own(struct lane *l, struct lane_job *job); /* a call's progress */
/* keeps it for whoever is to tell; dropped when there are too many */
void lane_progress(struct lane *l, struct lane_job *job, const struct message_progress *m);
/* some was put into job.progress */
void lane_progress_came(struct lane *l, struct lane_job *job);
/* closed: to those that deliver */
void lane_result(struct lane *l, struct lane_job *job);
void lane_give_up(struct lane *l, enum brood_detail detail); /* all jobs are lost */
/* with their locks; no lock of ours held */
void lanes_each(struct brood *b, void (*each)(struct lane *l, void *context), void *context);
/*
 * A lease that is over keeps its ledger, memory and fds until its lane looks, and a lane that
 * nobody uses never does: another one looks there. Under that one's lock, and waits for no other.
 */
void lanes_tidy(struct lane *own);

/* sleep.c; under the lane's lock */
/* lets go of the lock until something may have happened, and has looked */
void lane_sleep(struct lane *l, struct sleeper **chain, uint64_t until);
/* the same, for who knows the time */
void lane_sleep_from(struct lane *l, struct sleeper **chain, uint64_t now, uint64_t until);
/* what these wait for is there */
void lane_wake(struct lane *l, struct sleeper **chain);
/* something is, that one of them can take */
void lane_wake_one(struct lane *l, struct sleeper **chain);
/* workers tell of each completion from now on. true: one came before they knew */
bool lane_listening(struct lane *l);
/*
 * for those that poll its fd: workers tell from now on, and what they did meanwhile makes it
 * readable
 */
void lane_listen(struct lane *l);
/* the same by who does not deliver: so does what it found for others */
void lane_tell(struct lane *l);
/* somebody looks: no telling needed */
void lane_quiet(struct lane *l);

/* the same, piece by piece, for callers.c */
void sleeper_in(struct sleeper *s, struct sleeper **chain);
void sleeper_out(struct sleeper *s);
void sleeper_rouse(struct lane *l, struct sleeper *s);
int sleeper_lead(struct lane *l, struct sleeper *s, struct epoll_event *events, uint64_t now,
	uint64_t until);

/* callers.c; under the lane's lock */
/* until something of it may have happened, and has looked */
void caller_sleep(struct lane *l, struct lane_job *job);
/* about to be published */
void caller_ringed(struct lease *lease, struct lane_job *job, uint64_t sequence);
void caller_unringed(struct lease *lease, struct lane_job *job); /* withdrawn, or rescued */
void caller_closed(struct lane *l, struct lane_job *job);
/* to be woken for that; NULL: nobody need be */
struct sleeper *caller_to_lead(struct lane *l);
void callers_left(struct lease *lease); /* its memory goes */
/* lets go of the lock, and wakes workers then */
void callers_leave(struct lane *l);

/* crowd.c; no lock but where a lane is given */
/* by which lane a call goes; NULL: no memory. frequent: this thread calls often */
struct lane *crowd_lane(struct brood *b, uint64_t now, bool frequent);
bool crowd_here(const struct brood *b, uint64_t now);
/*
 * under own's lock: there is no worker for it, nor will be soon. idle: some worker of the pool is
 */
bool crowd_lacks(struct brood *b, struct lane *own, bool idle, uint64_t now);

/* submit.c */
int lane_prepare(struct lane_job *job, const struct given *given, bool ring);
/* -EAGAIN: a call or conversation, and as many wait as the backlog has room for */
int lane_give(struct lane *l, struct lane_job *job, const struct given *given);
int lane_dispatch(struct lane *l);

/* stream.c */
/* 0 or -errno, with a sentence. The job has its bytes (lane_job_keep) */
int stream_begin(struct lane *l, struct lane_job *job, uint64_t *ret_id);
void stream_event(struct lane *l, struct lane_job *job);
void stream_inbox(struct lane *l);
void stream_cancel(struct lane *l, struct lane_job *job);
void stream_free(struct lane *l, struct lane_job *job);

#endif
