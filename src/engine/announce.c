/* SPDX-License-Identifier: MIT */
/*
 * announce.c - messages for the service manager: brood_notify_ready(), brood_notify_status(),
 * brood_notify() and brood_notify_barrier(). The supervisor passes them on, since the manager
 * listens to the unit's main process alone.
 */
#define _GNU_SOURCE
#include "announce.h"
#include "channel.h"
#include "out.h"
#include "unsent.h"
#include "engine_root.h"
#include "wait.h"

#include "../pool/manager_fields.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#define STATUS_MAX 200 /* the most bytes of a status for systemd */
#define WAIT_MAX   16u /* messages of fields that may wait for room in the channel */

int announce_newest(struct brood *b, struct frame *f, const char *what)
{
	int r = out_send(b, f, 0, 0);

	if (r < 0)
		return out_failed(b, r, what);
	if (r == 1) {
		unsent_drop_older(b);
		wait_for_room(b);
	}
	return 0;
}

/* ---- ready, status ---- */

static void append_status(struct frame *f, const char *text)
{
	char line[STATUS_MAX];
	size_t size = 0;

	for (; text[size] && size < sizeof line; size++)
		/* in a message to systemd a newline begins another assignment */
		line[size] = (unsigned char)text[size] < ' ' ? ' ' : text[size];
	frame_append(f, line, size);
}

static int send_kind(struct brood *b, struct frame *f)
{
	bool ready = f->notify.kind == NOTIFY_READY;
	int r;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	if (ready && b->ready_said)
		return 0;
	b->ready_said |= ready;
	r = announce_newest(b, f, "telling the supervisor");
	b->ready_said &= r == 0 || !ready;
	return r;
}

int engine_notify(struct brood *b, uint32_t kind, const char *text)
{
	VISIT(b);
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_NOTIFY)->notify.kind = kind;
	if (text)
		append_status(&f, text);
	engine_lock(b);
	r = send_kind(b, &f);
	engine_unlock(b);
	return r;
}

/* ---- fields ---- */

static int refused(const struct manager_fields_finding *f)
{
	switch (f->fault) {
	case MANAGER_FIELDS_FINE: return 0;
	case MANAGER_FIELDS_EMPTY:
		return fail_with(-EINVAL,
			"brood_notify: fields is empty: give lines of KEY=VALUE, such as "
			"\"RELOADING=1\"");
	case MANAGER_FIELDS_LONG:
		return fail_with(-E2BIG,
			"brood_notify: fields has more than %d bytes: send several messages, or "
			"cut the text",
			BROOD_NOTIFY_MAX - 1);
	case MANAGER_FIELDS_LINE:
		return fail_with(-EINVAL,
			"brood_notify: line %u (\"%s\") is not KEY=VALUE; a newline stands only "
			"between two fields. Text from outside goes by brood_notify_status()",
			f->line, f->key);
	case MANAGER_FIELDS_KEY:
		return fail_with(-EINVAL,
			"brood_notify: the key \"%s\" in line %u has other characters than A-Z, "
			"0-9 and _",
			f->key, f->line);
	case MANAGER_FIELDS_CONTROL:
		return fail_with(-EINVAL,
			"brood_notify: the value of %s in line %u has a control character: "
			"brood_notify_status() makes blanks of them",
			f->key, f->line);
	default:
		return fail_with(-EINVAL, "brood_notify: %s in line %u is not for the program: %s",
			f->key, f->line, f->instead);
	}
}

int engine_notify_check(const char *fields)
{
	struct manager_fields_finding found;

	if (!fields)
		return fail_with(-EINVAL, "brood_notify: fields is NULL");
	found = manager_fields_check(fields, BROOD_NOTIFY_MAX);
	return refused(&found);
}

/* systemd wants to know when a reload began, to tell it from one that was asked for later. */
static void add_time(struct frame *f)
{
	char line[48];
	int size = snprintf(line, sizeof line, "\nMONOTONIC_USEC=%llu",
		(unsigned long long)(now_ns() / NS_PER_US));

	frame_append(f, line, (size_t)size);
}

