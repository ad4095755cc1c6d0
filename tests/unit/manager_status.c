/* SPDX-License-Identifier: MIT */
/* manager_status.c - what STATUS= says, and when: with a clock that is a number. */
#include "pool/manager_pace.h"

#include <criterion/criterion.h>

TestSuite(unit_manager_status, .timeout = 20);

static void text_is(const struct manager_state *state, const char *own, const char *text)
{
	char is[MANAGER_STATUS_MAX];

	manager_status_text(state, own, is, sizeof is);
	cr_assert_str_eq(is, text);
}

Test(unit_manager_status, texts)
{
	struct manager_state s = { .phase = MANAGER_STARTING, .ready = 12, .workers = 64 };

	text_is(&s, "", "12 of 64 workers ready");
	text_is(&s, "port 80", "port 80; 12 of 64 workers ready");
	s = (struct manager_state){ .phase = MANAGER_SERVING,
		.ready = 64,
		.workers = 64,
		.busy = 3,
		.idle = 61,
		.queued = 7,
		.jobs = UINT64_C(81234567890),
		.deaths = 2,
		.alive = 64 };
	text_is(&s, "",
		"64 of 64 workers ready: 3 busy, 61 idle, 7 queued; 81234567890 jobs, 2 deaths");
	s.leased = 5;
	s.idle = 56;
	text_is(&s, "port 80",
		"port 80; 64 of 64 workers ready: 3 busy, 5 on lease, 56 idle, 7 queued; "
		"81234567890 jobs, 2 deaths");
	s.phase = MANAGER_LEAVING;
	s.delay_ms = 5000;
	text_is(&s, "",
		"stops 5000 ms after the stop signal; 64 of 64 workers ready: 3 busy, 5 on lease, "
		"56 idle, 7 queued; 81234567890 jobs, 2 deaths");
	s.phase = MANAGER_STOPPING;
	text_is(&s, "saving", "saving; stopping: 8 busy, 7 queued, 64 workers left");
	strcpy(s.trouble, "degraded: pool a: workers die at birth");
	text_is(&s, "", "stopping: 8 busy, 7 queued, 64 workers left");
	s.phase = MANAGER_SERVING;
	text_is(&s, "port 80", "port 80; degraded: pool a: workers die at birth");
}

/* The longest of everything fits, and is cut nowhere. */
Test(unit_manager_status, the_longest_text_fits)
{
	struct manager_state s = { .phase = MANAGER_LEAVING,
		.ready = UINT32_MAX,
		.workers = UINT32_MAX,
		.busy = UINT32_MAX,
		.leased = UINT32_MAX,
		.idle = UINT32_MAX,
		.queued = UINT64_MAX,
		.jobs = UINT64_MAX,
		.deaths = UINT64_MAX,
		.delay_ms = UINT32_MAX };
	char own[MANAGER_OWN_MAX], text[MANAGER_STATUS_MAX];

	memset(own, 'x', sizeof own - 1);
	own[sizeof own - 1] = '\0';
	manager_status_text(&s, own, text, sizeof text);
	cr_assert_lt(strlen(text), sizeof text - 1);
	cr_assert_str_eq(text + strlen(text) - 7, " deaths");
}

#define AT(ms) ((uint64_t)(ms)*NS_PER_MS + NS_PER_S * 1000)

/* A change is told a second later, and figures at most once in five. */
Test(unit_manager_status, the_pace_of_figures)
{
	struct manager_pace p = { 0 };

	cr_assert_eq(manager_pace_next(&p, MANAGER_SERVING, AT(0)), AT(1000));
	cr_assert(manager_pace_take(&p, "a", AT(1000)));
	cr_assert_eq(manager_pace_next(&p, MANAGER_SERVING, AT(1001)), AT(6000));
	cr_assert_eq(manager_pace_next(&p, MANAGER_SERVING, AT(5900)), AT(6900));
	cr_assert_eq(manager_pace_next(&p, MANAGER_STARTING, AT(1001)), AT(2001));
	cr_assert_eq(manager_pace_next(&p, MANAGER_STOPPING, AT(1001)), AT(2001));
	cr_assert_not(manager_pace_take(&p, "a", AT(6000)), "no news");
	cr_assert_eq(p.said_ns, AT(1000));
	cr_assert(manager_pace_take(&p, "ab", AT(7000)));
	cr_assert(manager_pace_take(&p, "a", AT(7001)));
	cr_assert(manager_pace_take(&p, "", AT(7002)));
	cr_assert_not(manager_pace_take(&p, "", AT(7003)));
}

