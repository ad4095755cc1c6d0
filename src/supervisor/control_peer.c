/* SPDX-License-Identifier: MIT */
/*
 * control_peer.c - the control socket. A peer is another program: it may be of another build, send
 * garbage, send nothing, read nothing, or come a thousand times at once. None of this may cost the
 * pool anything:
 *
 *   a connection is one request and one reply, and is closed by the reply. So the reply is the
 *   first packet in an empty socket, and sending it never waits for the peer;
 *   there are CONTROL_CONNECTIONS places. Whoever comes beyond is told so, and closed;
 *   a connection that sends no request for SILENT_MS is closed;
 *   the loop accepts one connection a turn. If there is no fd for it, the listening socket rests
 *   for REST_MS: it would be readable all the time.
 *
 * The mode of the socket's file keeps other users out. The kernel's word on who the peer is
 * (SO_PEERCRED) keeps them out again, should somebody have changed that mode.
 */
#include "control_peer.h"
#include "logging.h"
#include "operator.h"
#include "../os/closing.h"
#include "../os/sockets.h"

#include <sys/socket.h>

#define SILENT_MS 5000u
#define REST_MS   1000u

static void begin_reply(struct control_reply *reply)
{
	memset(reply, 0, sizeof *reply);
	reply->magic = CONTROL_MAGIC;
	reply->version = CONTROL_VERSION;
	reply->size = sizeof *reply;
}

static void send_reply(int fd, struct control_reply *reply)
{
	const struct iovec iov = { .iov_base = reply, .iov_len = sizeof *reply };

	sockets_send(fd, &iov, 1, NULL, 0); /* a peer that has gone hears nothing */
}

/* ---- one connection ---- */

static struct supervisor *owner_of(struct control_connection *c)
{
	return container_of(c - c->number, struct supervisor, control.connections[0]);
}

static void leave(struct supervisor *s, struct control_connection *c)
{
	int fd = c->source.fd;

	timer_stop(&s->loop, &c->timer);
	loop_remove(&s->loop, &c->source);
	close_fd(fd);
	c->asked = c->told = false;
	c->job = 0;
}

static void answer(struct supervisor *s, struct control_connection *c, struct control_reply *reply)
{
	send_reply(c->source.fd, reply);
	leave(s, c);
}

static void hear(struct supervisor *s, struct control_connection *c, const void *bytes, size_t size)
{
	struct control_request request;
	struct control_reply reply;
	uint64_t until = TIME_NEVER;
	const char *why;
	int r;

	begin_reply(&reply);
	r = control_request_check(bytes, size, &request, &why);
	if (r < 0)
		operator_say(&reply, r, "%s", why);
	else if (!operator_act(s, c, &request, &reply, &until)) {
		c->asked = true;
		timer_set(&s->loop, &c->timer, until);
		return;
	}
	answer(s, c, &reply);
}

/* A second request is not read: it ends the connection, as its peer's end does. */
static void on_bytes(struct source *source, uint32_t events)
{
	struct control_connection *c = container_of(source, struct control_connection, source);
	unsigned char bytes[sizeof(struct control_request) + 1];
	struct supervisor *s = owner_of(c);
	struct sockets_received got;
	ssize_t n = sockets_receive(source->fd, bytes, sizeof bytes, MSG_DONTWAIT, &got);

	(void)events;
	for (size_t i = 0; n > 0 && i < got.fds_count; i++)
		closing_fd(got.fds[i]);
	if (n == -EAGAIN)
		return;
	if (n <= 0 || c->asked)
		leave(s, c);
	else
		hear(s, c, bytes, (size_t)n);
}

static void time_up(struct timer *timer, uint64_t now)
{
	struct control_connection *c = container_of(timer, struct control_connection, timer);
	struct supervisor *s = owner_of(c);
	struct control_reply reply;

	(void)now;
	if (c->asked) {
		begin_reply(&reply);
		operator_late(s, c, &reply);
		answer(s, c, &reply);
	} else {
		leave(s, c);
	}
}

void control_peer_step(struct supervisor *s)
{
	struct control_reply reply;

	for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
		struct control_connection *c = &s->control.connections[i];

		begin_reply(&reply);
		if (c->asked && operator_look(s, c, &reply))
			answer(s, c, &reply);
	}
}

/* ---- who comes ---- */

static struct control_connection *free_place(struct supervisor *s)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS; i++)
		if (s->control.connections[i].source.fd < 0)
			return &s->control.connections[i];
	return NULL;
}

static bool let_in(struct supervisor *s, int fd, pid_t pid, uid_t user, struct control_reply *reply)
{
	struct control_connection *c = free_place(s);

	if (user != geteuid() && user != 0) {
		operator_say(reply, -EPERM,
			"this brood is of user %u: only that user and root may change it, not user "
			"%u",
			(unsigned)geteuid(), (unsigned)user);
		return false;
	}
	if (!c) {
		operator_say(reply, -EBUSY,
			"%d others are asking at the same time: ask again in a moment",
			CONTROL_CONNECTIONS);
		return false;
	}
	if (loop_add(&s->loop, &c->source, fd, EPOLLIN, on_bytes) < 0) {
		operator_say(reply, -ENOMEM, "there is no memory");
		return false;
	}
	c->pid = pid;
	c->user = user;
	timer_set(&s->loop, &c->timer, time_after_ms(now_ns(), SILENT_MS));
	return true;
}

static void rest(struct supervisor *s)
{
	loop_remove(&s->loop, &s->control.listening);
	timer_set(&s->loop, &s->control.rest, time_after_ms(now_ns(), REST_MS));
}

static void on_peer(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, control.listening);
	struct control_reply reply;
	uid_t user;
	pid_t pid;
	int fd = listening_accept(source->fd, &pid, &user);

	(void)events;
	if (fd == -EAGAIN || fd == -EINTR || fd == -ECONNABORTED)
		return;
	if (fd < 0) {
		rest(s);
		return;
	}
	begin_reply(&reply);
	if (!let_in(s, fd, pid, user, &reply)) {
		send_reply(fd, &reply);
		close_fd(fd);
	}
}

static void listen_again(struct timer *timer, uint64_t now)
{
	(void)now;
	control_peer_start(container_of(timer, struct supervisor, control.rest));
}

/* ---- its life ---- */

void control_peer_prepare(struct supervisor *s)
{
	struct control *control = &s->control;

	source_init(&control->listening);
	timer_init(&control->rest, listen_again);
	for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
		control->connections[i].number = (uint32_t)i;
		source_init(&control->connections[i].source);
		timer_init(&control->connections[i].timer, time_up);
	}
}

static bool is_wanted(const struct supervisor *s) { return s->config.listening.path[0]; }

void control_peer_start(struct supervisor *s)
{
	if (is_wanted(s) &&
		loop_add(&s->loop, &s->control.listening, s->config.listening.fd, EPOLLIN,
			on_peer) < 0)
		rest(s);
}

void control_peer_end(struct supervisor *s)
{
	if (is_wanted(s))
		listening_end(&s->config.listening);
}
