/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of this folder share. See engine.c for who owns what.
 */
#ifndef BROOD_ENGINE_INTERNAL_H
#define BROOD_ENGINE_INTERNAL_H

#include "../base/base.h"
#include "../base/list.h"
#include "../os/fds.h"
#include "../wire/frame.h"
#include "engine.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_ALIVE 0x62726f6f642e656eull
/* how soon to try again what the kernel refused for another reason than a full socket */
#define OUT_RETRY_MS 5
/* how long a job waits for room in the socket when nobody polls brood_fd() */
#define OUT_PATIENCE_MS 1000
#define LOG_ROUND       32 /* lines a round, so that a flood of them does not keep a caller */

enum engine_state { ENGINE_RUNNING, ENGINE_STOPPING, ENGINE_STOPPED };

/* errors.c */
/* sets the text, returns error */
int engine_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* the same for what the kernel said */
int engine_fail_system(int error, const char *what);
int engine_fail_gone(void);    /* -ENOTCONN */
int engine_fail_stopped(void); /* -ESHUTDOWN */
/* the errno of a call whose job ended like that; 0: done, failed */
int engine_fail_verdict(const struct brood_verdict *verdict);

/*
 * A thread inside the library. Begin checks that this is the engine, before any lock, and holds
 * cancellation off; the end is scoped.
 */
struct visit {
	bool began;
	int cancel_state;
};
int visit_begin(struct visit *visit, const struct brood *b);
void visit_end(struct visit *visit);
#define VISIT(name) struct visit name __attribute__((cleanup(visit_end))) = { false, 0 }

/*
 * A thread that blocks: an eventfd of its own to be woken by. Kept for the next thread when it
 * leaves.
 */
struct waiter {
	/*
	 * in brood.followers while it sleeps and does not lead, in brood.spare while nobody has it;
	 * else in none
	 */
	struct list link;
	int efd;    /* -1: there was none to be had; it looks every few ms */
	bool poked; /* efd is readable */
	bool state; /* waits for a state of the pool, not (only) for a verdict */
};

/* progress.c: lists of what jobs said; no lock of its own */
#define PROGRESS_MAX 256
struct progress {
	struct list link;
	brood_progress_fn *on;
	void *context;
	uint64_t id;
	uint32_t size;
	unsigned char data[BROOD_PROGRESS_MAX];
};
bool progress_add(
	struct list *to, brood_progress_fn *on, void *context, const struct message_progress *m);
uint32_t progress_move(struct list *from, struct list *to); /* how many */
/* calls back, no lock held */
void progress_tell(struct list *from);
void progress_free(struct list *from);

/* A job as its owner sees it. On the heap for open and give, on the caller's stack for call. */
struct brood_handle {
	struct brood *brood;
	uint64_t id;        /* on the wire */
	uint64_t public_id; /* of the first attempt */
	uint64_t given_ns;
	struct waiter *waiter; /* the thread that sleeps for it, NULL */
	bool closed;           /* the verdict is there. Set once, never unset */
	bool cancelled;        /* between two attempts of a call: no more of them */
	bool waited;           /* a thread is in brood_wait() for it */
	struct list calls;     /* in brood.calls, if it may be retried */
	/*
	 * whose inbox gets it when it closes: a handed-off submit; or where its job is: open and
	 * give on a lease. NULL
	 */
	struct lane *lane;
	struct list inbox;         /* lane.handles */
	struct lane_job *lane_job; /* under the lane's lock */
	/* under the lane's lock: the thread that waits for it */
	struct sleeper *lane_sleepers;
	_Atomic bool lane_closed; /* that one has its verdict; it stands here */
	brood_progress_fn *on_progress;
	void *progress_context;
	struct list progress;
	uint32_t progress_count;
	int reply_fds[BROOD_JOB_FDS_MAX];
	size_t reply_fds_count;
	struct brood_verdict verdict;
	char name[BROOD_NAME_MAX];
};

/* A job as the supervisor sees it: occupied from JOB to VERDICT, whatever became of the handle. */
/* lease: that it asked for; then there is no handle. ledger: of a lease whose lane is gone */
struct record {
	uint64_t id;
	struct brood_handle *handle;
	struct lease *lease;
	uint32_t ledger;
	bool cancel_sent;
};

/* A frame that the socket did not take yet. */
struct out {
	struct list link;
	uint64_t job; /* JOB: its id; else 0 */
	uint8_t type;
	size_t fds_count;
	int fds[SOCKETS_FDS_MAX]; /* ours */
	size_t size;
	unsigned char bytes[]; /* header and message, as on the wire */
};
enum out_state { OUT_OPEN, OUT_FULL, OUT_LATER };

/* Jobs that the stop refused or lost: how many, and the first of them. */
struct drops {
	_Atomic uint64_t count;
	uint64_t first;
	char name[BROOD_NAME_MAX];
};

