/* SPDX-License-Identifier: MIT */
/*
 * leases_recall.c - how the supervisor recalls leases. Engine and workers are fake (stage.h), so a
 * test can send every message at every moment.
 */
#include "../helpers/stage.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(leases_recall, .timeout = 120);

static void when_they_rest(void)
{
	struct message_granted granted;
	struct stage_worker *w;
	struct stage s;
	uint64_t lease;

	stage_init(&s, 2);
	s.options.lease_idle_ms = 40;
	stage_start(&s);
	stage_granted(&s, stage_ask(&s, LEASE_PINNED), &granted); /* that one stays */
	lease = stage_ask(&s, 0);
	w = stage_granted(&s, lease, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_DONE);
	stage_leave(w, lease);
	stage_left(w, lease, granted.sequence + 1, 0);
	stage_over(&s, lease, LEASE_RETURNED);
	STATS_PAGE(&s, 1, 1, 1, 0);
	CHECK_EQ(atomic_load(&s.shared.stats_page->leases_revoked), 1);
	stage_end(&s);
}
Test(leases_recall, that_rest_come_back) { case_run(when_they_rest, 30000); }

static void at_their_limit(void)
{
	struct message_granted granted;
	struct stage_worker *w;
	struct stage s;
	uint64_t lease;

	stage_init(&s, 1);
	stage_start(&s);
	lease = stage_ask_with(&s,
		&(struct message_lease){
			.queue_ms = BROOD_FOREVER, .limit_ms = 50, .flags = LEASE_PINNED });
	w = stage_granted(&s, lease, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_RUNNING);
	stage_leave(w, lease);
	CHECK(proc_alive(w->pid));
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_DONE);
	stage_left(w, lease, granted.sequence + 1, 0);
	stage_over(&s, lease, LEASE_RETURNED);
	CHECK_EQ(atomic_load(&s.shared.stats_page->leases_revoked), 1);
	stage_end(&s);
}
Test(leases_recall, end_at_their_limit) { case_run(at_their_limit, 30000); }

static void for_others(void)
{
	struct message_granted granted[3];
	struct stage_worker *w[3];
	struct message_run run;
	uint64_t lease[3], job;
	struct stage s;

	stage_init(&s, 3);
	s.options.lease_idle_ms = 60000;
	stage_start(&s);
	for (int i = 0; i < 3; i++) {
		lease[i] = stage_ask(&s, i == 0 ? LEASE_PINNED : 0);
		w[i] = stage_granted(&s, lease[i], &granted[i]);
		stage_publish(&s, w[i], granted[i].sequence + 1, &stage_forever);
		stage_word(&s, w[i], granted[i].sequence + 1, SLOT_PAGE_RUNNING);
	}
	job = stage_job(&s);
	/* the lease that was held longest, but not the pinned one */
	stage_leave(w[1], lease[1]);
	/*
	 * its job takes long, so the next one is recalled. (The supervisor used to wait for it, if
	 * other workers rested all the time.)
	 */
	stage_leave(w[2], lease[2]);
	stage_word(&s, w[1], granted[1].sequence + 1, SLOT_PAGE_DONE);
	stage_left(w[1], lease[1], granted[1].sequence + 1, 0);
	stage_over(&s, lease[1], LEASE_RETURNED);
	run = stage_run(w[1], job);
	CHECK(stage_quiet(w[0]->channel));
	CHECK_EQ(atomic_load(&s.shared.stats_page->leases_revoked), 2);
	stage_finish(&s, w[1], &run);
	stage_verdict(&s, job);
	STATS_PAGE(&s, 1, 2, 2, 0);
	stage_word(&s, w[2], granted[2].sequence + 1, SLOT_PAGE_DONE);
	stage_left(w[2], lease[2], granted[2].sequence + 1, 0);
	stage_over(&s, lease[2], LEASE_RETURNED);
	STATS_PAGE(&s, 2, 1, 1, 0);
	stage_end(&s);
}
Test(leases_recall, are_taken_back_for_others) { case_run(for_others, 30000); }

/*
 * An idle lease goes first. And no queue gains anything when its own lease is recalled for itself.
 */
