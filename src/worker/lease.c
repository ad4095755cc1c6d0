/* SPDX-License-Identifier: MIT */
/*
 * lease.c - a worker on lease: from LEND to LEFT. wire/ring.h has the protocol; ring.c has one job
 * of it.
 *
 * Between two jobs it looks at one word (desk.attention): the supervisor has said something. It
 * sleeps on another (desk.bell), and only after it has told the engine what it has done, has looked
 * after what was put off, has said that it sleeps, and has looked once more at all that could wake
 * it.
 *
 * What the engine wrote is checked, since it may be our own bug; it is not hostile. An engine that
 * has closed its end of the link gets no more jobs done, but only the supervisor ends the lease.
 * When the worker goes back to the pool the desk word stays as it is.
 */
#include "state.h"

#include "../base/base.h"
#include "../os/futex.h"
#include "../os/title.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define OWED_REST_NS NS_PER_MS /* without a job, before what was put off is done */
/* that it may be put off when there are such moments, but shorter ones */
#define OWED_MAX_NS (100 * NS_PER_MS)

/* ---- telling ---- */

void lease_tell(struct lease *l)
{
	const uint64_t one = 1;

	if (l->suspect_bell && !identity_is(l->bell, &l->bell_identity))
		worker_give_up(WORKER_EXIT_CHANNEL);
	l->suspect_bell = false;
	l->told = l->rung = l->last;
	while (write(l->bell, &one, sizeof one) < 0 && errno == EINTR)
		; /* full: it is readable */
}

bool lease_say(struct lease *l, struct frame *f)
{
	struct pollfd p = { .fd = l->link, .events = POLLOUT };
	uint64_t since = 0;
	int r;

	if (l->suspect_link && !identity_is(l->link, &l->link_identity))
		worker_give_up(WORKER_EXIT_CHANNEL);
	l->suspect_link = false;
	for (;;) {
		r = frame_send(l->link, f);
		if (r >= 0)
			return true;
		if (r == -EAGAIN)
			poll(&p, 1, -1);
		else if (!worker_waits(r, f, &since))
			break;
	}
	l->gone = r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN;
	return false;
}

static void say_left(const struct lease *l, uint32_t flags, uint32_t left)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEFT);
	f.left = (struct message_left){ .id = l->id,
		.sequence = l->last,
		.flags = flags | (flags & FINISHED_RETIRING && left == 0 ? FINISHED_NO_FD : 0),
		.left = left };
	worker_say(&f);
}

void lease_retire(struct lease *l, uint32_t left)
{
	if (l->last != l->told)
		lease_tell(l);
	say_left(l, FINISHED_RETIRING, left);
	/* the program's hook does not expect to run beside a job's threads */
	worker_end(!(left & BROOD_LEFT_THREADS));
}

/* ---- the loan ---- */

/*
 * A mapping of it, which cannot shrink under us. The fd is closed. NULL: it is not what it should
 * be, or there is no memory.
 */
