/* SPDX-License-Identifier: MIT */
/* peer.c - see peer.h. */
#define _GNU_SOURCE
#include "peer.h"

#include "../../src/engine/job_record.h"
#include "../../src/engine/engine_root.h"
#include "../../src/os/sockets.h"
#include "../../src/os/text.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_fn_a(struct brood_job *job) { return job != NULL; }
int peer_fn_b(struct brood_job *job) { return 2 + (job != NULL); }
int peer_fn_c(struct brood_job *job) { return 4 + (job != NULL); }
int peer_fn_d(struct brood_job *job) { return 6 + (job != NULL); }

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

bool peer_readable(int fd) { return readable(fd, 0); }
bool peer_readable_soon(int fd) { return readable(fd, test_scaled(PEER_WAIT_MS)); }

void peer_init(struct peer *p)
{
	memset(p, 0, sizeof *p);
	p->options = (struct brood_options){
		.size = sizeof p->options,
		.workers = 2,
		.queue_ms = 1000,
		.run_ms = 2000,
		.grace_ms = 30,
		.drain_ms = 100,
		.stop_ms = 100,
		.dispatch = BROOD_PATH_HANDOFF, /* this peer grants no leases */
	};
	p->channel = p->log = -1;
	pthread_mutex_init(&p->lock, NULL);
}

void peer_start(struct peer *p, uint32_t records)
{
	static struct pool_setup pool;
	struct engine_config config = { .options = &p->options,
		.pools = { .list = &pool, .count = 1 },
		.shared = &p->shared,
		.records = records,
		.supervisor_pid = getppid() };
	int messages[2], logs[2];

	p->options.workers = MIN(p->options.workers, records);
	/* there are as many records as jobs, and none for leases */
	p->options.backlog = records - p->options.workers;
	pool = (struct pool_setup){ .name = "main",
		.options = p->options,
		.submit_queue_ms = p->submit_queue_ms ? p->submit_queue_ms : BROOD_FOREVER };
	CHECK_EQ(text_snapshot(), 0);
	CHECK_EQ(shared_create(p->options.workers, 1, &p->shared), 0);
	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, messages), 0);
	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, logs), 0);
	config.channel_fd = messages[0];
	config.log_fd = logs[0];
	p->channel = messages[1];
	p->log = logs[1];
	CHECK_EQ(engine_prepare(&config, &p->brood), 0);
	CHECK_EQ(engine_adopt(p->brood), 0);
}

void peer_hang_up(struct peer *p)
{
	p->channel = close_fd(p->channel);
	p->log = close_fd(p->log);
}

/* ---- hearing ---- */

bool peer_silent(struct peer *p) { return !readable(p->channel, 0); }

void peer_hear(struct peer *p, struct frame *f, enum message_type type)
{
	int r;

	CHECK_MSG(readable(p->channel, test_scaled(PEER_WAIT_MS)), "waited for type %d", (int)type);
	r = frame_receive(p->channel, f, MSG_DONTWAIT);
	CHECK_EQ(r, 1);
	CHECK_EQ(f->header.type, type);
}

static void say(int fd, struct frame *f)
{
	struct pollfd out = { .fd = fd, .events = POLLOUT };
	int r;

	while ((r = frame_send(fd, f)) == -EAGAIN)
		CHECK_GT(poll(&out, 1, test_scaled(PEER_WAIT_MS)), 0);
	CHECK(r == 0 || r == -EPIPE || r == -ECONNRESET);
}

/* Gives a carried job a socket, as the worker of a job does that asks for its socket. */
static int make_socket(struct peer *p, const struct frame *f)
{
	const char *request = frame_rest(f);
	struct frame socket;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK(peer_write_all(pair[0], request, f->job.request_size));
	shutdown(pair[0], SHUT_WR);
	frame_begin(&socket, MESSAGE_SOCKET)->asked.socket.id = f->job.id;
	socket.fds[socket.fds_count++] = pair[0];
	say(p->channel, &socket);
	close(pair[0]);
	return pair[1];
}

static void job_of_frame(struct peer *p, struct frame *f, struct peer_job *ret)
{
	size_t request = f->job.carried ? f->job.request_size : 0;

	ret->message = f->job;
	ret->message.arg_size -= request;
	ret->id = f->job.id;
	memcpy(ret->arg, (const char *)frame_rest(f) + request, ret->message.arg_size);
	ret->fd = f->job.carried ? make_socket(p, f) : frame_take_fd(f, 0);
	frame_done(f);
}

