/* SPDX-License-Identifier: MIT */
/*
 * serve.c - a worker on lease: from GRANT to LEFT. wire/ring.h has the protocol, ring_job.c has one
 * job of it.
 *
 * Between two jobs the worker looks at one word (slot_page.attention), which says that a message of
 * the supervisor waits. It sleeps on another word (slot_page.wake). Before it sleeps, it tells the
 * engine which jobs are done, makes a look that was put off for long, says that it sleeps, and
 * checks once more all that could wake it.
 *
 * What the engine wrote is checked for bugs of the library; the engine is not hostile. An engine
 * that has closed its end of the side socket gets no more jobs done, but only the supervisor ends
 * the lease. When the worker goes back to the pool, the slot page word stays as it is.
 */
#include "serve.h"

#include "../os/futex.h"
#include "../os/title.h"
#include "awake.h"
#include "hooks.h"
#include "hygiene.h"
#include "loans.h"
#include "report.h"
#include "ring_job.h"
#include "worker.h"

#include <sys/socket.h>

#define OWED_REST_NS NS_PER_MS /* the look that was put off is made after this time without a job */
/*
 * The look after the last job is put off no longer than this, if the worker rests often but never
 * for OWED_REST_NS.
 */
#define OWED_MAX_NS (100 * NS_PER_MS)

/* ---- what happens between jobs ---- */

static bool is_new(struct worker_lease *l, uint64_t published)
{
	l->published = published;
	if (l->published > l->last && l->published - l->last > RING_DEPTH)
		worker_give_up(WORKER_EXIT_RING);
	return l->published > l->last;
}

static bool published(struct worker_lease *l)
{
	return l->published > l->last ||
		is_new(l, atomic_load_explicit(&l->down->published, memory_order_acquire));
}

/* Reads one message of the supervisor. False: there is none. */
static bool hear_one(struct worker_lease *l)
{
	static struct frame f;
	int r;

	report_check();
	r = frame_receive(the_worker.config->channel_fd, &f, MSG_DONTWAIT);
	if (r == -EAGAIN)
		return false;
	if (r == 1)
		frame_done(&f);
	if (r == 1 && f.header.type == MESSAGE_RECALL) {
		/* a recall for an earlier lease may come late */
		if (f.recall.id == l->id)
			*(f.recall.soft ? &l->draining : &l->leaving) = true;
		return true;
	}
	if (r == 0 || (r == 1 && f.header.type == MESSAGE_END)) {
		if (l->last != l->told)
			ring_job_tell(l);
		hooks_end(true);
	}
	worker_give_up(WORKER_EXIT_CHANNEL);
}

static void hear(struct worker_lease *l)
{
	atomic_store(&the_worker.page->attention, 0);
	l->now = 0;
	loans_look(l);
	while (!l->leaving && hear_one(l))
		;
}

/*
 * The loads here must come after the store of `asleep`: then the engine sees `asleep` and wakes
 * this worker, or this worker sees what the engine published.
 */
static bool waits_for_nothing(struct worker_lease *l)
{
	bool new = is_new(l, atomic_load(&l->down->published));

	return !(new && !l->gone) && !atomic_load(&the_worker.page->attention);
}

/* Sleeps until the worker is woken, or `until`. True: the time was up. */
static bool sleep_until(struct worker_lease *l, uint64_t until)
{
	struct slot_page *page = the_worker.page;
	uint32_t word = atomic_load(&page->wake);
	int r = 0;

	atomic_store(&page->asleep, 1);
	if (waits_for_nothing(l))
		r = futex_wait(&page->wake, word, until);
	atomic_store(&page->asleep, 0);
	l->now = 0;
	return r == -ETIMEDOUT;
}

/*
 * Sleeps until something is to be done. The look that trusted jobs have put off waits for a moment
 * without jobs, so that it delays none; but not longer than OWED_MAX_NS.
 */
static void rest(struct worker_lease *l)
{
	bool owing = l->owed;
	uint64_t now = owing ? now_ns() : 0;

	if (l->last != l->told && atomic_load(&l->queue->listening))
		ring_job_tell(l);
	*title_suffix = '\0';
	if (owing && now - l->owed_ns > OWED_MAX_NS)
		ring_job_look(l);
	else if (!awake_wait(l) && sleep_until(l, owing ? now + OWED_REST_NS : TIME_NEVER))
		ring_job_look(l);
}

static void serve(struct worker_lease *l)
{
	while (!l->leaving) {
		if (atomic_load_explicit(&the_worker.page->attention, memory_order_acquire))
			hear(l);
		else if (!l->gone && published(l))
			ring_job(l);
		else if (l->draining)
			l->leaving = true;
		else
			rest(l);
	}
}

static void leave(struct worker_lease *l)
{
	if (l->last != l->told)
		ring_job_tell(l);
	ring_job_look(l);
	if (!worker_lease_still_ours(l))
		ring_job_retire(l, BROOD_LEFT_FDS);
	loans_drop();
	worker_lease_give_back(l);
	*title_suffix = '\0';
	ring_job_left(l, 0, l->left);
}

void serve_lease(struct frame *f)
{
	struct worker_lease *l = &the_lease;
	bool taken = worker_lease_take(l, f);

	frame_done(f);
	/* A worker whose lease lacks an fd is of no use, like one whose job lacks an fd. */
	if (!taken) {
		ring_job_left(l, FINISHED_RETIRING, 0);
		hooks_end(true);
	}
	hygiene_fds(2);
	serve(l);
	leave(l);
}
