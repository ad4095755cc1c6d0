/* SPDX-License-Identifier: MIT */
/*
 * leases_end.c - bad ends of workers on lease: killed, or killed for nonsense. Seen from the
 * supervisor, with a fake engine and fake workers (stage.h).
 */
#include "leases.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(leases_end, .timeout = 180);

/* ---- deaths ---- */

static void killed_from_outside(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	for (int round = 0; round < 3; round++) {
		grant(&p);
		publish(&p, 1, &forever);
		if (round > 0)
			word(&p, 1, round == 1 ? SLOT_PAGE_RUNNING : SLOT_PAGE_DONE);
		stage_die(p.w, round == 1 ? SIGSEGV : SIGKILL);
		over = stage_over(&p.s, p.lease, LEASE_DIED);
		CHECK_EQ(over.flags, 0);
		CHECK_EQ(over.cause, 0);
		CHECK_EQ(over.kill_signal, 0);
		CHECK_EQ(over.status, round == 1 ? SIGSEGV : SIGKILL);
		CHECK_EQ(over.word,
			round == 0 ? SLOT_PAGE_WORD(p.base, SLOT_PAGE_FREE)
				   : SLOT_PAGE_WORD(p.base + 1,
					     round == 1 ? SLOT_PAGE_RUNNING : SLOT_PAGE_DONE));
		stage_reborn(&p.s);
	}
	CHECK_EQ(atomic_load(&p.s.shared.stats_page->killed), 0);
	stage_end(&p.s);
}
Test(leases_end, facts_of_a_kill_from_outside) { case_run(killed_from_outside, 30000); }

static void escaped(void)
{
	struct message_lease_over over;
	struct frame f;
	struct play p;

	begin(&p, 1);
	grant(&p);
	publish(&p, 1, &forever);
	word(&p, 1, SLOT_PAGE_RUNNING);
	frame_begin(&f, MESSAGE_ESCAPED)->escaped = (struct message_escaped){
		.id = 4711, .sequence = p.base + 1, .how = ESCAPED_LONGJMP
	};
	stage_say(p.w->channel, &f);
	stage_die(p.w, SIGTRAP);
	over = stage_over(&p.s, p.lease, LEASE_DIED);
	CHECK_EQ(over.escaped, ESCAPED_LONGJMP);
	CHECK_EQ(over.escaped_sequence, p.base + 1);
	stage_reborn(&p.s);
	grant(&p); /* that was the former one's */
	stage_die(p.w, SIGKILL);
	CHECK_EQ(stage_over(&p.s, p.lease, LEASE_DIED).escaped, 0);
	stage_end(&p.s);
}
Test(leases_end, facts_of_an_escape) { case_run(escaped, 30000); }

/* The worker says LEFT and dies: it has left. */
static void left_and_died(void)
{
	struct play p;

	begin(&p, 1);
	grant(&p);
	stage_about(&p.s, MESSAGE_LEASE_END, p.lease);
	stage_leave(p.w, p.lease);
	kill(getppid(), SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(getppid()) == 'T', STAGE_MS));
	stage_left(p.w, p.lease, p.base, 0);
	stage_die(p.w, SIGKILL);
	CHECK(proc_wait_gone(p.w->pid, STAGE_MS));
	kill(getppid(), SIGCONT);
	stage_over(&p.s, p.lease, LEASE_RETURNED);
	stage_reborn(&p.s);
	stage_end(&p.s);
}
Test(leases_end, who_left_and_died_has_left) { case_run(left_and_died, 30000); }

/* ---- nonsense: each word in a state that does not know it ---- */

enum state { IDLE, BUSY, LEASED, STATES };
struct said {
	const char *what;
	enum message_type type;
	bool fine[STATES];
};
static const struct said words[] = {
	{ "READY", MESSAGE_READY, { false, false, false } },
	{ "FINISHED of another job", MESSAGE_FINISHED, { false, false, false } },
	{ "ESCAPED in no way", MESSAGE_ESCAPED, { false, false, false } },
	{ "PROGRESS of another job", MESSAGE_PROGRESS, { false, false, true } },
	{ "LEFT of another lease", MESSAGE_LEFT, { false, false, false } },
	{ "JOB_LOG", MESSAGE_JOB_LOG, { true, true, true } },
	{ "GRANT", MESSAGE_GRANT, { false, false, false } },
	{ "GRANTED", MESSAGE_GRANTED, { false, false, false } },
	{ "LEASE_OVER", MESSAGE_LEASE_OVER, { false, false, false } },
	{ "LEASE_END", MESSAGE_LEASE_END, { false, false, false } },
	{ "WORN in no way", MESSAGE_WORN, { false, false, false } },
	{ "WITH", MESSAGE_WITH, { false, false, false } },
};

