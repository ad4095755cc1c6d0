/* SPDX-License-Identifier: MIT */
/*
 * leases_end.c - how jobs and workers on lease come to a bad end: out of time, cancelled, killed,
 * talking nonsense, stopped; seen from the supervisor, with engine and workers played (stage.h).
 * And what a handed-off job brings along beside its socket.
 */
#include "../helpers/stage.h"
#include "../../src/pool/watch.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(leases_end, .timeout = 180);

static const struct stage_limits forever = { BROOD_FOREVER, 30, 0 }, brief = { 40, 30, 0 },
				 with_core = { 40, 30, BROOD_JOB_ABORT };

struct play {
	struct stage s;
	struct message_lent lent;
	struct stage_worker *w;
	uint64_t lease, base;
};

static void begin(struct play *p, uint32_t workers)
{
	stage_init(&p->s, workers);
	p->s.options.lease_idle_ms = 60000;
	stage_start(&p->s);
}

static void lend(struct play *p)
{
	p->lease = stage_ask(&p->s, LEASE_KEPT);
	p->w = stage_lent(&p->s, p->lease, &p->lent);
	p->base = p->lent.sequence;
}

static void publish(struct play *p, uint64_t n, const struct stage_limits *limits)
{
	stage_publish(&p->s, p->w, p->base + n, limits);
}
static void word(struct play *p, uint64_t n, enum desk_state state)
{
	stage_word(&p->s, p->w, p->base + n, state);
}

/* It was killed; all of it is replaced. */
static struct message_lease_over died(struct play *p)
{
	struct message_lease_over over;

	CHECK(stage_dies(p->w));
	over = stage_over(&p->s, p->lease, LEASE_DIED);
	CHECK_EQ(over.pid, p->lent.pid);
	CHECK_EQ(over.slot, p->lent.slot);
	CHECK_EQ(over.generation, p->lent.generation);
	stage_reborn(&p->s);
	CHECK(WAIT_UNTIL(atomic_load(&p->s.shared.board->idle) == p->s.options.workers, STAGE_MS));
	return over;
}

/* Its soft step has come; or it was killed before it had a chance to notice: its grace is short. */
static bool soft_or_late(struct play *p, uint64_t n)
{
	return WAIT_UNTIL(stage_soft(p->w) == p->base + n || !proc_alive(p->w->pid), STAGE_MS) &&
		(stage_soft(p->w) == 0 || stage_soft(p->w) <= p->base + n);
}

/* ---- out of time ---- */

static void out_of_time(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	lend(&p);
	publish(&p, 1, &brief);
	publish(&p, 2, &forever);
	word(&p, 1, DESK_RUNNING);
	CHECK(soft_or_late(&p, 1));
	over = died(&p);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	CHECK_EQ(over.sequence, p.base + 1);
	CHECK_EQ(over.word, DESK_WORD(p.base + 1, DESK_RUNNING));
	CHECK_EQ(over.cause, LADDER_CAUSE_DEADLINE);
	CHECK_EQ(over.kill_signal, SIGKILL);
	CHECK_EQ(over.code, CLD_KILLED);
	CHECK_EQ(over.status, SIGKILL);
	CHECK_GT(over.peak_kb, 0);
	stage_end(&p.s);
}
Test(leases_end, a_job_has_its_time) { case_run(out_of_time, 30000); }

/*
 * The soft step is about the job that runs by then. One that ends in its grace is followed by the
 * next, which has its own time.
 */