void peer_job(struct peer *p, struct peer_job *ret)
{
	struct frame f;

	peer_hear(p, &f, MESSAGE_JOB);
	job_of_frame(p, &f, ret);
	CHECK_GE(ret->fd, 0);
}

/* ---- saying ---- */

void peer_say(struct peer *p, enum message_type type)
{
	struct frame f;

	say(p->channel, frame_begin(&f, type));
}

void peer_verdict(struct peer *p, const struct brood_verdict *verdict)
{
	struct frame f;

	frame_begin(&f, MESSAGE_VERDICT)->verdict.verdict = *verdict;
	say(p->channel, &f);
}

void peer_outcome(struct peer *p, uint64_t id, enum brood_outcome outcome)
{
	struct brood_verdict v = { .size = sizeof v,
		.id = id,
		.outcome = outcome,
		.started = 1,
		.attempts = 1,
		.pid = 4711 };

	peer_verdict(p, &v);
}

void peer_log(struct peer *p, const char *text)
{
	struct frame f;
	struct message_log *m = &frame_begin(&f, MESSAGE_LOG)->log;

	m->level = BROOD_WARNING;
	m->event = BROOD_EVENT_WORKER_DIED;
	m->pid = 4711;
	m->slot = 3;
	m->job = 17;
	strncpy(m->text, text, sizeof m->text - 1);
	say(p->log, &f);
}

void peer_raw(int fd, const void *data, size_t size)
{
	CHECK_EQ(send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL), (ssize_t)size);
}

void peer_finish(struct peer *p, struct peer_job *job, enum brood_outcome outcome)
{
	if (job->fd >= 0)
		shutdown(job->fd, SHUT_RDWR);
	job->fd = close_fd(job->fd);
	peer_outcome(p, job->id, outcome);
}

/* ---- serving ---- */

struct serving {
	struct peer *peer;
	const struct peer_service *services;
};
struct served {
	struct peer *peer;
	peer_serve_fn *serve;
	struct peer_job job;
};

static void *serve_one(void *context)
{
	struct served *s = context;
	enum brood_outcome outcome = s->serve(s->peer, &s->job);
	/* as pool/fate.c judges a kill from outside */
	struct brood_verdict v = {
		.size = sizeof v,
		.id = s->job.id,
		.outcome = outcome,
		.started = 1,
		.attempts = s->job.message.attempt + 1,
		.detail = outcome == BROOD_CRASHED ? BROOD_DETAIL_OUTSIDE : BROOD_DETAIL_NONE,
		.signal = outcome == BROOD_CRASHED ? 9 : 0,
	};

	if (s->job.fd >= 0) {
		shutdown(s->job.fd, SHUT_RDWR);
		close(s->job.fd);
	}
	pthread_mutex_lock(&s->peer->lock);
	peer_verdict(s->peer, &v);
	pthread_mutex_unlock(&s->peer->lock);
	atomic_fetch_sub(&s->peer->serving, 1);
	free(s);
	return NULL;
}

static void serve_job(struct serving *serving, struct frame *f)
{
	const struct peer_service *service = serving->services;
	struct served *s = calloc(1, sizeof *s);
	pthread_attr_t attr;
	pthread_t thread;

	CHECK(s);
	s->peer = serving->peer;
	job_of_frame(s->peer, f, &s->job);
	while (service->fn && (uint64_t)(uintptr_t)service->fn != s->job.message.fn)
		service++;
	CHECK(service->fn);
	s->serve = service->serve;
	atomic_fetch_add(&s->peer->serving, 1);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	CHECK_EQ(pthread_create(&thread, &attr, serve_one, s), 0);
	pthread_attr_destroy(&attr);
}

static void *serve(void *context)
{
	struct serving *serving = context;
	struct peer *p = serving->peer;
	struct frame f;

	for (;;) {
		int r = frame_receive(p->channel, &f, 0);

		if (r <= 0) {
			CHECK(r == 0 || r == -ENOTCONN || r == -EBADF);
			break;
		}
		if (f.header.type == MESSAGE_JOB) {
			serve_job(serving, &f);
		} else if (f.header.type == MESSAGE_STOP) {
			atomic_store(&p->stopping, 1);
			CHECK(WAIT_UNTIL(atomic_load(&p->serving) == 0, PEER_WAIT_MS));
			peer_say(p, MESSAGE_STOPPED);
			break;
		} else {
			frame_done(&f);
		}
	}
	free(serving);
	return NULL;
}