static void say_word(struct stage_worker *w, enum message_type type)
{
	struct frame f;

	frame_begin(&f, type);
	for (f.fds_count = 0; type == MESSAGE_GRANT && f.fds_count < LEASE_FDS; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	stage_say(w->channel, &f);
}

static void one_word(struct play *p, const struct said *said, enum state state)
{
	struct stage_worker *w = &p->s.workers[0];
	uint64_t id = 0;

	if (state == LEASED) {
		grant(p);
		id = p->lease;
	} else if (state == BUSY) {
		id = stage_job(&p->s);
		stage_word(&p->s, w, stage_run(w, id).sequence, SLOT_PAGE_RUNNING);
	}
	say_word(w, said->type);
	if (said->fine[state])
		stage_die(w, SIGKILL);
	else
		CHECK_MSG(stage_dies(w), "%s in state %d", said->what, (int)state);
	if (state == LEASED)
		CHECK_EQ(stage_over(&p->s, id, LEASE_DIED).flags,
			said->fine[state] ? 0 : OVER_PROTOCOL);
	else if (state == BUSY)
		CHECK_EQ(stage_verdict(&p->s, id).detail,
			said->fine[state] ? BROOD_DETAIL_OUTSIDE : BROOD_DETAIL_PROTOCOL);
	stage_reborn(&p->s);
}

static void every_word(void)
{
	struct play p;

	begin(&p, 1);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (int state = 0; state < STATES; state++)
			one_word(&p, &words[i], (enum state)state);
	CHECK(WAIT_UNTIL(atomic_load(&p.s.shared.stats_page->idle) == 1, STAGE_MS));
	CHECK_EQ(atomic_load(&p.s.shared.stats_page->leased), 0);
	stage_end(&p.s);
}
Test(leases_end, each_word_in_each_state) { case_run(every_word, 60000); }

static void drops(struct play *p, const char *what)
{
	struct message_lease_over over;

	CHECK_MSG(stage_dies(p->w), "%s", what);
	over = stage_over(&p->s, p->lease, LEASE_DIED);
	CHECK_MSG(over.flags == OVER_PROTOCOL, "%s: %x", what, over.flags);
	stage_reborn(&p->s);
}

static void false_leavers(void)
{
	struct play p;

	begin(&p, 1);
	for (int lie = 0; lie < 5; lie++) {
		grant(&p);
		publish(&p, 1, &forever);
		word(&p, 1, lie == 4 ? SLOT_PAGE_RUNNING : SLOT_PAGE_DONE);
		stage_left(p.w, p.lease + (lie == 0),
			lie == 1           ? p.base + 2
				: lie == 2 ? p.base - 1
				: lie == 3 ? UINT64_MAX
					   : p.base + 1,
			0);
		drops(&p, "LEFT");
	}
	stage_end(&p.s);
}
Test(leases_end, lies_about_leaving) { case_run(false_leavers, 30000); }

static void scribbled(void)
{
	struct play p;

	begin(&p, 1);
	for (int lie = 0; lie < 6; lie++) {
		grant(&p);
		publish(&p, 1, &forever);
		publish(&p, 2, &forever);
		atomic_store(&stage_slot_page(&p.s, p.w)->word,
			lie == 0           ? 0
				: lie == 1 ? UINT64_MAX
				: lie == 2 ? SLOT_PAGE_WORD(p.base + 3, SLOT_PAGE_RUNNING)
				: lie == 3 ? SLOT_PAGE_WORD(p.base + 1, SLOT_PAGE_CONDEMNED)
				: lie == 4 ? SLOT_PAGE_WORD(p.base - 1, SLOT_PAGE_DONE)
					   : SLOT_PAGE_WORD(p.base + 1, SLOT_PAGE_ASSIGNED));
		stage_about(&p.s, MESSAGE_LEASE_LOOK, p.lease);
		drops(&p, "a page");
	}
	stage_end(&p.s);
}
Test(leases_end, slot_pages_that_were_scribbled_on) { case_run(scribbled, 30000); }

/*
 * The engine says that a worker has sent it nonsense. And messages of the engine that make no sense
 * themselves: they harm nobody.
 */
static void engines_words(void)
{
	struct frame f;
	struct play p;
	uint64_t job;

	begin(&p, 2);
	grant(&p);
	frame_begin(&f, MESSAGE_LEASE)->lease.id = p.lease; /* that record is taken */
	for (f.fds_count = 0; f.fds_count < LEASE_FDS; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	stage_say(p.s.channel, &f);
	frame_begin(&f, MESSAGE_CANCEL)->about.id = p.lease;
	stage_say(p.s.channel, &f);
	job = stage_job(&p.s);
	for (uint64_t id = 0; id < 3; id++) {
		uint64_t whose = id == 0 ? 0 : id == 1 ? job : p.lease + 700;

		stage_about(&p.s, MESSAGE_LEASE_END, whose);
		stage_about(&p.s, MESSAGE_LEASE_LOOK, whose);
		stage_kill(&p.s, whose, p.base, LEASE_KILL_NONSENSE);
	}
	stage_kill(&p.s, p.lease, p.base, 4711);
	CHECK_EQ(stage_ask_with(&p.s, &(struct message_lease){ .queue_ms = 1 }), job + 1);
	stage_over(&p.s, job + 1, LEASE_REFUSED);
	CHECK(stage_quiet(p.w->channel));
	stage_kill(&p.s, p.lease, 0, LEASE_KILL_NONSENSE);
	drops(&p, "said by the engine");
	stage_end(&p.s);
}
Test(leases_end, what_the_engine_says) { case_run(engines_words, 30000); }