/* True: so many messages wait for room in the channel that no more may. */
static bool too_many_wait(struct brood *b)
{
	uint32_t count = 0;

	list_for_each_safe(link, tmp, &b->out) {
		count += container_of(link, struct out, link)->type == MESSAGE_NOTIFY;
	}
	return count >= WAIT_MAX;
}

static int send_in_order(struct brood *b, struct frame *f, const char *call)
{
	int r;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	if (too_many_wait(b))
		return fail_with(-EAGAIN,
			"%s: %u messages wait already, for the supervisor does not read: is it "
			"stopped? Try again later",
			call, WAIT_MAX);
	r = out_send(b, f, 0, 0);
	if (r < 0)
		return out_failed(b, r, call);
	if (r == 1)
		wait_for_room(b);
	return 0;
}

int engine_notify_fields(struct brood *b, const char *fields)
{
	VISIT(b);
	struct manager_fields read;
	struct frame f;
	int r = engine_notify_check(fields);

	if (r < 0)
		return r;
	manager_fields_read(fields, &read);
	frame_begin(&f, MESSAGE_NOTIFY)->notify.kind = NOTIFY_FIELDS;
	frame_append(&f, fields, strlen(fields));
	if (read.reloading && !read.timed)
		add_time(&f);
	engine_lock(b);
	r = send_in_order(b, &f, "brood_notify");
	/* after a reload brood_notify_ready() says READY=1 once more */
	if (r == 0 && read.reloading)
		b->ready_said = false;
	if (r == 0 && read.ready)
		b->ready_said = true;
	engine_unlock(b);
	return r;
}

/* ---- barrier ---- */

static int send_barrier(struct brood *b, int fd)
{
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_NOTIFY)->notify.kind = NOTIFY_BARRIER;
	f.fds[0] = fd;
	f.fds_count = 1;
	engine_lock(b);
	r = send_in_order(b, &f, "brood_notify_barrier");
	engine_unlock(b);
	return r;
}

/* Frames may wait for room in the channel: somebody has to send them meanwhile. */
static bool help(struct brood *b)
{
	bool lost;

	engine_lock(b);
	if (!list_empty(&b->out))
		out_flush(b);
	lost = b->lost;
	engine_unlock(b);
	return !lost;
}

#define SLICE_MS 50 /* how often a frame that waits is tried again */

/* Waits until nobody has the other end of the pipe. */
static int wait_for_hangup(struct brood *b, int fd, uint64_t until)
{
	struct pollfd p = { .fd = fd };

	for (;;) {
		uint64_t now = now_ns(), next = until;
		bool waits = atomic_load(&b->unsent);
		int r;

		if (waits)
			next = MIN(until, now + SLICE_MS * NS_PER_MS);
		r = poll(&p, 1, time_poll_ms(now, next));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (waits && !help(b))
			return -ENOTCONN;
		if (now_ns() >= until)
			return -ETIMEDOUT;
	}
}

static int barrier_result(struct brood *b, int r, uint32_t timeout_ms)
{
	bool lost;

	if (r == -ETIMEDOUT)
		return fail_with(r,
			"brood_notify_barrier: the service manager has not read all messages "
			"within %u ms",
			timeout_ms);
	/* the pipe also ends with the supervisor */
	engine_lock(b);
	channel_ours(b);
	channel_read(b, NULL, NULL);
	lost = b->lost;
	engine_unlock(b);
	return lost ? fail_gone() : r < 0 ? fail_system(r, "brood_notify_barrier") : 0;
}

int engine_notify_barrier(struct brood *b, uint32_t timeout_ms)
{
	VISIT(b);
	_cleanup_close_ int mine = -1, theirs = -1;
	uint64_t until = time_after_ms(now_ns(), timeout_ms);
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_system(-errno, "brood_notify_barrier: a pipe");
	mine = ends[0];
	theirs = ends[1];
	r = send_barrier(b, theirs);
	if (r < 0)
		return r;
	theirs = close_fd(theirs);
	return barrier_result(b, wait_for_hangup(b, mine, until), timeout_ms);
}