static void the_right_one(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	lend(&p);
	for (uint64_t n = 1; n <= 100; n++)
		publish(&p, n,
			n == 50           ? &(struct stage_limits){ 40, 60000, 0 }
				: n == 70 ? &brief
					  : &forever);
	for (uint64_t n = 1; n < 50; n++) {
		word(&p, n, DESK_RUNNING);
		word(&p, n, DESK_DONE);
	}
	word(&p, 50, DESK_RUNNING);
	CHECK(WAIT_UNTIL(stage_soft(p.w) == p.base + 50, STAGE_MS));
	word(&p, 50, DESK_DONE);
	word(&p, 70, DESK_RUNNING);
	CHECK(soft_or_late(&p, 70));
	over = died(&p);
	CHECK_EQ(over.sequence, p.base + 70);
	CHECK_EQ(over.word, DESK_WORD(p.base + 70, DESK_RUNNING));
	stage_end(&p.s);
}
Test(leases_end, the_job_that_runs_is_meant) { case_run(the_right_one, 30000); }

static void never_begun(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	for (int round = 0; round < 2; round++) {
		lend(&p);
		publish(&p, 1, &brief);
		if (round == 1) {
			word(&p, 1, DESK_DONE);
			publish(&p, 2, &brief);
		}
		over = died(&p);
		CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
		CHECK_EQ(over.sequence, p.base + 1 + (uint64_t)round);
		CHECK_EQ(over.word,
			round ? DESK_WORD(p.base + 1, DESK_DONE) : DESK_WORD(p.base, DESK_FREE));
		CHECK_EQ(over.cause, LADDER_CAUSE_DEADLINE);
	}
	stage_end(&p.s);
}
Test(leases_end, a_job_that_is_not_begun_has_its_time_too) { case_run(never_begun, 30000); }

static void aborted(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	lend(&p);
	publish(&p, 1, &with_core);
	word(&p, 1, DESK_RUNNING);
	over = died(&p);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD | OVER_ABORT);
	CHECK_EQ(over.kill_signal, SIGABRT);
	CHECK_EQ(over.status, SIGABRT);
	stage_end(&p.s);
}
Test(leases_end, a_core_when_the_job_wants_one) { case_run(aborted, 30000); }

/*
 * A job with little time is published behind one with much: the supervisor hears of it in time,
 * though nobody tells when it begins.
 */
static void short_behind_long(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	lend(&p);
	publish(&p, 1, &(struct stage_limits){ 60000, 30, 0 });
	word(&p, 1, DESK_RUNNING);
	CHECK(WAIT_UNTIL(atomic_load(&stage_ledger(&p.s, p.w)->look_at) < now_ns() + 61 * NS_PER_S,
		STAGE_MS));
	publish(&p, 2, &brief);
	CHECK(WAIT_UNTIL(
		atomic_load(&stage_ledger(&p.s, p.w)->look_at) < now_ns() + NS_PER_S, STAGE_MS));
	word(&p, 1, DESK_DONE);
	word(&p, 2, DESK_RUNNING);
	over = died(&p);
	CHECK_EQ(over.sequence, p.base + 2);
	stage_end(&p.s);
}
Test(leases_end, a_short_job_behind_a_long_one) { case_run(short_behind_long, 30000); }

/* ---- cancel ---- */

static void cancelled(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	lend(&p);
	for (uint64_t n = 1; n <= 3; n++)
		publish(&p, n, &forever);
	word(&p, 2, DESK_RUNNING);
	stage_kill(&p.s, p.lease, p.base + 1, LEASE_KILL_CANCEL); /* over already */
	stage_kill(&p.s, p.lease, p.base + 9, LEASE_KILL_CANCEL); /* never published */
	/* of nobody's lease */
	stage_kill(&p.s, p.lease + 77, p.base + 2, LEASE_KILL_CANCEL);
	stage_about(&p.s, MESSAGE_LEASE_LOOK, p.lease);
	CHECK_EQ(stage_ask_with(&p.s, &(struct message_lease){ .queue_ms = 1 }), p.lease + 1);
	stage_over(&p.s, p.lease + 1, LEASE_REFUSED); /* so all that was heard */
	CHECK_EQ(stage_soft(p.w), 0);
	stage_kill(&p.s, p.lease, p.base + 2, LEASE_KILL_CANCEL);
	CHECK(soft_or_late(&p, 2));
	over = died(&p);
	CHECK_EQ(over.sequence, p.base + 2);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	CHECK_EQ(over.cause, LADDER_CAUSE_CANCEL);
	stage_end(&p.s);
}
Test(leases_end, cancel_is_for_the_job_that_runs) { case_run(cancelled, 30000); }

