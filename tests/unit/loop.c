/* SPDX-License-Identifier: MIT */
/* loop.c - the loop over pipes: order, removal while a batch runs, timers and events. */
#include "loop/loop.h"
#include "base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

TestSuite(unit_loop, .timeout = 60);

static struct loop loop; /* each test runs in a process of its own */

struct ear { /* a pipe that somebody listens to */
	struct source source;
	int write_fd, heard;
	struct ear *remove, *also;
};

static void say(struct ear *e) { cr_assert_eq(write(e->write_fd, "x", 1), 1); }

static void hear(struct source *s, uint32_t events)
{
	struct ear *e = container_of(s, struct ear, source);
	char c;

	(void)events;
	e->heard++;
	cr_assert_eq(read(s->fd, &c, 1), 1);
	if (e->remove) {
		int fd = e->remove->source.fd;

		loop_remove(&loop, &e->remove->source);
		close_fd(fd);
	}
	if (e->also && e->also->source.fd >= 0)
		loop_remove(&loop, &e->also->source);
}

static void open_ear(struct ear *e)
{
	int fds[2];

	memset(e, 0, sizeof *e);
	cr_assert_eq(pipe(fds), 0);
	e->write_fd = fds[1];
	cr_assert_eq(loop_add(&loop, &e->source, fds[0], EPOLLIN, hear), 0);
}

static void close_ear(struct ear *e)
{
	int fd = e->source.fd;

	loop_remove(&loop, &e->source);
	close_fd(fd);
	close_fd(e->write_fd);
}

static void on_stop(struct timer *t, uint64_t now)
{
	(void)t, (void)now;
	loop.stop = true;
}

/* Until nothing is ready any more. */
static void run_out(void)
{
	struct timer stop;

	timer_init(&stop, on_stop);
	timer_set(&loop, &stop, now_ns());
	cr_assert_eq(loop_run(&loop), 0);
	cr_assert_not(timer_running(&stop));
}

Test(unit_loop, a_removed_source_is_not_called_any_more_in_its_batch)
{
	struct ear a, b;

	cr_assert_eq(loop_init(&loop, 4), 0);
	open_ear(&a);
	open_ear(&b);
	/* the first to come removes the other, and closes its fd */
	a.remove = &b;
	b.remove = &a;
	say(&a);
	say(&b);
	run_out();
	cr_assert_eq(a.heard + b.heard, 1);
	cr_assert((a.source.fd < 0) != (b.source.fd < 0));
	close_ear(&a);
	close_ear(&b);
	loop_close(&loop);
}

Test(unit_loop, a_source_may_remove_itself_and_be_removed_twice)
{
	struct ear a;
	int fd;

	cr_assert_eq(loop_init(&loop, 4), 0);
	open_ear(&a);
	fd = a.source.fd;
	a.also = &a;
	say(&a);
	say(&a);
	run_out();
	cr_assert_eq(a.heard, 1);
	loop_remove(&loop, &a.source);
	loop_remove(&loop, &a.source);
	source_init(&a.source);
	loop_remove(&loop, &a.source);
	cr_assert_eq(loop_add(&loop, &a.source, fd, EPOLLIN, hear), 0, "it can come back");
	run_out();
	cr_assert_eq(a.heard, 2);
	close_ear(&a);
	loop_close(&loop);
}

Test(unit_loop, modify)
{
	struct ear a;

	cr_assert_eq(loop_init(&loop, 4), 0);
	open_ear(&a);
	say(&a);
	cr_assert_eq(loop_modify(&loop, &a.source, 0), 0);
	run_out();
	cr_assert_eq(a.heard, 0);
	cr_assert_eq(loop_modify(&loop, &a.source, EPOLLIN), 0);
	cr_assert_eq(loop_modify(&loop, &a.source, EPOLLIN), 0);
	run_out();
	cr_assert_eq(a.heard, 1);
	close_ear(&a);
	loop_close(&loop);
}

Test(unit_loop, add_says_what_is_wrong)
{
	struct source s;

	source_init(&s);
	cr_assert_eq(loop_init(&loop, 4), 0);
	cr_assert_eq(loop_add(&loop, &s, 1 << 20, EPOLLIN, hear), -EBADF);
	cr_assert_eq(s.fd, -1);
	loop_close(&loop);
}

/* ---- timers ---------------------------------------------------------------------------------- */

#define TIMERS 200

static int order[TIMERS], ran;

struct numbered {
	struct timer timer;
	int number;
	uint64_t when;
};

static void note_timer(struct timer *t, uint64_t now)
{
	struct numbered *n = container_of(t, struct numbered, timer);

	cr_assert_geq(now, n->when, "never early");
	cr_assert_not(timer_running(t));
	order[ran++] = n->number;
	loop.stop = ran == TIMERS;
}

Test(unit_loop, timers_run_in_order_and_never_early)
{
	static struct numbered timers[TIMERS];
	uint64_t start = now_ns();

	cr_assert_eq(loop_init(&loop, TIMERS), 0);
	for (int i = 0; i < TIMERS; i++) {
		timers[i].number = i;
		timers[i].when = start + (uint64_t)(i * 37 % TIMERS) * 50 * NS_PER_US;
		timer_init(&timers[i].timer, note_timer);
		timer_set(&loop, &timers[i].timer, timers[i].when);
		cr_assert(timer_running(&timers[i].timer));
	}
	cr_assert_eq(loop_run(&loop), 0);
	for (int i = 0; i < TIMERS; i++)
		cr_assert_eq(order[i] * 37 % TIMERS, i);
	loop_close(&loop);
}

