/* SPDX-License-Identifier: MIT */
/*
 * engine_calls.c - the bytes of a call, and its retries, against a fake supervisor, which does what
 * a worker rarely does.
 */
#include "../helpers/case.h"
#include "../helpers/peer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(engine_calls, .timeout = 120);

#define BIG ((size_t)64 << 20)

static struct peer peer;

static void start(const struct peer_service *services)
{
	peer_init(&peer);
	peer_start(&peer, 64);
	if (services)
		peer_serve(&peer, services);
}
static unsigned char byte_at(size_t i) { return (unsigned char)((i * 2654435761u) >> 11); }
static unsigned char *pattern(size_t size)
{
	unsigned char *bytes = malloc(size + 1);

	CHECK(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	return bytes;
}

/* ---- sizes ---- */

static void echo_of(size_t size)
{
	unsigned char *request = pattern(size), *reply = calloc(1, size + 1);
	struct engine_bytes bytes = { request, size, reply, size, false };
	struct brood_verdict v;
	ssize_t n = peer_call(&peer, peer_fn_a, &bytes, &v);

	CHECK_MSG(n == (ssize_t)size, "%zd of %zu: %s", n, size, engine_error_text());
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.reply_size, size);
	CHECK_MEM(request, reply, size);
	CHECK_EQ(reply[size], 0);
	free(request);
	free(reply);
}

static const struct peer_service echoing[] = { { peer_fn_a, peer_echo },
	{ peer_fn_b, peer_nothing }, { NULL, NULL } };

static void sizes(void)
{
	static const size_t list[] = { 0, 1, 2, 4095, 4096, 65536, 65537, 200000, 212992, 300000,
		1 << 20, BIG + 1 };
	int before;

	start(echoing);
	echo_of(1);
	before = proc_own_fds();
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		echo_of(list[i]);
	/* the fake supervisor's threads close their ends after the verdict */
	CHECK(WAIT_UNTIL(proc_own_fds() == before, 2000));
}
Test(engine_calls, any_size) { case_run(sizes, 60000); }

/*
 * The whole reply is written before the first byte of the request is read, and the other way round:
 * neither side may wait for the other.
 */
static enum brood_outcome reply_first(struct peer *p, struct peer_job *job)
{
	unsigned char *bytes = pattern(BIG), *back = malloc(BIG);
	bool ok = peer_write_all(job->fd, bytes, BIG) &&
		recv(job->fd, back, BIG, MSG_WAITALL) == (ssize_t)BIG &&
		memcmp(bytes, back, BIG) == 0;

	(void)p;
	free(bytes);
	free(back);
	return ok ? BROOD_DONE : BROOD_FAILED;
}
static enum brood_outcome reply_last(struct peer *p, struct peer_job *job)
{
	unsigned char *bytes = pattern(BIG), *back = malloc(BIG), more;
	bool ok = recv(job->fd, back, BIG, MSG_WAITALL) == (ssize_t)BIG &&
		recv(job->fd, &more, 1, 0) == 0 && memcmp(bytes, back, BIG) == 0 &&
		peer_write_all(job->fd, bytes, BIG);

	(void)p;
	free(bytes);
	free(back);
	return ok ? BROOD_DONE : BROOD_FAILED;
}
static void both_ways(void)
{
	static const struct peer_service services[] = { { peer_fn_a, reply_first },
		{ peer_fn_b, reply_last }, { NULL, NULL } };
	unsigned char *request = pattern(BIG), *reply = malloc(BIG);
	struct engine_bytes bytes = { request, BIG, reply, BIG, false };
	struct brood_verdict v;

	start(services);
	for (int i = 0; i < 2; i++) {
		memset(reply, 0, BIG);
		CHECK_EQ(peer_call(&peer, i ? peer_fn_b : peer_fn_a, &bytes, &v), BIG);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_MEM(reply, request, BIG);
	}
}
Test(engine_calls, reply_before_request_and_after) { case_run(both_ways, 60000); }

static void unread_request(void)
{
	unsigned char *request = pattern(BIG);
	struct engine_bytes bytes = { request, BIG, NULL, 0, false };
	struct brood_verdict v;

	start(echoing);
	CHECK_EQ(peer_call(&peer, peer_fn_b, &bytes, &v), 0); /* the job did not want it */
	CHECK_EQ(v.outcome, BROOD_DONE);
}
Test(engine_calls, a_request_that_nobody_reads) { case_run(unread_request, 30000); }

