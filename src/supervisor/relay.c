/* SPDX-License-Identifier: MIT */
/*
 * relay.c - see relay.h. Bytes go in pieces that a pipe takes whole or not at all, and that end
 * with a line's end where there is one (os/stdlog.h): so lines of several workers, and of the
 * supervisor's own log, are not mixed.
 */
#include "relay.h"
#include "logging.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 * The first half is for what tails.c reads in a turn, which begins with no byte waiting; the second
 * half is for what dead workers have left meanwhile.
 */
#define ROOM     (8 * RELAY_CHUNK)
#define AGAIN_MS 100u

static source_fn on_room;

int relay_prepare(struct supervisor *s)
{
	s->tails.relay.bytes = malloc(ROOM);
	return s->tails.relay.bytes ? 0 : -ENOMEM;
}

/* stderr takes nothing now: if the loop cannot watch it, a timer tries again. */
static void wait_for_room(struct supervisor *s)
{
	struct relay *r = &s->tails.relay;

	if (r->room.fd >= 0 || timer_running(&r->again))
		return;
	if (r->error != -EAGAIN ||
		loop_add(&s->loop, &r->room, s->stdlog.fd, EPOLLOUT, on_room) < 0)
		timer_set(&s->loop, &r->again, now_ns() + AGAIN_MS * NS_PER_MS);
}

/*
 * Returns how many bytes are done with. An error that does not pass (no reader any more, a full
 * disk) means that nobody can have them: a worker's own write() would have failed, too.
 */
static size_t pass(struct supervisor *s, const char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = stdlog_pass(&s->stdlog, bytes + done, size - done);

		if (n < 0) {
			s->tails.relay.error = (int)n;
			return error_passes((int)n) ? done : size;
		}
		done += (size_t)n;
	}
	return done;
}

static void keep(struct relay *r, const char *bytes, size_t size)
{
	size_t fit = MIN(size, ROOM - r->size);

	if (fit > ROOM - r->from - r->size) {
		memmove(r->bytes, r->bytes + r->from, r->size);
		r->from = 0;
	}
	memcpy(r->bytes + r->from + r->size, bytes, fit);
	r->size += fit;
	r->lost += size - fit;
}

void relay_write(struct supervisor *s, const char *bytes, size_t size)
{
	size_t done = relay_waits(s) ? 0 : pass(s, bytes, size);

	if (done == size)
		return;
	keep(&s->tails.relay, bytes + done, size - done);
	wait_for_room(s);
}

static void say_lost(struct supervisor *s)
{
	uint64_t lost = s->tails.relay.lost;

	s->tails.relay.lost = 0;
	if (lost > 0)
		plain_log(s, BROOD_WARNING, BROOD_EVENT_LOGS_DROPPED,
			"%" PRIu64 " bytes that workers had written on stderr before they died had "
			"no room and are lost: the reader of stderr was too slow",
			lost);
}

static void flush(struct supervisor *s)
{
	struct relay *r = &s->tails.relay;
	size_t done = pass(s, r->bytes + r->from, r->size);

	r->from += done;
	r->size -= done;
	if (r->size > 0) {
		wait_for_room(s);
		return;
	}
	r->from = 0;
	say_lost(s);
	note(s, NOTE_STDERR);
}

static void on_room(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, tails.relay.room);

	(void)events;
	loop_remove(&s->loop, source);
	flush(s);
}

void relay_again_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, tails.relay.again);

	(void)now;
	flush(s);
}

void relay_end(struct supervisor *s)
{
	if (relay_waits(s))
		(void)pass(s, s->tails.relay.bytes + s->tails.relay.from, s->tails.relay.size);
}
