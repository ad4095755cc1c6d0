/* SPDX-License-Identifier: MIT */
/*
 * peer.h - a fake supervisor for tests of the engine. It runs in the engine's own process, so that
 * a test can send any frame at any moment. It needs neither workers nor Criterion: plain programs
 * use it, too.
 *
 * There are two ways to use it. Step by step: peer_job(), peer_verdict(). Or served: peer_serve()
 * starts threads, which take each JOB and do what a worker would do. They do not call the job's
 * function, but look it up in a table. Every wait is bounded and CHECKed.
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
	uint32_t submit_queue_ms;     /* change before peer_start(), too; 0: no limit */
	struct shared shared;
	struct brood *brood;
	int channel, log;             /* the supervisor's ends of channel and log socket */
	pthread_mutex_t lock;         /* peer_serve(): held while a verdict is sent */
	atomic_int stopping, serving; /* peer_serve(): STOP was received; how many jobs run */
};

void peer_init(struct peer *p); /* sets the defaults; all jobs are handed off */
/* as above, with room for so many jobs in workers and backlog */
void peer_start(struct peer *p, uint32_t records);
/* Closes the supervisor's ends: from now on the engine is alone. */
void peer_hang_up(struct peer *p);

bool peer_silent(struct peer *p); /* true if the channel holds nothing from the engine */
/* receives the next frame, which must be of this type; the test calls frame_done() */
void peer_hear(struct peer *p, struct frame *f, enum message_type type);
struct peer_job {
	uint64_t id;
	struct message_job message;
	char arg[BROOD_ARG_MAX];
	int fd;
};
/* receives the next frame, which must be a JOB; the test owns its fd */
void peer_job(struct peer *p, struct peer_job *ret);

void peer_say(struct peer *p, enum message_type type);
void peer_verdict(struct peer *p, const struct brood_verdict *verdict);
void peer_outcome(struct peer *p, uint64_t id, enum brood_outcome outcome);
void peer_log(struct peer *p, const char *text);
void peer_raw(int fd, const void *data, size_t size);

/*
 * Ends a job as a worker does: stops reading, shuts the socket down, closes it. Then sends the
 * verdict.
 */
void peer_finish(struct peer *p, struct peer_job *job, enum brood_outcome outcome);

/* What a served job does. Returns the outcome. */
typedef enum brood_outcome peer_serve_fn(struct peer *p, struct peer_job *job);
struct peer_service {
	brood_fn *fn;
	peer_serve_fn *serve;
};
/*
 * One thread takes JOBs until the channel ends or STOP comes (then it sends STOPPED after the last
 * verdict). Each job runs in a thread of its own, so verdicts come in any order. CANCEL is taken
 * and ignored. The table ends with fn NULL.
 */
pthread_t peer_serve(struct peer *p, const struct peer_service *services);

/* Functions for jobs to name. Nobody calls them. */
int peer_fn_a(struct brood_job *job);
int peer_fn_b(struct brood_job *job);
int peer_fn_c(struct brood_job *job);
int peer_fn_d(struct brood_job *job);

/* For tables of peer_serve(): sends all bytes back while it reads; does nothing. */
enum brood_outcome peer_echo(struct peer *p, struct peer_job *job);
enum brood_outcome peer_nothing(struct peer *p, struct peer_job *job);

/* Shorthands for what tests do often. */
/* opens a job, CHECKed; with ret_fd NULL its fd is closed */
struct brood_handle *peer_open(struct peer *p, brood_fn *fn, int *ret_fd);
/* returns the result of opening; closes the fd */
int peer_open_try(
	struct peer *p, const struct brood_job_options *options, struct brood_handle **ret_handle);
ssize_t peer_call(struct peer *p, brood_fn *fn, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict);
/*
 * The same in a thread. peer_join() returns its result. What the pointers name must last until
 * then.
 */
pthread_t peer_call_later(struct peer *p, brood_fn *fn, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict);
pthread_t peer_call_with_later(struct peer *p, const struct brood_job_options *options,
	const struct engine_bytes *bytes, struct brood_verdict *ret_verdict);
ssize_t peer_join(pthread_t thread);
pthread_t peer_wait_later(struct brood_handle *handle);
pthread_t peer_wait_later_ms(struct brood_handle *handle, uint32_t timeout_ms);
/* waits until a thread sleeps for this job, or is about to */
bool peer_waited(struct brood_handle *handle);
int peer_engine_channel(struct peer *p); /* the engine's end of the channel */
/* receives and drops all frames in the channel */
void peer_drop(struct peer *p);
bool peer_write_all(int fd, const void *data, size_t size);
bool peer_readable(int fd); /* now */
bool peer_readable_soon(int fd);

#endif