static void the_best_of_them(void)
{
	struct message_granted granted[2];
	struct stage_worker *w[2];
	uint64_t lease[2], mine, others;
	struct stage s;

	stage_init(&s, 2);
	s.options.lease_idle_ms = 60000;
	stage_start(&s);
	for (int i = 0; i < 2; i++) {
		lease[i] = stage_ask_with(&s,
			&(struct message_lease){
				.queue_ms = BROOD_FOREVER, .limit_ms = BROOD_FOREVER, .queue = 7 });
		w[i] = stage_granted(&s, lease[i], &granted[i]);
	}
	stage_publish(&s, w[0], granted[0].sequence + 1, &stage_forever);
	stage_word(&s, w[0], granted[0].sequence + 1, SLOT_PAGE_RUNNING);
	mine = stage_ask_with(&s,
		&(struct message_lease){ .queue_ms = 60, .limit_ms = BROOD_FOREVER, .queue = 7 });
	CHECK_EQ(stage_over(&s, mine, LEASE_REFUSED).detail, BROOD_DETAIL_QUEUE_TIME);
	CHECK_EQ(atomic_load(&s.shared.stats_page->leases_revoked), 0);
	others = stage_ask_with(&s,
		&(struct message_lease){
			.queue_ms = BROOD_FOREVER, .limit_ms = BROOD_FOREVER, .queue = 8 });
	stage_leave(w[1], lease[1]);
	stage_left(w[1], lease[1], granted[1].sequence, 0);
	stage_over(&s, lease[1], LEASE_RETURNED);
	CHECK_EQ(stage_granted(&s, others, &granted[1]), w[1]);
	CHECK(stage_quiet(w[0]->channel));
	stage_end(&s);
}
Test(leases_recall, that_rest_go_first_and_none_for_its_own_queue)
{
	case_run(the_best_of_them, 30000);
}

/*
 * For the first request there is no lease to recall, since its own queue has all but a pinned one.
 * The request behind it does not wait for that.
 */
static void behind_the_greedy(void)
{
	const struct message_lease greedy = {
		.queue_ms = BROOD_FOREVER, .limit_ms = BROOD_FOREVER, .queue = 7
	};
	struct message_granted granted;
	struct stage_worker *w, *k;
	struct message_run run;
	uint64_t lease, more, job;
	struct stage s;

	stage_init(&s, 2);
	s.options.lease_idle_ms = 60000;
	stage_start(&s);
	k = stage_granted(&s, stage_ask(&s, LEASE_PINNED), &granted);
	lease = stage_ask_with(&s, &greedy);
	w = stage_granted(&s, lease, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_RUNNING);
	more = stage_ask_with(&s, &greedy);
	STATS_PAGE(&s, 0, 2, 2, 1);
	CHECK(stage_quiet(w->channel));
	job = stage_job(&s);
	stage_leave(w, lease);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_DONE);
	stage_left(w, lease, granted.sequence + 1, 0);
	stage_over(&s, lease, LEASE_RETURNED);
	CHECK_EQ(stage_granted(&s, more, &granted), w); /* it came first */
	stage_leave(w, more);
	stage_left(w, more, granted.sequence, 0);
	stage_over(&s, more, LEASE_RETURNED);
	run = stage_run(w, job);
	CHECK(stage_quiet(k->channel));
	stage_finish(&s, w, &run);
	stage_verdict(&s, job);
	stage_end(&s);
}
Test(leases_recall, do_not_starve_who_stands_behind_the_greedy)
{
	case_run(behind_the_greedy, 30000);
}

/*
 * A worker that was asked to leave and does not answer holds nobody up while another lease can be
 * recalled.
 */
static void beside_a_silent_one(void)
{
	struct message_granted granted[2];
	struct stage_worker *w[2];
	struct message_run run;
	uint64_t lease[2], job;
	struct stage s;

	stage_init(&s, 2);
	s.options.lease_idle_ms = 60000;
	stage_start(&s);
	for (int i = 0; i < 2; i++) {
		lease[i] = stage_ask(&s, 0);
		w[i] = stage_granted(&s, lease[i], &granted[i]);
	}
	job = stage_job(&s);
	/* w[0] has no job, and does not answer */
	stage_leave(w[0], lease[0]);
	stage_leave(w[1], lease[1]);
	stage_left(w[1], lease[1], granted[1].sequence, 0);
	stage_over(&s, lease[1], LEASE_RETURNED);
	run = stage_run(w[1], job);
	stage_finish(&s, w[1], &run);
	stage_verdict(&s, job);
	stage_left(w[0], lease[0], granted[0].sequence, 0);
	stage_over(&s, lease[0], LEASE_RETURNED);
	STATS_PAGE(&s, 2, 0, 0, 0);
	stage_end(&s);
}
Test(leases_recall, are_taken_back_though_another_says_nothing)
{
	case_run(beside_a_silent_one, 30000);
}