static int again_left;

static void again(struct timer *t, uint64_t now)
{
	(void)now;
	if (again_left-- > 0)
		timer_set(&loop, t, 1); /* long past */
}

/* A timer that is always due does not keep other timers and events out. */
Test(unit_loop, a_timer_that_sets_itself_for_the_past)
{
	struct timer eager, stop;
	struct ear a;

	cr_assert_eq(loop_init(&loop, 4), 0);
	open_ear(&a);
	again_left = 1000;
	timer_init(&eager, again);
	timer_init(&stop, on_stop);
	timer_set(&loop, &eager, 1);
	say(&a);
	timer_set(&loop, &stop, now_ns() + NS_PER_MS);
	cr_assert_eq(loop_run(&loop), 0);
	cr_assert_eq(a.heard, 1);
	timer_stop(&loop, &eager);
	close_ear(&a);
	loop_close(&loop);
}

Test(unit_loop, timers_move_and_stop)
{
	static struct numbered n[2];
	struct timer stop;

	cr_assert_eq(loop_init(&loop, 4), 0);
	timer_init(&n[0].timer, note_timer);
	timer_init(&n[1].timer, note_timer);
	timer_init(&stop, on_stop);
	n[0].number = 10;
	n[1].number = 11;
	ran = 0;
	timer_set(&loop, &n[0].timer, 1);
	timer_set(&loop, &n[1].timer, 2);
	timer_set(&loop, &n[0].timer, 3); /* moves behind the other */
	timer_set(&loop, &stop, now_ns());
	cr_assert_eq(loop_run(&loop), 0);
	cr_assert_eq(ran, 2);
	cr_assert_eq(order[0], 11);
	timer_set(&loop, &n[0].timer, 1);
	timer_set(&loop, &n[0].timer, TIME_NEVER);
	timer_set(&loop, &n[1].timer, 1);
	timer_stop(&loop, &n[1].timer);
	timer_stop(&loop, &n[1].timer);
	timer_set(&loop, &stop, now_ns());
	cr_assert_eq(loop_run(&loop), 0);
	cr_assert_eq(ran, 2);
	loop_close(&loop);
}

/* ---- timers against events ------------------------------------------------------------------- */

static struct ear race_ear[3 * LOOP_BATCH];
static int heard_before;

static void race_timer(struct timer *t, uint64_t now)
{
	(void)t, (void)now;
	heard_before = 0;
	for (size_t i = 0; i < ARRAY_SIZE(race_ear); i++)
		heard_before += race_ear[i].heard;
	loop.stop = true;
}

/*
 * A deadline long past, and more messages than a batch holds, several in each socket: all messages
 * are handled first.
 */
Test(unit_loop, events_that_are_ready_come_before_timers)
{
	struct timer t;

	cr_assert_eq(loop_init(&loop, 4), 0);
	for (size_t i = 0; i < ARRAY_SIZE(race_ear); i++) {
		open_ear(&race_ear[i]);
		say(&race_ear[i]);
		say(&race_ear[i]);
	}
	timer_init(&t, race_timer);
	timer_set(&loop, &t, 1);
	cr_assert_eq(loop_run(&loop), 0);
	cr_assert_eq(heard_before, 2 * (int)ARRAY_SIZE(race_ear));
	for (size_t i = 0; i < ARRAY_SIZE(race_ear); i++)
		close_ear(&race_ear[i]);
	loop_close(&loop);
}

static void never_empty(struct source *s, uint32_t events)
{
	(void)s, (void)events; /* reads nothing: ready for ever */
}

Test(unit_loop, traffic_without_a_pause_does_not_starve_timers)
{
	struct timer stop;
	struct ear a;

	cr_assert_eq(loop_init(&loop, 4), 0);
	open_ear(&a);
	a.source.on = never_empty;
	say(&a);
	timer_init(&stop, on_stop);
	timer_set(&loop, &stop, now_ns() + NS_PER_MS);
	cr_assert_eq(loop_run(&loop), 0);
	close_ear(&a);
	loop_close(&loop);
}

/* ---- interruptions --------------------------------------------------------------------------- */

static volatile sig_atomic_t interruptions;
static int alarm_pipe;

static void interrupt(int sig)
{
	(void)sig;
	if (++interruptions == 5 && write(alarm_pipe, "x", 1) != 1)
		abort();
}

static void hear_and_stop(struct source *s, uint32_t events)
{
	hear(s, events);
	loop.stop = true;
}

Test(unit_loop, signals_do_not_end_it)
{
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, none = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = interrupt };
	struct ear a;

	cr_assert_eq(loop_init(&loop, 4), 0);
	open_ear(&a);
	a.source.on = hear_and_stop;
	alarm_pipe = a.write_fd;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	cr_assert_eq(loop_run(&loop), 0);
	setitimer(ITIMER_REAL, &none, NULL);
	cr_assert_geq(interruptions, 5);
	close_ear(&a);
	loop_close(&loop);
}

Test(unit_loop, no_fd_left_for_epoll)
{
	struct rlimit before, limit;
	int r;

	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &limit);
	r = loop_init(&loop, 4);
	setrlimit(RLIMIT_NOFILE, &before); /* an assertion wants one for itself */
	cr_assert_eq(r, -EMFILE);
	loop_close(&loop);
}
