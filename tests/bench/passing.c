/* SPDX-License-Identifier: MIT */
/*
 * passing.c - the floors of jobs with a socket. Engine, middle and worker stand for Brood's
 * processes. They do the least that such a job can be: they block, without an event loop, a
 * deadline, a check or a record.
 *
 *   F0    two processes: a message there and back on a permanent SEQPACKET socket
 *   F1    two processes: the message carries an fd, and the answer comes over this fd; always the
 *         same socketpair
 *   F2    like F1, with a fresh socketpair each time
 *   F2v   F2; then the worker tells the engine the outcome of the job
 *   F5    three processes: the fresh socketpair goes through the middle one
 *   F5v   F5; then the worker tells the middle one that it is idle, and the middle one tells the
 *         engine the outcome of the job
 */
#include "bench.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* [0]: the engine's end, the middle's end; [1]: the end of the other process. */
static int engine_link[2], worker_link[2];
static int same[2];

static void make_link(int *link)
{
	station_need(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), "socketpair");
}

static ssize_t send_fd(int link, const unsigned char *message, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_len = MESSAGE_SIZE };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	memcpy(&iov.iov_base, &message, sizeof message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(link, &m, MSG_NOSIGNAL);
}

/* Returns the fd, or -1 when the other end is gone. */
static int receive_fd(int link, unsigned char *message)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = message, .iov_len = MESSAGE_SIZE };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(link, &m, MSG_CMSG_CLOEXEC) != MESSAGE_SIZE)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

static void ends(ssize_t n, const char *what)
{
	if (n != MESSAGE_SIZE)
		station_fail("%s: the partner is gone", what);
}

/* ---- F0 ---- */

static void f0_worker(void *context)
{
	unsigned char message[MESSAGE_SIZE];

	(void)context;
	while (recv(worker_link[1], message, sizeof message, 0) == MESSAGE_SIZE &&
		send(worker_link[1], message, sizeof message, MSG_NOSIGNAL) == MESSAGE_SIZE)
		;
}

static void f0_open(const struct params *p)
{
	(void)p;
	make_link(worker_link);
	station_partner(f0_worker, NULL);
}

static void f0_block(const struct params *p, uint32_t jobs, double *values)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	uint64_t began = now_ns();

	(void)p;
	for (uint32_t i = 0; i < jobs; i++) {
		message_fill(sent, i);
		ends(send(worker_link[0], sent, sizeof sent, MSG_NOSIGNAL), "send");
		ends(recv(worker_link[0], got, sizeof got, 0), "recv");
		message_check(got, sent);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

const struct kind floor_f0 = { f0_open, f0_block, NULL };

/* ---- F1, F2 ---- */

static void answering_worker(void *context)
{
	const bool *says_idle = context;
	unsigned char message[MESSAGE_SIZE];
	int fd;

	while ((fd = receive_fd(worker_link[1], message)) >= 0) {
		if (send(fd, message, sizeof message, MSG_NOSIGNAL) != MESSAGE_SIZE)
			return;
		close(fd);
		if (*says_idle &&
			send(worker_link[1], message, sizeof message, MSG_NOSIGNAL) != MESSAGE_SIZE)
			return;
	}
}

static void two(bool *verdicts)
{
	make_link(worker_link);
	station_partner(answering_worker, verdicts);
}

static void f2_open(const struct params *p)
{
	static bool verdicts = false;

	(void)p;
	two(&verdicts);
}

static void f2v_open(const struct params *p)
{
	static bool verdicts = true;

	(void)p;
	two(&verdicts);
}

static void f1_open(const struct params *p)
{
	station_need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, same), "socketpair");
	f2_open(p);
}

static void f1_block(const struct params *p, uint32_t jobs, double *values)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	uint64_t began = now_ns();

	(void)p;
	for (uint32_t i = 0; i < jobs; i++) {
		message_fill(sent, i);
		ends(send_fd(worker_link[0], sent, same[1]), "sendmsg");
		ends(recv(same[0], got, sizeof got, 0), "recv");
		message_check(got, sent);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

/*
 * Sends the end of a fresh socketpair over `link`, and takes the answer; then takes the verdict, if
 * there is one.
 */
static void fresh(int link, bool verdict, uint32_t i)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	int pair[2];

	message_fill(sent, i);
	station_need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	ends(send_fd(link, sent, pair[1]), "sendmsg");
	close(pair[1]);
	ends(recv(pair[0], got, sizeof got, 0), "recv");
	message_check(got, sent);
	if (verdict) {
		ends(recv(link, got, sizeof got, 0), "recv");
		message_check(got, sent);
	}
	close(pair[0]);
}

static void many_fresh(int link, bool verdict, uint32_t jobs, double *values)
{
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < jobs; i++)
		fresh(link, verdict, i);
	values[0] = us_each(now_ns() - began, jobs);
}

static void f2_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)p;
	many_fresh(worker_link[0], false, jobs, values);
}
static void f2v_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)p;
	many_fresh(worker_link[0], true, jobs, values);
}

const struct kind floor_f1 = { f1_open, f1_block, NULL };
const struct kind floor_f2 = { f2_open, f2_block, NULL };
const struct kind floor_f2v = { f2v_open, f2v_block, NULL };

/* ---- F5, F5v ---- */

static void middle(void *context)
{
	const bool *verdicts = context;
	unsigned char message[MESSAGE_SIZE];
	int fd;

	close(engine_link[0]);
	while ((fd = receive_fd(engine_link[1], message)) >= 0) {
		if (send_fd(worker_link[0], message, fd) != MESSAGE_SIZE)
			return;
		close(fd);
		if (*verdicts &&
			(recv(worker_link[0], message, sizeof message, 0) != MESSAGE_SIZE ||
				send(engine_link[1], message, sizeof message, MSG_NOSIGNAL) !=
					MESSAGE_SIZE))
			return;
	}
}

static void three(bool *verdicts)
{
	make_link(engine_link);
	make_link(worker_link);
	station_partner(answering_worker, verdicts);
	station_partner(middle, verdicts);
}

static void f5_open(const struct params *p)
{
	static bool verdicts = false;

	(void)p;
	three(&verdicts);
}

static void f5v_open(const struct params *p)
{
	static bool verdicts = true;

	(void)p;
	three(&verdicts);
}

static void f5_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)p;
	many_fresh(engine_link[0], false, jobs, values);
}
static void f5v_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)p;
	many_fresh(engine_link[0], true, jobs, values);
}

const struct kind floor_f5 = { f5_open, f5_block, NULL };
const struct kind floor_f5v = { f5v_open, f5v_block, NULL };
