/* SPDX-License-Identifier: MIT */
/*
 * leases.c - how the supervisor grants workers. Engine and workers are fake (stage.h), so a test
 * can send every message at every moment.
 */
#include "../helpers/stage.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

TestSuite(leases, .timeout = 120);

/* ---- the queue ---- */

static void in_their_order(void)
{
	struct message_granted granted;
	struct message_run run;
	struct stage_worker *w;
	uint64_t a, lease, b, pinned;
	struct stage s;

	stage_init(&s, 1);
	stage_start(&s);
	w = &s.workers[0];
	a = stage_job(&s);
	run = stage_run(w, a);
	lease = stage_ask(&s, 0);
	b = stage_job(&s);
	pinned = stage_ask(&s, LEASE_PINNED);
	STATS_PAGE(&s, 0, 1, 0, 3);
	stage_finish(&s, w, &run);
	CHECK_EQ(stage_verdict(&s, a).outcome, BROOD_DONE);
	CHECK_EQ(stage_granted(&s, lease, &granted), w);
	CHECK_EQ(granted.sequence, run.sequence);
	STATS_PAGE(&s, 0, 1, 1, 2);
	stage_about(&s, MESSAGE_LEASE_END, lease);
	stage_leave(w, lease);
	CHECK_EQ(atomic_load(&stage_lease_page(&s, w)->leaving), 1);
	CHECK(WAIT_UNTIL(atomic_load(&stage_slot_page(&s, w)->wake) == 1, STAGE_MS));
	CHECK_EQ(atomic_load(&stage_slot_page(&s, w)->attention), 1);
	stage_left(w, lease, granted.sequence, 0);
	CHECK_EQ(stage_over(&s, lease, LEASE_RETURNED).sequence, granted.sequence);
	run = stage_run(w, b);
	CHECK_GT(run.sequence, granted.sequence);
	STATS_PAGE(&s, 0, 1, 0, 1);
	stage_finish(&s, w, &run);
	stage_verdict(&s, b);
	stage_granted(&s, pinned, &granted);
	CHECK_EQ(atomic_load(&s.shared.stats_page->leases), 2);
	CHECK_EQ(atomic_load(&s.shared.stats_page->leases_revoked), 0);
	stage_end(&s);
}
Test(leases, wait_in_the_queue_with_jobs) { case_run(in_their_order, 30000); }

static void refused(void)
{
	struct message_granted granted;
	struct stage_worker *w;
	struct rlimit full;
	uint64_t first, late, ended, without;
	struct stage s;

	stage_init(&s, 1);
	stage_start(&s);
	first = stage_ask(&s, LEASE_PINNED);
	w = stage_granted(&s, first, &granted);
	late = stage_ask_with(
		&s, &(struct message_lease){ .queue_ms = 30, .limit_ms = BROOD_FOREVER });
	CHECK_EQ(stage_over(&s, late, LEASE_REFUSED).detail, BROOD_DETAIL_QUEUE_TIME);
	ended = stage_ask(&s, 0);
	stage_about(&s, MESSAGE_LEASE_END, ended);
	CHECK_EQ(stage_over(&s, ended, LEASE_REFUSED).detail, BROOD_DETAIL_NONE);
	STATS_PAGE(&s, 0, 1, 1, 0);
	CHECK_EQ(prlimit(getppid(), RLIMIT_NOFILE, NULL, &full), 0);
	full.rlim_cur = 3; /* the supervisor has no room for a file now */
	CHECK_EQ(prlimit(getppid(), RLIMIT_NOFILE, &full, NULL), 0);
	without = stage_ask(&s, 0);
	CHECK_EQ(stage_over(&s, without, LEASE_REFUSED).detail, BROOD_DETAIL_FD_LOST);
	full.rlim_cur = full.rlim_max;
	CHECK_EQ(prlimit(getppid(), RLIMIT_NOFILE, &full, NULL), 0);
	CHECK(stage_quiet(w->channel));
	stage_end(&s);
}
Test(leases, are_refused_like_jobs) { case_run(refused, 30000); }