pthread_t peer_serve(struct peer *p, const struct peer_service *services)
{
	struct serving *serving = malloc(sizeof *serving);
	pthread_t thread;

	CHECK(serving);
	*serving = (struct serving){ p, services };
	CHECK_EQ(pthread_create(&thread, NULL, serve, serving), 0);
	return thread;
}

bool peer_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

enum brood_outcome peer_echo(struct peer *p, struct peer_job *job)
{
	char buffer[65536];
	ssize_t n;

	(void)p;
	while ((n = recv(job->fd, buffer, sizeof buffer, 0)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && !peer_write_all(job->fd, buffer, (size_t)n))
			return BROOD_FAILED;
	return BROOD_DONE;
}

enum brood_outcome peer_nothing(struct peer *p, struct peer_job *job)
{
	(void)p;
	(void)job;
	return BROOD_DONE;
}

/* ---- shorthands ---- */

struct brood_handle *peer_open(struct peer *p, brood_fn *fn, int *ret_fd)
{
	struct engine_job job = { .fn = fn, .name = "job" };
	struct brood_handle *handle = NULL;
	int fd = -1, r = engine_open(p->brood, &job, &fd, &handle);

	CHECK_MSG(r == 0, "%d: %s", r, engine_error_text());
	CHECK_GE(fd, 0);
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return handle;
}

int peer_open_try(
	struct peer *p, const struct brood_job_options *options, struct brood_handle **ret_handle)
{
	struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = options };
	int fd = -1, r = engine_open(p->brood, &job, &fd, ret_handle);

	CHECK(r < 0 ? fd == -1 : fd >= 0);
	close_fd(fd);
	return r;
}

ssize_t peer_call(struct peer *p, brood_fn *fn, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict)
{
	struct engine_job job = { .fn = fn, .name = "job" };

	return engine_call(p->brood, &job, bytes, ret_verdict);
}

struct later {
	struct peer *peer;
	struct engine_job job;
	const struct engine_bytes *bytes;
	struct brood_verdict *verdict;
};

static void *call_later(void *context)
{
	struct later *l = context;
	ssize_t n = engine_call(l->peer->brood, &l->job, l->bytes, l->verdict);

	free(l);
	return (void *)(intptr_t)n;
}

static pthread_t later(const struct later *what)
{
	struct later *l = malloc(sizeof *l);
	pthread_t thread;

	CHECK(l);
	*l = *what;
	CHECK_EQ(pthread_create(&thread, NULL, call_later, l), 0);
	return thread;
}

pthread_t peer_call_later(struct peer *p, brood_fn *fn, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict)
{
	return later(&(struct later){ p, { .fn = fn, .name = "job" }, bytes, ret_verdict });
}

pthread_t peer_call_with_later(struct peer *p, const struct brood_job_options *options,
	const struct engine_bytes *bytes, struct brood_verdict *ret_verdict)
{
	return later(&(struct later){
		p, { .fn = peer_fn_a, .name = "job", .options = options }, bytes, ret_verdict });
}

ssize_t peer_join(pthread_t thread)
{
	void *result;

	CHECK_EQ(pthread_join(thread, &result), 0);
	return (ssize_t)(intptr_t)result;
}

struct waiting {
	struct brood_handle *handle;
	uint32_t timeout_ms;
};

static void *wait_later(void *context)
{
	struct waiting *w = context;
	int r = engine_wait(w->handle, w->timeout_ms, NULL);

	free(w);
	return (void *)(intptr_t)r;
}

pthread_t peer_wait_later_ms(struct brood_handle *handle, uint32_t timeout_ms)
{
	struct waiting *w = malloc(sizeof *w);
	pthread_t thread;

	CHECK(w);
	*w = (struct waiting){ handle, timeout_ms };
	CHECK_EQ(pthread_create(&thread, NULL, wait_later, w), 0);
	return thread;
}

pthread_t peer_wait_later(struct brood_handle *handle)
{
	return peer_wait_later_ms(handle, (uint32_t)test_scaled(PEER_WAIT_MS));
}

bool peer_waited(struct brood_handle *handle)
{
	bool waited;

	engine_lock(handle->brood);
	waited = handle->waiter != NULL;
	engine_unlock(handle->brood);
	return waited;
}

int peer_engine_channel(struct peer *p) { return p->brood->channel_fd; }

void peer_drop(struct peer *p)
{
	struct frame f;

	while (frame_receive(p->channel, &f, MSG_DONTWAIT) > 0)
		frame_done(&f);
}