struct brood {
	/* ENGINE_ALIVE in the engine; wiped to 0 in what it forks, never set in workers */
	_Atomic uint64_t *alive;
	struct brood_options options; /* resolved; its arrays are not looked at */
	struct shared shared;
	pid_t supervisor_pid;
	uint32_t submit_queue_ms; /* what options.queue_ms is for a submitted job */
	/* not ours to close. -1: the program did it, and the numbers may be anybody's */
	int channel_fd, log_fd;
	struct identity channel;
	int epoll_fd, news_fd, timer_fd;
	size_t records_count;

	pthread_mutex_t lock; /* guards what follows */
	enum engine_state state;
	bool lost;                     /* the channel has ended */
	bool ready, degraded, stopped; /* what the supervisor said of the pool */
	uint32_t left;                 /* when it had stopped: processes that did not end */
	uint64_t last_id;
	struct record *records;
	uint64_t *taken;           /* a bit a record */
	_Atomic size_t out_count;  /* records taken; read without the lock as a hint */
	_Atomic size_t leases_out; /* of those, leases */
	struct list calls;         /* handles of calls that may be retried */

	struct list out; /* frames that wait for room in the socket, in order */
	enum out_state out_state;
	uint64_t out_retry;        /* OUT_LATER: when to try again */
	_Atomic bool fd_used;      /* brood_fd() was called: keep its epoll right */
	bool epoll_out, timer_set; /* what it watches for now */

	struct waiter *leader;    /* polls the channel for all, NULL */
	struct waiter *reader;    /* dispatches right now (under the lock): needs no poke */
	struct waiter dispatcher; /* stands for brood_dispatch() as the reader */
	struct list followers, spare;
	bool logging; /* a thread runs the log callback */
	bool log_ended;
	uint32_t news; /* verdicts that brood_dispatch() has not counted yet */
	bool news_set; /* news_fd is readable */

	uint32_t init_version;
	bool ready_said; /* NOTIFY_READY is on its way */
	uint64_t submitted, dropped, retried, refused, lost_jobs;
	/* of lanes that are no more */
	uint64_t lane_redispatched, lane_retried, lane_verdicts[BROOD_OUTCOMES];

	/* lanes: see lane.h */
	pthread_mutex_t lanes_lock, own_lock;
	struct list lanes;
	/* calls and conversations that wait for a lease: no more than the backlog */
	_Atomic uint32_t lanes_waiting;
	uint32_t thread_lanes;
	size_t lanes_open; /* brood_stop(): jobs of theirs without a verdict */
	bool *ledgers;     /* which are taken; under lock */
	uint32_t ledger_last;
	/* an epoll of all their epolls, once brood_stop() was called */
	int lanes_fd;
	int over_fd;             /* readable when all is over */
	_Atomic bool lanes_over; /* nothing will come any more */
	_Atomic bool refusing;   /* brood_stop() was called, or exit() */
	struct drops drops;
	struct lane *_Atomic own;
	struct lane *_Atomic callers; /* see crowd.c */
	_Atomic uint64_t crowd_until; /* 0: there has been none since */
};

static inline void engine_lock(struct brood *b) { pthread_mutex_lock(&b->lock); }
static inline void engine_unlock(struct brood *b) { pthread_mutex_unlock(&b->lock); }

/* records.c; under the lock */
/* an id of the caller's own. -EEXIST: its record is out */
int record_claim_as(struct brood *b, struct brood_handle *handle, uint64_t id);
/* handle may be NULL. 0 or -EAGAIN: all are out */
int record_claim(struct brood *b, struct brood_handle *handle, uint64_t *ret_id);
void record_unclaim(struct brood *b, uint64_t id);
struct record *record_find(struct brood *b, uint64_t id);
/* an id for a job that never gets out */
uint64_t record_fresh_id(struct brood *b);
void record_verdict(struct brood *b, const struct brood_verdict *verdict); /* from the wire */
/* made up here */
void record_give_up(struct brood *b, uint64_t id, enum brood_outcome outcome,
	enum brood_detail detail, bool started);
/* lost; also what stands in the queue */
void record_give_up_all(struct brood *b, enum brood_detail detail);

/* handle.c */
int handle_cancel(struct brood *b, struct record *record); /* under the lock */

/* job.c: what open, give and call have in common */
struct given { /* a job that was checked */
	const struct engine_job *job;
	struct brood_job_options options; /* resolved */
	const struct iovec *request;
	size_t request_count;
	uint64_t request_size, given_ns;
	uint32_t attempt; /* made before this one */
	uint64_t id;      /* that it shall have; 0: any */
	int fd;           /* the worker's end; -1 */
	bool own_pair;    /* of a socketpair that we made */
	const void *arg;  /* with the plugin's text behind it */
	uint32_t arg_size, plugin_size;
	/* where both stand when there is a plugin; else nothing */
	unsigned char text[BROOD_ARG_MAX];
};
/* No lock. queue_ms: for a job whose own options say nothing. 0, -EINVAL, -EFAULT, -EBADF. */
int job_check(
	const struct brood *b, const struct engine_job *job, uint32_t queue_ms, struct given *ret);
