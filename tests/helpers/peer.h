/* SPDX-License-Identifier: MIT */
/*
 * peer.h - the other end of an engine: a supervisor of a few lines, in the same process, so that a
 * test can say any frame at any moment. Needs neither workers nor Criterion: plain programs use it
 * too.
 *
 * Two ways: step by step (peer_job(), peer_verdict()), or served: peer_serve() starts threads that
 * take each JOB and do what its function names, in the manner of a worker: the job's function is
 * never called, it is looked up in a table. Every wait is bounded and CHECKed.
 */
#ifndef BROOD_TESTS_PEER_H
#define BROOD_TESTS_PEER_H

#include "../../src/base/base.h"
#include "../../src/engine/engine.h"
#include "../../src/wire/frame.h"
#include "proc.h"
#include "report.h"

#include <pthread.h>

#define PEER_WAIT_MS 10000

struct peer {
	struct brood_options options; /* change them before peer_start() */
	uint32_t submit_queue_ms;     /* the same; 0: no limit */
	struct shared shared;
	struct brood *brood;
	int channel, log;             /* the supervisor's ends */
	pthread_mutex_t lock;         /* peer_serve(): around the sending of verdicts */
	atomic_int stopping, serving; /* peer_serve(): STOP was heard; jobs that run */
};

void peer_init(struct peer *p); /* defaults; all jobs are handed off */
/* jobs that may be out: workers and backlog are made to fit */
void peer_start(struct peer *p, uint32_t records);
/* Closes the supervisor's ends: from now on the engine is alone. */
void peer_hang_up(struct peer *p);

bool peer_silent(struct peer *p); /* nothing from the engine lies in the channel */
/* the next frame, of that type; the test calls frame_done() */
void peer_hear(struct peer *p, struct frame *f, enum message_type type);
struct peer_job {
	uint64_t id;
	struct message_job message;
	char arg[BROOD_ARG_MAX];
	int fd;
};
/* the next frame, a JOB; fd is the test's */
void peer_job(struct peer *p, struct peer_job *ret);

void peer_say(struct peer *p, enum message_type type);
void peer_verdict(struct peer *p, const struct brood_verdict *verdict);
void peer_outcome(struct peer *p, uint64_t id, enum brood_outcome outcome);
void peer_log(struct peer *p, const char *text);
void peer_raw(int fd, const void *data, size_t size);

/*
 * Ends the job as a worker does: reads nothing more, shuts the socket down, closes it; then the
 * verdict.
 */
void peer_finish(struct peer *p, struct peer_job *job, enum brood_outcome outcome);

/* What a served job does, by its function. Returns the outcome. */
typedef enum brood_outcome peer_serve_fn(struct peer *p, struct peer_job *job);
struct peer_service {
	brood_fn *fn;
	peer_serve_fn *serve;
};
/*
 * One thread takes JOBs, until the channel ends or STOP (then it says STOPPED, after the last
 * verdict), and runs each in a thread of its own: verdicts come in any order. CANCEL is taken and
 * ignored. The table ends with fn NULL.
 */
pthread_t peer_serve(struct peer *p, const struct peer_service *services);

/* Functions to name in jobs; nobody calls them. */
int peer_fn_a(struct brood_job *job);
int peer_fn_b(struct brood_job *job);
int peer_fn_c(struct brood_job *job);
int peer_fn_d(struct brood_job *job);

/* Served: everything back, while it still reads; nothing at all; a short wait. */
enum brood_outcome peer_echo(struct peer *p, struct peer_job *job);
enum brood_outcome peer_nothing(struct peer *p, struct peer_job *job);

/* Shorthands for what tests do often. */
/* CHECKed; ret_fd NULL: closed */
struct brood_handle *peer_open(struct peer *p, brood_fn *fn, int *ret_fd);
/* the result; the fd is closed */
int peer_open_try(
	struct peer *p, const struct brood_job_options *options, struct brood_handle **ret_handle);
ssize_t peer_call(struct peer *p, brood_fn *fn, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict);
/*
 * The same in a thread of its own; peer_join() gives its result. What the pointers name must last
 * till then.
 */
pthread_t peer_call_later(struct peer *p, brood_fn *fn, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict);
pthread_t peer_call_with_later(struct peer *p, const struct brood_job_options *options,
	const struct engine_bytes *bytes, struct brood_verdict *ret_verdict);
ssize_t peer_join(pthread_t thread);
pthread_t peer_wait_later(struct brood_handle *handle);
pthread_t peer_wait_later_ms(struct brood_handle *handle, uint32_t timeout_ms);
bool peer_waited(struct brood_handle *handle); /* a thread sleeps for it now, or is about to */
int peer_engine_channel(struct peer *p);       /* the engine's end */
/* hears and forgets all that lies in the channel */
void peer_drop(struct peer *p);
bool peer_write_all(int fd, const void *data, size_t size);
bool peer_readable(int fd); /* now */
bool peer_readable_soon(int fd);

#endif