static void larger_reply(size_t size, size_t room)
{
	unsigned char *request = pattern(size), *reply = calloc(1, room + 1);
	struct engine_bytes bytes = { request, size, room ? reply : NULL, room, false };
	struct brood_verdict v;

	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EMSGSIZE);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.reply_size, size);
	CHECK_MEM(reply, request, room);
	CHECK_EQ(reply[room], 0);
	free(request);
	free(reply);
}
static void too_large(void)
{
	start(echoing);
	larger_reply(1, 0);
	larger_reply(11, 10);
	larger_reply(20000, 10);
	larger_reply(100000, 50000);
	larger_reply(BIG, 1 << 20);
}
Test(engine_calls, a_reply_that_is_too_large_is_counted) { case_run(too_large, 60000); }

/* ---- ends of another kind ---- */

struct endless {
	int fd;
	pthread_t thread;
};
static void *write_for_ever(void *context)
{
	struct endless *e = context;
	static const unsigned char bytes[4096];

	while (peer_write_all(e->fd, bytes, sizeof bytes))
		;
	close(e->fd);
	return NULL;
}

/*
 * The job took its socket and a process goes on writing: the verdict ends the call, and neither EOF
 * nor the last byte does.
 */
static enum brood_outcome took_fd(struct peer *p, struct peer_job *job)
{
	static struct endless e;

	(void)p;
	CHECK(peer_write_all(job->fd, "mine", 4));
	e.fd = job->fd;
	job->fd = -1;
	CHECK_EQ(pthread_create(&e.thread, NULL, write_for_ever, &e), 0);
	pthread_detach(e.thread);
	return BROOD_DONE;
}
static enum brood_outcome took_fd_quietly(struct peer *p, struct peer_job *job)
{
	(void)p;
	CHECK(peer_write_all(job->fd, "mine", 4));
	job->fd = -1;
	return BROOD_DONE;
}
static void fd_taken(void)
{
	static const struct peer_service services[] = { { peer_fn_a, took_fd },
		{ peer_fn_b, took_fd_quietly }, { NULL, NULL } };
	char reply[8] = "";
	struct engine_bytes bytes = { "x", 1, reply, 4, false };
	struct brood_verdict v;

	start(services);
	CHECK_EQ(peer_call(&peer, peer_fn_b, &bytes, &v), 4);
	CHECK_STR(reply, "mine");
	peer_call(&peer, peer_fn_a, &bytes, &v);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_GE(v.reply_size, 4);
	CHECK_STR(reply, "mine");
}
Test(engine_calls, a_socket_that_the_job_took) { case_run(fd_taken, 20000); }

/*
 * The kernel ends a read at a message with fds: the bytes behind it must not be lost, and the fds
 * must not stay open.
 */
static enum brood_outcome with_fds(struct peer *p, struct peer_job *job)
{
	struct iovec iov = { .iov_base = (char[]){ "ab" }, .iov_len = 2 };
	int fds[2] = { 0, 1 };

	(void)p;
	CHECK(peer_write_all(job->fd, "12", 2));
	CHECK_EQ(sockets_send(job->fd, &iov, 1, fds, 2), 2);
	CHECK_EQ(sockets_send(job->fd, &iov, 1, fds, 1), 2);
	CHECK(peer_write_all(job->fd, "34", 2));
	return BROOD_DONE;
}
static void fds_in_reply(void)
{
	static const struct peer_service services[] = { { peer_fn_a, with_fds }, { NULL, NULL } };
	char reply[100] = "";
	struct engine_bytes bytes = { NULL, 0, reply, sizeof reply, false };
	int before;

	start(services);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), 8);
	CHECK_STR(reply, "12abab34");
	before = proc_own_fds();
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), 8);
	CHECK(WAIT_UNTIL(proc_own_fds() == before, 2000));
}
Test(engine_calls, fds_inside_a_reply) { case_run(fds_in_reply, 20000); }