/* what the job is about: 0, -EINVAL */
int job_request(struct given *given, const struct iovec *request, size_t count);
void job_name(char dst[BROOD_NAME_MAX], const char *name);
static inline const char *job_text(const struct given *given)
{
	return given->options.plugin ? given->options.symbol : given->job->name;
}
int job_full(struct brood *b); /* no lock, a hint: -EAGAIN when every record is out */
void job_handle_init(struct brood_handle *handle, struct brood *b, const struct given *given);
/*
 * Under the lock. 0: sent, given->fd is still the caller's to close; 1: queued, the fd is the
 * library's; -errno: not accepted. handle may be NULL.
 */
int job_send(struct brood *b, const struct given *given, struct brood_handle *handle);
int job_refused(struct brood *b, int error); /* counts it when it is a refusal; returns error */

/* out.c; under the lock */
/*
 * 0: sent, the fds are still the caller's; 1: queued: the first `owned` fds are the library's now,
 * the others were duplicated; -errno: neither.
 */
int out_send(struct brood *b, struct frame *f, uint64_t job, size_t owned);
/* after that: sees whether the supervisor is gone, sets the text, returns the errno to give */
int out_failed(struct brood *b, int error, const char *what);
void out_flush(struct brood *b);
void out_drop(struct brood *b, struct out *out);
/* init data and status: only the newest is worth sending. Looks at what was queued last */
void out_drop_older(struct brood *b);
/* OUT_LATER and the time has come */
bool out_due(const struct brood *b);
/* make the epoll watch for what is needed */
void out_watch(struct brood *b);
/* waits a little for room, unless somebody polls brood_fd() */
void out_patience(struct brood *b);

/* channel.c; under the lock */
/* until it is empty, or that handle has its verdict */
void channel_read(struct brood *b, struct waiter *reader, const struct brood_handle *until);
void channel_lost(struct brood *b);
void channel_all_over(struct brood *b); /* tells the lanes */
/* lets go of the lock for the callback */
void channel_log(struct brood *b, int limit);
bool channel_logs(const struct brood *b); /* worth polling log_fd */
/* the fd is still the channel; else all is lost now */
bool channel_ours(struct brood *b);
/* no log line is read any more */
void channel_deaf(struct brood *b);
/* brood_fd() says nothing any more */
void channel_leave(struct brood *b);
/* something for brood_dispatch() */
void channel_news(struct brood *b);

/* direct.c: by way of a lease; no lock held. */
/* 0; 1: hand it off; -errno: no job was given */
int direct_call(struct brood *b, const struct given *given, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict, ssize_t *ret_result);
/* the same; at 0 the fd is the library's. handle may be NULL */
int direct_give(struct brood *b, const struct given *given, struct brood_handle *handle);
/* it was handed off: a lease for the next ones, if they come often */
void direct_given(struct brood *b, const struct given *given);
int direct_wait(struct brood_handle *h, uint64_t until);
void direct_release(struct brood_handle *h);
int direct_cancel(struct brood *b, uint64_t id); /* 0, -ENOENT */
void direct_stats(struct brood *b, struct brood_stats *s);
/* brood_stop(): looks at all lanes */
size_t direct_drain(struct brood *b);
/* all that lanes have is lost */
void direct_over(struct brood *b);
void direct_polled(struct brood *b); /* somebody has brood_fd() */
/* the brood's own queue; how many results, -1: nobody has used it yet */
int direct_dispatch(struct brood *b);

/* wait.c; under the lock */
struct transfer;
struct wait {
	struct brood *brood;
	struct brood_handle *handle; /* NULL: a state of the pool */
	bool (*done)(const struct wait *wait);
	struct transfer *transfer; /* a call's bytes, moved meanwhile; NULL */
	uint64_t until;
	struct waiter *waiter;
};
int wait_until(struct wait *wait); /* 0 or -ETIMEDOUT */
void waiter_poke(struct waiter *waiter);
/* a state of the pool has changed */
void waiters_poke(struct brood *b);
/* tell whoever waits for it */
void waiter_closed(struct brood *b, struct brood_handle *handle);
struct waiter *waiter_free(struct waiter *waiter);
struct waiter *waiter_new(void);

/* transfer.c: the bytes of a call; the thread's own, no lock */
struct transfer {
	int fd;
	const char *request;
	size_t left; /* of the request */
	char *reply;
	size_t room, received; /* received: also what did not fit */
	bool writing, reading;
	int error; /* what the caller's buffers or the kernel spoilt */
	/* until then a reply may lie in the socket: the verdict ends the call, not its last byte */
	uint64_t quiet_until;
};
void transfer_begin(struct transfer *t, int fd, const struct engine_bytes *bytes);
void transfer_poll(
	struct transfer *t, uint64_t now, struct pollfd *ret_poll, uint64_t *inout_until);
void transfer_step(struct transfer *t, short revents);
/* the verdict is there: what lies in the socket, without waiting */
void transfer_finish(struct transfer *t);

#endif