/* The engine found it taken, so it will run: the wish waits for that. */
static void cancelled_before_it_runs(void)
{
	struct play p;

	begin(&p, 1);
	lend(&p);
	publish(&p, 1, &(struct stage_limits){ BROOD_FOREVER, 60000, 0 });
	stage_kill(&p.s, p.lease, p.base + 1, LEASE_KILL_CANCEL);
	CHECK(WAIT_UNTIL(atomic_load(&stage_ledger(&p.s, p.w)->look_at) < now_ns() + 10 * NS_PER_S,
		STAGE_MS));
	CHECK_EQ(stage_soft(p.w), 0);
	word(&p, 1, DESK_RUNNING);
	CHECK(WAIT_UNTIL(stage_soft(p.w) == p.base + 1, STAGE_MS));
	word(&p, 1, DESK_DONE);
	stage_about(&p.s, MESSAGE_LEASE_END, p.lease);
	stage_leave(p.w, p.lease);
	stage_left(p.w, p.lease, p.base + 1, 0);
	stage_over(&p.s, p.lease, LEASE_RETURNED);
	stage_end(&p.s);
}
Test(leases_end, cancel_waits_for_a_job_that_is_about_to_run)
{
	case_run(cancelled_before_it_runs, 30000);
}

/* ---- deaths ---- */

static void killed_from_outside(void)
{
	struct message_lease_over over;
	struct play p;

	begin(&p, 1);
	for (int round = 0; round < 3; round++) {
		lend(&p);
		publish(&p, 1, &forever);
		if (round > 0)
			word(&p, 1, round == 1 ? DESK_RUNNING : DESK_DONE);
		stage_die(p.w, round == 1 ? SIGSEGV : SIGKILL);
		over = stage_over(&p.s, p.lease, LEASE_DIED);
		CHECK_EQ(over.flags, 0);
		CHECK_EQ(over.cause, 0);
		CHECK_EQ(over.kill_signal, 0);
		CHECK_EQ(over.status, round == 1 ? SIGSEGV : SIGKILL);
		CHECK_EQ(over.word,
			round == 0 ? DESK_WORD(p.base, DESK_FREE)
				   : DESK_WORD(p.base + 1, round == 1 ? DESK_RUNNING : DESK_DONE));
		stage_reborn(&p.s);
	}
	CHECK_EQ(atomic_load(&p.s.shared.board->killed), 0);
	stage_end(&p.s);
}
Test(leases_end, facts_of_a_kill_from_outside) { case_run(killed_from_outside, 30000); }

static void escaped(void)
{
	struct message_lease_over over;
	struct frame f;
	struct play p;

	begin(&p, 1);
	lend(&p);
	publish(&p, 1, &forever);
	word(&p, 1, DESK_RUNNING);
	frame_begin(&f, MESSAGE_ESCAPED)->escaped = (struct message_escaped){
		.id = 4711, .sequence = p.base + 1, .how = ESCAPED_LONGJMP
	};
	stage_say(p.w->channel, &f);
	stage_die(p.w, SIGTRAP);
	over = stage_over(&p.s, p.lease, LEASE_DIED);
	CHECK_EQ(over.escaped, ESCAPED_LONGJMP);
	CHECK_EQ(over.escaped_sequence, p.base + 1);
	stage_reborn(&p.s);
	lend(&p); /* that was the former one's */
	stage_die(p.w, SIGKILL);
	CHECK_EQ(stage_over(&p.s, p.lease, LEASE_DIED).escaped, 0);
	stage_end(&p.s);
}
Test(leases_end, facts_of_an_escape) { case_run(escaped, 30000); }

