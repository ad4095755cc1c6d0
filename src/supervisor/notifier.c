/* SPDX-License-Identifier: MIT */
#include "notifier.h"
#include "logging.h"

/* The source leaves the loop first: a send may close the socket and open another one. */
static void on_room(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, notifier.room);

	(void)events;
	loop_remove(&s->loop, source);
	notifier_flush(s);
	note(s, NOTE_POOL); /* store.c waits until no message waits */
}

/*
 * Waits for room in the manager's socket; if the loop cannot watch the socket, or for any other
 * shortage, for the retry timer.
 */
static void wait_for_room(struct supervisor *s, int error)
{
	struct source *room = &s->notifier.room;

	if (error != -EAGAIN)
		note(s, NOTE_RETRY);
	else if (loop_add(&s->loop, room, s->config.notify.fd, EPOLLOUT, on_room) < 0)
		note(s, NOTE_RETRY);
}

static void forget_first(struct supervisor *s) { close_fd(notices_take(&s->notifier.notices)); }

/*
 * The fd of a message that is dropped. Whoever waits for its end (a barrier) must not believe that
 * the manager has read all: so it is closed only when the manager has.
 */
static void keep_until_read(struct supervisor *s, int fd)
{
	struct notifier *n = &s->notifier;

	if (fd >= 0 && n->kept_count < ARRAY_SIZE(n->kept))
		n->kept[n->kept_count++] = fd;
	else
		close_fd(fd);
}

static void let_go(struct supervisor *s)
{
	while (s->notifier.kept_count > 0)
		close_fd(s->notifier.kept[--s->notifier.kept_count]);
}

void notifier_flush(struct supervisor *s)
{
	struct notice *first;
	int r;

	if (s->notifier.room.fd >= 0)
		return; /* on_room() goes on */
	while ((first = notices_first(&s->notifier.notices))) {
		r = notify_send_fd(&s->config.notify, first->text, first->size, first->fd);
		if (error_passes(r)) {
			wait_for_room(s, r);
			return;
		}
		forget_first(s); /* sent, or it never will be: the manager's socket is gone */
	}
	s->notifier.full_said = false;
	let_go(s);
}

static void say_full(struct supervisor *s)
{
	if (!s->notifier.full_said)
		plain_log(s, BROOD_WARNING, BROOD_EVENT_RESOURCE,
			"the service manager has not read its socket for long: messages for it "
			"are dropped until it does");
	s->notifier.full_said = true;
}

void notifier_send_fd(struct supervisor *s, enum notice_kind kind, const char *text, int fd)
{
	if (!notifier_is_heard(s)) {
		close_fd(fd);
		return;
	}
	if (notices_add(&s->notifier.notices, kind, text, fd) < 0) {
		keep_until_read(s, fd);
		say_full(s);
	}
	notifier_flush(s);
}

void notifier_send(struct supervisor *s, enum notice_kind kind, const char *text)
{
	notifier_send_fd(s, kind, text, -1);
}