Test(unit_manager_status, the_first_text_is_news_whatever_it_is)
{
	struct manager_pace p = { 0 };

	cr_assert(manager_pace_take(&p, "", 0));
	cr_assert_not(manager_pace_take(&p, "", 0));
}

/* A brood that changes at each moment says so often, one that rests says nothing: no more looks. */
Test(unit_manager_status, how_often)
{
	struct manager_pace p = { 0 };
	uint64_t look = TIME_NEVER;
	char text[16] = "0";
	int said = 0, looks = 0;

	for (uint64_t ms = 0; ms < 600000; ms += 10) {
		if (ms < 60000) {
			text[0] = (char)('0' + ms / 10 % 7);
			if (look == TIME_NEVER)
				look = manager_pace_next(&p, MANAGER_SERVING, AT(ms));
		}
		if (AT(ms) < look)
			continue;
		looks++;
		look = TIME_NEVER;
		if (manager_pace_take(&p, text, AT(ms))) {
			said++;
			look = manager_pace_next(&p, MANAGER_SERVING, AT(ms));
		}
	}
	cr_assert_leq(said, 13);
	cr_assert_geq(said, 11);
	cr_assert_leq(looks, said + 2);
}

static bool steps(struct manager_pace *p, enum manager_phase phase, uint32_t ready, uint64_t jobs,
	uint32_t alive)
{
	struct manager_state s = { .phase = phase, .ready = ready, .jobs = jobs, .alive = alive };

	return manager_pace_steps(p, &s);
}

/* More time is asked for when a worker more is ready than ever; a crash loop gets none. */
Test(unit_manager_status, steps_of_a_start)
{
	struct manager_pace p = { 0 };

	cr_assert_not(steps(&p, MANAGER_STARTING, 0, 0, 2));
	cr_assert_not(steps(&p, MANAGER_STARTING, 0, 0, 9));
	cr_assert(steps(&p, MANAGER_STARTING, 3, 0, 9));
	cr_assert_not(steps(&p, MANAGER_STARTING, 3, 0, 9));
	cr_assert_not(steps(&p, MANAGER_STARTING, 2, 0, 9));
	cr_assert_not(steps(&p, MANAGER_STARTING, 3, 0, 9));
	cr_assert(steps(&p, MANAGER_STARTING, 4, 0, 9));
	cr_assert_not(steps(&p, MANAGER_SERVING, 5, 0, 9));
	cr_assert_not(steps(&p, MANAGER_SERVING, 6, 100, 9));
}

Test(unit_manager_status, steps_of_a_stop)
{
	struct manager_pace p = { 0 };

	cr_assert_not(steps(&p, MANAGER_SERVING, 9, 1000, 9));
	cr_assert_not(steps(&p, MANAGER_STOPPING, 9, 1001, 9));
	cr_assert_not(steps(&p, MANAGER_STOPPING, 9, 1001, 9));
	cr_assert(steps(&p, MANAGER_STOPPING, 9, 1002, 9));
	cr_assert(steps(&p, MANAGER_STOPPING, 8, 1002, 8));
	cr_assert_not(steps(&p, MANAGER_STOPPING, 8, 1002, 8));
	cr_assert(steps(&p, MANAGER_STOPPING, 0, 1002, 0));
}

Test(unit_manager_status, how_much_time)
{
	cr_assert_eq(manager_pace_extend_us(MANAGER_STARTING, 10000), 30000000);
	cr_assert_eq(manager_pace_extend_us(MANAGER_STARTING, 60000), 65000000);
	cr_assert_eq(manager_pace_extend_us(MANAGER_STARTING, UINT32_MAX), 30000000);
	cr_assert_eq(manager_pace_extend_us(MANAGER_STOPPING, 60000), 30000000);
}