/* A worker that hangs in worker_init holds nobody up while a lease can be recalled. */
static void beside_one_that_hangs(void)
{
	struct message_granted granted;
	struct message_run run;
	struct stage_worker *w, *hangs;
	uint64_t lease, job;
	struct stage s;

	stage_init(&s, 2);
	s.options.lease_idle_ms = s.options.init_ms = 60000;
	stage_start(&s);
	lease = stage_ask(&s, 0);
	w = stage_granted(&s, lease, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_RUNNING);
	hangs = &s.workers[w == &s.workers[0]];
	stage_die(hangs, SIGKILL);
	CHECK_EQ(stage_birth(&s), hangs);
	job = stage_job(&s);
	stage_leave(w, lease);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_DONE);
	stage_left(w, lease, granted.sequence + 1, 0);
	stage_over(&s, lease, LEASE_RETURNED);
	run = stage_run(w, job);
	stage_finish(&s, w, &run);
	stage_verdict(&s, job);
	stage_ready(hangs);
	STATS_PAGE(&s, 2, 0, 0, 0);
	stage_end(&s);
}
Test(leases_recall, are_taken_back_though_a_birth_hangs) { case_run(beside_one_that_hangs, 30000); }

static void limited(void)
{
	struct message_granted granted;
	struct stage_worker *w, *k;
	struct message_run run;
	uint64_t first, second, third, pinned, job;
	struct stage s;

	stage_init(&s, 3);
	s.options.leases = 1;
	s.options.lease_idle_ms = 60000;
	stage_start(&s);
	first = stage_ask(&s, 0);
	w = stage_granted(&s, first, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_RUNNING);
	second = stage_ask(&s, 0);
	third = stage_ask(&s, 0);
	/*
	 * these wait because of the limit, so they stand in nobody's way, nor in that of a pinned
	 * lease
	 */
	job = stage_job(&s);
	pinned = stage_ask(&s, LEASE_PINNED);
	k = stage_granted(&s, pinned, &granted);
	for (int i = 0; i < 3; i++)
		if (&s.workers[i] != w && &s.workers[i] != k)
			run = stage_run(&s.workers[i], job);
	stage_finish(&s, &s.workers[3 - w->slot - k->slot], &run);
	stage_verdict(&s, job);
	STATS_PAGE(&s, 1, 2, 2, 2);
	stage_leave(w, first); /* for the second */
	stage_word(&s, w, atomic_load(&stage_lease_page(&s, w)->published), SLOT_PAGE_DONE);
	stage_left(w, first, atomic_load(&stage_lease_page(&s, w)->published), 0);
	stage_over(&s, first, LEASE_RETURNED);
	w = stage_granted(&s, second, &granted);
	STATS_PAGE(&s, 1, 2, 2, 1);
	stage_about(&s, MESSAGE_LEASE_END, third);
	CHECK_EQ(stage_over(&s, third, LEASE_REFUSED).detail, BROOD_DETAIL_NONE);
	STATS_PAGE(&s, 1, 2, 2, 0);
	stage_end(&s);
}
Test(leases_recall, are_as_many_as_the_pool_says) { case_run(limited, 30000); }

static void does_not_leave(void)
{
	struct message_lease_over over;
	struct message_granted granted;
	struct stage_worker *w;
	struct stage s;
	uint64_t lease;

	stage_init(&s, 1);
	stage_start(&s);
	lease = stage_ask(&s, LEASE_PINNED);
	w = stage_granted(&s, lease, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_DONE);
	stage_about(&s, MESSAGE_LEASE_END, lease);
	CHECK(stage_dies(w));
	over = stage_over(&s, lease, LEASE_DIED);
	CHECK_EQ(over.flags, OVER_STUCK);
	CHECK_EQ(over.sequence, granted.sequence + 1);
	CHECK_EQ(over.word, SLOT_PAGE_WORD(granted.sequence + 1, SLOT_PAGE_DONE));
	CHECK_EQ(over.kill_signal, SIGKILL);
	stage_reborn(&s);
	STATS_PAGE(&s, 1, 0, 0, 0);
	stage_end(&s);
}
Test(leases_recall, that_do_not_leave_are_stuck) { case_run(does_not_leave, 30000); }

static void retires(void)
{
	struct message_granted granted;
	struct stage_worker *w;
	struct stage s;
	uint64_t lease;

	stage_init(&s, 1);
	stage_start(&s);
	lease = stage_ask(&s, 0);
	w = stage_granted(&s, lease, &granted);
	stage_publish(&s, w, granted.sequence + 1, &stage_forever);
	stage_word(&s, w, granted.sequence + 1, SLOT_PAGE_DONE);
	stage_left(w, lease, granted.sequence + 1, FINISHED_RETIRING);
	stage_over(&s, lease, LEASE_RETURNED);
	STATS_PAGE(&s, 0, 0, 0, 0);
	stage_die(w, SIGKILL);
	stage_reborn(&s);
	STATS_PAGE(&s, 1, 0, 0, 0);
	CHECK_EQ(atomic_load(&s.shared.stats_page->retired), 1);
	stage_end(&s);
}
Test(leases_recall, may_end_with_the_worker) { case_run(retires, 30000); }