static void *map(int fd, size_t size, int protection)
{
	_cleanup_close_ int owned = fd;
	struct stat st;
	void *memory;
	int seals = fcntl(owned, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(owned, &st) < 0 || st.st_size < 0 ||
		(uint64_t)st.st_size < size)
		return NULL;
	memory = mmap(NULL, size, protection, MAP_SHARED, owned, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static bool take(struct lease *l, struct frame *f)
{
	bool whole = f->fds_count == LEASE_FDS;

	memset(l, 0, sizeof *l);
	l->id = f->lend.id;
	l->last = l->told = f->lend.sequence;
	l->word = atomic_load(&the_worker.desk->word);
	l->space.size = RING_UP_BYTES;
	if (!whole)
		return false;
	l->link = frame_take_fd(f, LEASE_FD_LINK);
	l->bell = frame_take_fd(f, LEASE_FD_BELL);
	l->down = map(frame_take_fd(f, LEASE_FD_DOWN), sizeof *l->down, PROT_READ);
	l->up = map(frame_take_fd(f, LEASE_FD_UP), sizeof *l->up, PROT_READ | PROT_WRITE);
	l->lane = map(frame_take_fd(f, LEASE_FD_LANE), sizeof *l->lane, PROT_READ);
	return l->down && l->up && l->lane && identity_get(l->link, &l->link_identity) == 0 &&
		identity_get(l->bell, &l->bell_identity) == 0;
}

static bool still_ours(const struct lease *l)
{
	return (!l->suspect_link || identity_is(l->link, &l->link_identity)) &&
		(!l->suspect_bell || identity_is(l->bell, &l->bell_identity));
}

static void give_back(struct lease *l)
{
	munmap((void *)(uintptr_t)l->down, sizeof *l->down);
	munmap(l->up, sizeof *l->up);
	munmap((void *)(uintptr_t)l->lane, sizeof *l->lane);
	close(l->link);
	close(l->bell);
	hygiene_fds(&the_worker.hygiene, -2);
}

/* ---- between jobs ---- */

bool lease_published(struct lease *l)
{
	if (l->published > l->last)
		return true;
	l->published = atomic_load_explicit(&l->down->published, memory_order_acquire);
	if (l->published > l->last && l->published - l->last > RING_DEPTH)
		worker_give_up(WORKER_EXIT_RING);
	return l->published > l->last;
}

/* True: something was read, and is dealt with. */
static bool hear_one(struct lease *l)
{
	static struct frame f;
	int r;

	worker_check_channel();
	r = frame_receive(the_worker.config->channel_fd, &f, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return false;
	if (r == 1)
		frame_done(&f);
	if (r == 1 && f.header.type == MESSAGE_LEAVE) {
		l->leaving |= f.leave.id == l->id; /* one for an earlier lease may come late */
		return true;
	}
	if (r == 0 || (r == 1 && f.header.type == MESSAGE_END)) {
		if (l->last != l->told)
			lease_tell(l);
		worker_end(true);
	}
	worker_give_up(WORKER_EXIT_CHANNEL);
}

static void hear(struct lease *l)
{
	atomic_store(&the_worker.desk->attention, 0);
	l->now = 0;
	while (!l->leaving && hear_one(l))
		;
}

void lease_look_after(struct lease *l)
{
	static const struct ran unknown = { .calls = true };
	struct ending e = { 0 };

	if (l->owed)
		e = worker_look(&unknown, TIME_NEVER);
	l->owed = false;
	l->left = e.left;
	if (e.retiring)
		lease_retire(l, e.left);
}

static bool waits_for_nothing(struct lease *l)
{
	return !(lease_published(l) && !l->gone) && !atomic_load(&the_worker.desk->attention);
}

/* Sleeps until the bell rings, or `until`. True: it was until then. */
static bool sleep_until(struct lease *l, uint64_t until)
{
	struct desk *desk = the_worker.desk;
	uint32_t bell = atomic_load(&desk->bell);
	int r = 0;

	atomic_store(&desk->asleep, 1);
	if (waits_for_nothing(l))
		r = futex_wait(&desk->bell, bell, until);
	atomic_store(&desk->asleep, 0);
	l->now = 0;
	return r == -ETIMEDOUT;
}

/*
 * What is owed waits for a moment without jobs, so that it is not in the way of the next one; but
 * not for long.
 */
static void rest(struct lease *l)
{
	bool owing = l->owed;
	uint64_t now = owing ? now_ns() : 0;

	if (l->last != l->told && atomic_load(&l->lane->listening))
		lease_tell(l);
	title_set_suffix("");
	if (owing && now - l->owed_ns > OWED_MAX_NS)
		lease_look_after(l);
	else if (sleep_until(l, owing ? now + OWED_REST_NS : TIME_NEVER))
		lease_look_after(l);
}

static void serve(struct lease *l)
{
	while (!l->leaving) {
		if (atomic_load_explicit(&the_worker.desk->attention, memory_order_acquire))
			hear(l);
		else if (!l->gone && lease_published(l))
			ring_job(l);
		else
			rest(l);
	}
}

static void leave(struct lease *l)
{
	if (l->last != l->told)
		lease_tell(l);
	lease_look_after(l);
	if (!still_ours(l))
		lease_retire(l, BROOD_LEFT_FDS);
	give_back(l);
	title_set_suffix("");
	say_left(l, 0, l->left);
}

void worker_lend(struct frame *f)
{
	struct lease *l = &the_worker.lease;
	bool taken = take(l, f);

	frame_done(f);
	/* as for a job whose fd did not come: no use any more */
	if (!taken) {
		say_left(l, FINISHED_RETIRING, 0);
		worker_end(true);
	}
	hygiene_fds(&the_worker.hygiene, 2);
	serve(l);
	leave(l);
}