static void no_sequence_twice(void)
{
	struct message_granted granted;
	struct stage_worker *w;
	struct message_run run;
	uint64_t lease, base, job;
	struct stage s;

	stage_init(&s, 1);
	stage_start(&s);
	lease = stage_ask(&s, LEASE_PINNED);
	w = stage_granted(&s, lease, &granted);
	base = granted.sequence;
	for (uint64_t n = 1; n <= 5; n++)
		stage_publish(&s, w, base + n, &stage_forever);
	stage_word(&s, w, base + 2, SLOT_PAGE_DONE);
	stage_about(&s, MESSAGE_LEASE_END, lease);
	stage_leave(w, lease);
	stage_left(w, lease, base + 2, 0); /* it leaves three behind */
	CHECK_EQ(stage_over(&s, lease, LEASE_RETURNED).sequence, base + 2);
	job = stage_job(&s);
	run = stage_run(w, job);
	CHECK_EQ(run.sequence, base + 6);
	stage_finish(&s, w, &run);
	stage_verdict(&s, job);
	lease = stage_ask(&s, LEASE_PINNED);
	stage_granted(&s, lease, &granted);
	CHECK_EQ(granted.sequence, base + 6);
	stage_end(&s);
}
Test(leases, no_sequence_is_used_twice) { case_run(no_sequence_twice, 30000); }

/* ---- a full socket ---- */

enum { ASKED = 30 };

/* GRANTED of the first lease, or LEASE_OVER of any: each once. */
static void hear_of_one(struct stage *s, uint64_t asked[ASKED], bool *lent_said)
{
	struct frame f;

	CHECK(WAIT_UNTIL(!stage_quiet(s->channel), STAGE_MS));
	CHECK_EQ(frame_receive(s->channel, &f, MSG_DONTWAIT), 1);
	if (f.header.type == MESSAGE_GRANTED) {
		CHECK_EQ(f.granted.id, asked[0]);
		CHECK(!*lent_said);
		*lent_said = true;
		return;
	}
	CHECK_EQ(f.header.type, MESSAGE_LEASE_OVER);
	CHECK_EQ(f.lease_over.how, f.lease_over.id == asked[0] ? LEASE_DIED : LEASE_REFUSED);
	CHECK(f.lease_over.id != asked[0] || *lent_said);
	for (int i = 0; i < ASKED; i++)
		if (asked[i] == f.lease_over.id)
			asked[i] = 0, f.lease_over.id = 0;
	CHECK_EQ(f.lease_over.id, 0);
}

/*
 * More messages are due than there is room for: none is lost, none is sent twice, and GRANTED comes
 * before LEASE_OVER.
 */
static void full_socket(void)
{
	struct message_granted granted;
	struct stage_worker *w;
	uint64_t first, asked[ASKED];
	bool lent_said = false;
	struct stage s;

	stage_init(&s, 2);
	s.room = 1; /* the kernel makes it a few messages */
	s.options.lease_idle_ms = 60000;
	stage_start(&s);
	first = stage_ask(&s, LEASE_PINNED);
	stage_granted(&s, first, &granted);
	for (int i = 0; i < ASKED; i++)
		asked[i] = stage_ask_with(&s,
			&(struct message_lease){ .queue_ms = BROOD_FOREVER,
				.limit_ms = BROOD_FOREVER,
				.flags = LEASE_PINNED });
	/* all requests were read, and all but one wait */
	CHECK(WAIT_UNTIL(stage_stats_page(&s, 0, 2, 2, ASKED - 1), STAGE_MS));
	for (int i = 1; i < ASKED; i++)
		stage_about(&s, MESSAGE_LEASE_END, asked[i]);
	/* they are refused, because nobody wants them any more */
	CHECK(WAIT_UNTIL(stage_stats_page(&s, 0, 2, 2, 0), STAGE_MS));
	w = &s.workers[1 - granted.slot];
	stage_die(w, SIGKILL);
	stage_reborn(&s);
	STATS_PAGE(&s, 1, 1, 1, 0);
	for (int left = ASKED + 1; left > 0; left--)
		hear_of_one(&s, asked, &lent_said);
	CHECK(stage_quiet(s.channel));
	stage_about(&s, MESSAGE_LEASE_END, first); /* it goes on as before */
	stage_leave(&s.workers[granted.slot], first);
	stage_left(&s.workers[granted.slot], first, granted.sequence, 0);
	stage_over(&s, first, LEASE_RETURNED);
	stage_end(&s);
}
Test(leases, lose_no_word_to_a_full_socket) { case_run(full_socket, 60000); }
