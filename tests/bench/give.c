/* SPDX-License-Identifier: MIT */
/*
 * give.c - a server: TCP clients of its own, which are given to jobs (brood_give()), or to a child
 * process each, as a server that forks for a connection does. Two times: a request on a connection
 * that stays (p->out of them, each with one request out), and a connection with one request, p->out
 * at a time.
 */
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define WARM        32 /* requests on connections that stay, before those that are measured */
#define ONCE        16 /* so many requests on connections that stay for one of those that do not */
#define VERDICT_MS  30000u

struct client {
	int fd;
	uint32_t sent;
	struct brood_handle *handle; /* of the job, or */
	pid_t pid;                   /* the child, that has the other end */
};
static struct client clients[CLIENTS_MAX];
static int listener = -1;
static struct sockaddr_in address = { .sin_family = AF_INET };
static struct brood *brood; /* NULL: a child for each connection */

/* ---- the server ---- */

static int talk(int fd)
{
	unsigned char message[MESSAGE_SIZE];

	while (recv(fd, message, sizeof message, MSG_WAITALL) == MESSAGE_SIZE)
		if (send(fd, message, sizeof message, MSG_NOSIGNAL) != MESSAGE_SIZE)
			return 1;
	return 0;
}

static int job_talk(struct brood_job *job) { return talk(brood_job_fd(job)); }

static void serve(struct client *c, int fd)
{
	const int on = 1;

	station_need(!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
	if (brood) {
		if (brood_give(brood, job_talk, fd, NULL, &c->handle))
			station_fail("brood_give: %s", brood_error());
		return;
	}
	c->pid = fork();
	station_need(c->pid >= 0, "fork");
	if (!c->pid) {
		/* the ends of other clients, whose servers would wait for an end for ever */
		for (uint32_t i = 0; i < CLIENTS_MAX; i++)
			if (clients[i].fd > 0)
				close(clients[i].fd);
		_exit(talk(fd));
	}
	close(fd);
}

static void served(struct client *c)
{
	struct brood_verdict verdict;
	int status = -1;

	if (!brood) {
		if (waitpid(c->pid, &status, 0) != c->pid || status)
			station_fail("a server's child ended with %#x", (unsigned)status);
		return;
	}
	if (brood_wait(c->handle, VERDICT_MS, &verdict))
		station_fail("brood_wait: %s", brood_error());
	pool_check(&verdict, brood_id(c->handle), BROOD_PATH_AUTO);
	brood_release(c->handle);
}

/* ---- the clients ---- */

static void come(struct client *c)
{
	const int on = 1;
	int fd;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	station_need(c->fd >= 0 && !connect(c->fd, (struct sockaddr *)&address, sizeof address) &&
			!setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on),
		"a client");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	station_need(fd >= 0, "accept");
	serve(c, fd);
}

static void go(struct client *c)
{
	close(c->fd);
	c->fd = 0;
	served(c);
}

static void ask(struct client *c, uint32_t number)
{
	unsigned char message[MESSAGE_SIZE];

	c->sent = number;
	message_fill(message, number);
	station_need(send(c->fd, message, sizeof message, MSG_NOSIGNAL) == MESSAGE_SIZE, "send");
}

static void hear(const struct client *c)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];

	message_fill(sent, c->sent);
	station_need(recv(c->fd, got, sizeof got, MSG_WAITALL) == MESSAGE_SIZE, "recv");
	message_check(got, sent);
}

/* Makes `total` requests. once: each on a connection of its own. */
static void requests(uint32_t total, uint32_t count, bool once)
{
	struct pollfd fds[CLIENTS_MAX];
	uint32_t asked = 0, heard = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (once)
			come(&clients[i]);
		ask(&clients[i], asked++);
		fds[i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
	}
	while (heard < total) {
		station_need(poll(fds, count, -1) > 0, "poll");
		for (uint32_t i = 0; i < count; i++) {
			struct client *c = &clients[i];

			if (!fds[i].revents)
				continue;
			hear(c);
			heard++;
			if (once)
				go(c);
			fds[i].fd = -1;
			if (asked >= total)
				continue;
			if (once)
				come(c);
			ask(c, asked++);
			fds[i].fd = c->fd;
		}
	}
}

static void give_block(const struct params *p, uint32_t jobs, double *values)
{
	uint32_t total = jobs < p->out ? p->out : jobs;
	uint32_t single = total / ONCE < p->out ? p->out : total / ONCE;
	uint64_t began;

	for (uint32_t i = 0; i < p->out; i++)
		come(&clients[i]);
	/* each server has begun, as fork() has waited for; and a job's first calls are over */
	requests(WARM * p->out, p->out, false);
	began = now_ns();
	requests(total, p->out, false);
	values[0] = us_each(now_ns() - began, total);
	for (uint32_t i = 0; i < p->out; i++)
		go(&clients[i]);
	began = now_ns();
	requests(single, p->out, true);
	values[1] = us_each(now_ns() - began, single);
}

static void listen_here(const struct params *p)
{
	socklen_t size = sizeof address;

	station_need(p->out <= CLIENTS_MAX, "clients");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	station_need(listener >= 0 && !bind(listener, (struct sockaddr *)&address, size) &&
			!listen(listener, 64) &&
			!getsockname(listener, (struct sockaddr *)&address, &size),
		"a listening socket");
}

static void give_open(const struct params *p)
{
	brood = pool_start(p, NULL);
	listen_here(p);
}

static void forks_open(const struct params *p) { listen_here(p); }

const struct kind bench_give = { .open = give_open, .block = give_block };
const struct kind floor_forks = { .open = forks_open, .block = give_block };