/* Each outcome has its errno, and the caller gets what had been replied until then. */
static void outcomes(void)
{
	static const struct {
		enum brood_outcome outcome;
		enum brood_detail detail;
		int result;
	} list[] = {
		{ BROOD_DONE, 0, 4 },
		{ BROOD_FAILED, 0, 4 },
		{ BROOD_CRASHED, 0, -EREMOTEIO },
		{ BROOD_EXITED, 0, -EREMOTEIO },
		{ BROOD_TIMED_OUT, 0, -ETIMEDOUT },
		{ BROOD_CANCELLED, 0, -ECANCELED },
		{ BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME, -EAGAIN },
		{ BROOD_REFUSED, BROOD_DETAIL_DEGRADED, -EAGAIN },
		{ BROOD_REFUSED, BROOD_DETAIL_BAD_POINTER, -EFAULT },
		{ BROOD_LOST, 0, -ENOTCONN },
	};
	char reply[16];
	struct engine_bytes bytes = { "x", 1, reply, sizeof reply, false };

	start(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct brood_verdict said = { .outcome = list[i].outcome,
			.detail = list[i].detail,
			.code = 9 },
				     v;
		struct peer_job job;
		pthread_t thread = peer_call_later(&peer, peer_fn_a, &bytes, &v);

		peer_job(&peer, &job);
		CHECK_EQ(job.message.request_size, 1);
		CHECK_EQ(job.message.retries, 0);
		CHECK(peer_write_all(job.fd, "part", 4));
		shutdown(job.fd, SHUT_RDWR);
		close(job.fd);
		said.id = job.id;
		peer_verdict(&peer, &said);
		CHECK_EQ(peer_join(thread), list[i].result);
		CHECK_EQ(v.outcome, list[i].outcome);
		CHECK_EQ(v.code, 9);
		CHECK_EQ(v.reply_size, 4);
		CHECK_EQ(v.id, job.id);
	}
}
Test(engine_calls, each_outcome_has_its_errno) { case_run(outcomes, 20000); }

static void bad_buffers(void)
{
	static const char request[] = "x";
	char reply[8];
	struct engine_bytes bytes = { NULL, 1, reply, sizeof reply, false };
	struct brood_verdict v = { .outcome = 77 };

	start(echoing);
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EINVAL);
	bytes = (struct engine_bytes){ request, 1, NULL, 1, false };
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EINVAL);
	bytes = (struct engine_bytes){ request, SIZE_MAX, reply, 1, false };
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EINVAL);
	CHECK_EQ(v.outcome, 77);
	/* never mapped: seen where a socket takes the bytes, since the request is large */
	bytes = (struct engine_bytes){ (const void *)8, MESSAGE_ARG_MAX + 1, reply, 1, false };
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), -EFAULT);
	/* the peer answers over a socket */
	bytes = (struct engine_bytes){ request, 1, (void *)8, 1, false };
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, &v), -EFAULT);
	CHECK_EQ(v.outcome, BROOD_DONE);
	bytes = (struct engine_bytes){ request, 1, reply, sizeof reply, false };
	/* and nothing was spoilt */
	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), 1);
}
Test(engine_calls, buffers_that_are_none) { case_run(bad_buffers, 20000); }

static void channel_ends(void)
{
	char reply[8];
	struct engine_bytes bytes = { "x", 1, reply, sizeof reply, false };
	struct brood_verdict v;
	struct peer_job job;
	pthread_t thread;

	start(NULL);
	thread = peer_call_later(&peer, peer_fn_a, &bytes, &v);
	peer_job(&peer, &job);
	CHECK(peer_write_all(job.fd, "part", 4));
	peer_hang_up(&peer);
	CHECK_EQ(peer_join(thread), -ENOTCONN);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(v.detail, BROOD_DETAIL_CHANNEL);
	CHECK_EQ(v.reply_size, 4);
	CHECK_STR(v.name, "job");
}
Test(engine_calls, the_channel_ends_in_a_call) { case_run(channel_ends, 20000); }

/*
 * The caller was told an id, then the job could not be sent: the verdict has this id, and the next
 * job has another.
 */
static void told_id(void)
{
	uint64_t told = 0;
	struct brood_job_options options = { .size = sizeof options, .ret_id = &told };
	struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = &options };
	struct engine_bytes bytes = { "x", 1, NULL, 0, false };
	struct brood_verdict v, next;

	start(NULL);
	peer_hang_up(&peer);
	CHECK_EQ(engine_call(peer.brood, &job, &bytes, &v), -ENOTCONN);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK(told != 0);
	CHECK_EQ(v.id, told);
	CHECK_STR(v.name, "job");
	CHECK_EQ(engine_call(peer.brood, &job, &bytes, &next), -ENOTCONN);
	CHECK(next.id > v.id);
}
Test(engine_calls, the_id_of_a_call_that_was_not_sent) { case_run(told_id, 20000); }