/* It says LEFT and dies: it has left. */
static void left_and_died(void)
{
	struct play p;

	begin(&p, 1);
	lend(&p);
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
	{ "LEND", MESSAGE_LEND, { false, false, false } },
	{ "LENT", MESSAGE_LENT, { false, false, false } },
	{ "LEASE_OVER", MESSAGE_LEASE_OVER, { false, false, false } },
	{ "LEASE_END", MESSAGE_LEASE_END, { false, false, false } },
	{ "WITH", MESSAGE_WITH, { false, false, false } },
};

static void say_word(struct stage_worker *w, enum message_type type)
{
	struct frame f;

	frame_begin(&f, type);
	for (f.fds_count = 0; type == MESSAGE_LEND && f.fds_count < LEASE_FDS; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	stage_say(w->channel, &f);
}

static void one_word(struct play *p, const struct said *said, enum state state)
{
	struct stage_worker *w = &p->s.workers[0];
	uint64_t id = 0;

	if (state == LEASED) {
		lend(p);
		id = p->lease;
	} else if (state == BUSY) {
		id = stage_job(&p->s);
		stage_word(&p->s, w, stage_run(w, id).sequence, DESK_RUNNING);
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
	CHECK(WAIT_UNTIL(atomic_load(&p.s.shared.board->idle) == 1, STAGE_MS));
	CHECK_EQ(atomic_load(&p.s.shared.board->leased), 0);
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
		lend(&p);
		publish(&p, 1, &forever);
		word(&p, 1, lie == 4 ? DESK_RUNNING : DESK_DONE);
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
		lend(&p);
		publish(&p, 1, &forever);
		publish(&p, 2, &forever);
		atomic_store(&stage_desk(&p.s, p.w)->word,
			lie == 0           ? 0
				: lie == 1 ? UINT64_MAX
				: lie == 2 ? DESK_WORD(p.base + 3, DESK_RUNNING)
				: lie == 3 ? DESK_WORD(p.base + 1, DESK_CONDEMNED)
				: lie == 4 ? DESK_WORD(p.base - 1, DESK_DONE)
					   : DESK_WORD(p.base + 1, DESK_ASSIGNED));
		stage_about(&p.s, MESSAGE_LEASE_LOOK, p.lease);
		drops(&p, "a desk");
	}
	stage_end(&p.s);
}
Test(leases_end, desks_that_were_scribbled_on) { case_run(scribbled, 30000); }

/*
 * The engine's word that a worker sent it nonsense; and words of the engine that make no sense
 * themselves, which cost nobody.
 */
static void engines_words(void)
{
	struct frame f;
	struct play p;
	uint64_t job;

	begin(&p, 2);
	lend(&p);
	frame_begin(&f, MESSAGE_LEASE)->lease.id = p.lease; /* that record is taken */
	for (f.fds_count = 0; f.fds_count < LEASE_FDS; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	stage_say(p.s.channel, &f);
	frame_begin(&f, MESSAGE_CANCEL)->cancel.id = p.lease;
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

/* ---- the pool stops ---- */

static void stopped(struct play *p)
{
	struct frame f;

	stage_hear(p->s.channel, &f, MESSAGE_STOPPED);
}

static void stop(struct play *p)
{
	struct frame f;

	stage_say(p->s.channel, frame_begin(&f, MESSAGE_STOP));
}

/*
 * Who rests leaves; who works may finish all that is published; who still has something to give may
 * have a lease for it.
 */
static void drained(void)
{
	struct message_lent lent;
	struct stage_worker *resting, *more;
	uint64_t rests, late;
	struct frame f;
	struct play p;

	stage_init(&p.s, 2);
	p.s.options.lease_idle_ms = 60000;
	p.s.options.stop_ms = 10000;
	stage_start(&p.s);
	lend(&p);
	rests = stage_ask(&p.s, LEASE_KEPT);
	resting = stage_lent(&p.s, rests, &lent);
	for (uint64_t n = 1; n <= 3; n++)
		publish(&p, n, &forever);
	word(&p, 1, DESK_RUNNING);
	stop(&p);
	stage_leave(resting, rests);
	stage_left(resting, rests, lent.sequence, 0);
	stage_over(&p.s, rests, LEASE_RETURNED);
	late = stage_ask(&p.s, 0);
	more = stage_lent(&p.s, late, &lent);
	stage_leave(more, late); /* it has nothing to do, and leaves soon */
	stage_left(more, late, lent.sequence, 0);
	stage_over(&p.s, late, LEASE_RETURNED);
	CHECK(stage_quiet(p.w->channel));
	for (uint64_t n = 1; n <= 3; n++) {
		word(&p, n, DESK_RUNNING);
		word(&p, n, DESK_DONE);
	}
	stage_leave(p.w, p.lease);
	stage_left(p.w, p.lease, p.base + 3, 0);
	stage_over(&p.s, p.lease, LEASE_RETURNED);
	stage_hear(p.w->channel, &f, MESSAGE_END); /* long before the drain time was up */
	stage_hear(more->channel, &f, MESSAGE_END);
	late = stage_ask(&p.s, 0);
	CHECK_EQ(stage_over(&p.s, late, LEASE_REFUSED).detail, BROOD_DETAIL_DRAINING);
	stage_die(p.w, SIGKILL);
	stage_die(more, SIGKILL);
	stopped(&p);
	stage_end(&p.s);
}
Test(leases_end, the_pool_drains) { case_run(drained, 30000); }

static void cancelled_by_the_stop(void)
{
	struct message_lease_over over;
	struct play p;

	stage_init(&p.s, 1);
	p.s.options.drain_ms = 50;
	p.s.options.stop_ms = 10000;
	stage_start(&p.s);
	lend(&p);
	for (uint64_t n = 1; n <= 2; n++)
		publish(&p, n, &forever);
	word(&p, 1, DESK_RUNNING);
	stop(&p);
	stage_leave(p.w, p.lease);
	CHECK(soft_or_late(&p, 1));
	CHECK(stage_dies(p.w));
	over = stage_over(&p.s, p.lease, LEASE_DIED);
	CHECK_EQ(over.cause, LADDER_CAUSE_STOP);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	CHECK_EQ(over.sequence, p.base + 1);
	stopped(&p);
	stage_end(&p.s);
}
Test(leases_end, what_runs_is_cancelled_by_the_stop) { case_run(cancelled_by_the_stop, 30000); }

static void killed_by_the_stop(void)
{
	struct message_lease_over over;
	struct play p;

	stage_init(&p.s, 1);
	p.s.options.drain_ms = p.s.options.stop_ms = 50;
	stage_start(&p.s);
	lend(&p);
	publish(&p, 1, &(struct stage_limits){ BROOD_FOREVER, 60000, 0 });
	word(&p, 1, DESK_RUNNING);
	stop(&p);
	CHECK(stage_dies(p.w));
	over = stage_over(&p.s, p.lease, LEASE_DIED);
	CHECK_EQ(over.cause, LADDER_CAUSE_STOP);
	CHECK_EQ(over.flags, OVER_CONDEMNED | OVER_TOLD);
	stopped(&p);
	stage_end(&p.s);
}
Test(leases_end, all_patience_ends) { case_run(killed_by_the_stop, 30000); }

/* The engine ends: what it had published has its drain time, and nobody hears of it. */
static void engine_gone(void)
{
	struct play p;

	stage_init(&p.s, 1);
	p.s.options.drain_ms = 100;
	stage_start(&p.s);
	lend(&p);
	publish(&p, 1, &forever);
	word(&p, 1, DESK_RUNNING);
	stage_ask(&p.s, 0);
	close_fd(p.s.channel); /* the case says whether anything is left */
}
Test(leases_end, the_engine_ends) { case_run(engine_gone, 30000); }

/* ---- what handed-off jobs bring along ---- */

static void handed_off(void)
{
	const struct message_job with = {
		.queue_ms = BROOD_FOREVER, .run_ms = BROOD_FOREVER, .grace_ms = 30, .name = "played"
	};
	struct brood_verdict v;
	struct message_run run;
	struct stage_worker *w;
	struct frame f;
	struct play p;
	uint64_t id;

	stage_init(&p.s, 1);
	p.s.options.flags |= BROOD_ACCOUNT_CPU;
	stage_start(&p.s);
	w = &p.s.workers[0];
	for (size_t extra = 0; extra <= BROOD_JOB_FDS_MAX; extra += BROOD_JOB_FDS_MAX / 2) {
		id = stage_job_with(&p.s, &with, extra);
		stage_hear(w->channel, &f, MESSAGE_RUN);
		CHECK_EQ(f.fds_count, 1 + extra);
		run = f.run;
		frame_done(&f);
		stage_word(&p.s, w, run.sequence, DESK_RUNNING);
		frame_begin(&f, MESSAGE_PROGRESS)->progress = (struct message_progress){
			.id = id, .sequence = run.sequence, .size = 5, .data = "half"
		};
		stage_say(w->channel, &f);
		stage_hear(p.s.channel, &f, MESSAGE_PROGRESS);
		CHECK_EQ(f.progress.id, id);
		CHECK_STR((const char *)f.progress.data, "half");
		stage_word(&p.s, w, run.sequence, DESK_DONE);
		frame_begin(&f, MESSAGE_FINISHED)->finished = (struct message_finished){
			.id = id, .sequence = run.sequence, .cpu_us = 17, .peak_kb = 4711
		};
		for (f.fds_count = 0; f.fds_count < extra; f.fds_count++)
			f.fds[f.fds_count] = STDERR_FILENO;
		stage_say(w->channel, &f);
		stage_hear(p.s.channel, &f, MESSAGE_VERDICT);
		CHECK_EQ(f.fds_count, extra);
		v = f.verdict.verdict;
		frame_done(&f);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_EQ(v.path, BROOD_PATH_HANDOFF);
		CHECK_EQ(v.cpu_us, 17);
		CHECK_EQ(v.peak_kb, 0);
	}
	stage_end(&p.s);
}
Test(leases_end, jobs_with_files_progress_and_accounts) { case_run(handed_off, 30000); }

static void no_plugin(void)
{
	struct message_job m = { .queue_ms = BROOD_FOREVER,
		.run_ms = BROOD_FOREVER,
		.grace_ms = 30,
		.name = "played",
		.plugin_size = 4,
		.arg_size = 4 };
	struct brood_verdict v;
	struct stage_worker *w;
	struct frame f;
	struct play p;

	begin(&p, 1);
	w = &p.s.workers[0];
	frame_begin(&f, MESSAGE_JOB)->job = m;
	f.job.id = 5000;
	f.job.arg_size = 0;
	CHECK_EQ(frame_append(&f, "a\0b", 4), 0);
	f.fds[0] = STDERR_FILENO;
	f.fds_count = 1;
	stage_say(p.s.channel, &f);
	stage_hear(w->channel, &f, MESSAGE_RUN);
	CHECK_EQ(f.run.plugin_size, 4);
	CHECK_EQ(f.run.arg_size, 4);
	frame_done(&f);
	stage_word(&p.s, w, f.run.sequence, DESK_DONE);
	m.attempt = (uint32_t)f.run.sequence;
	frame_begin(&f, MESSAGE_FINISHED)->finished = (struct message_finished){
		.id = 5000, .sequence = m.attempt, .flags = FINISHED_NO_PLUGIN
	};
	stage_say(w->channel, &f);
	v = stage_verdict(&p.s, 5000);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_PLUGIN);
	CHECK_EQ(v.started, 0);
	stage_end(&p.s);
}
Test(leases_end, a_plugin_that_is_none) { case_run(no_plugin, 30000); }
