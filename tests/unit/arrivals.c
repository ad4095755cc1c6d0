/* SPDX-License-Identifier: MIT */
/* arrivals.c - the open loads of brood-bench, and what an ideal queue makes of them. */
#include "../bench/arrivals.h"

#include <criterion/criterion.h>

TestSuite(unit_arrivals, .timeout = 60);

#define COUNT 60000u
#define RATE  6000u
#define US    1000u

static struct arrival many[COUNT], others[COUNT];
static uint64_t took[COUNT];

Test(unit_arrivals, a_seed_decides_all)
{
	bool same = true, differ = false;

	arrivals_make(many, COUNT, RATE, true, 7);
	arrivals_make(others, COUNT, RATE, true, 7);
	for (uint32_t i = 0; i < COUNT; i++)
		same = same && many[i].at_ns == others[i].at_ns &&
			many[i].takes_ns == others[i].takes_ns;
	cr_assert(same);
	arrivals_make(others, COUNT, RATE, true, 8);
	for (uint32_t i = 0; i < COUNT; i++)
		differ = differ || many[i].at_ns != others[i].at_ns;
	cr_assert(differ);
}

/* Of a Poisson process a share of 1 - 1/e of the gaps is shorter than the mean. */
Test(unit_arrivals, a_poisson_process)
{
	const uint64_t mean = 1000000000 / RATE;
	uint32_t shorter = 0;

	arrivals_make(many, COUNT, RATE, false, 1);
	for (uint32_t i = 1; i < COUNT; i++) {
		cr_assert_geq(many[i].at_ns, many[i - 1].at_ns);
		shorter += many[i].at_ns - many[i - 1].at_ns < mean;
	}
	cr_assert(many[COUNT - 1].at_ns > COUNT * mean / 100 * 98);
	cr_assert(many[COUNT - 1].at_ns < COUNT * mean / 100 * 102);
	cr_assert(shorter > COUNT / 1000 * 622 && shorter < COUNT / 1000 * 642, "%u", shorter);
}

Test(unit_arrivals, one_of_each_hundred_is_long)
{
	arrivals_make(many, COUNT, RATE, true, 3);
	for (uint32_t i = 0; i < COUNT; i += 100) {
		uint32_t long_ones = 0;

		for (uint32_t j = i; j < i + 100; j++) {
			long_ones += many[j].takes_ns == ARRIVALS_LONG_NS;
			cr_assert(many[j].takes_ns == ARRIVALS_LONG_NS ||
				many[j].takes_ns == ARRIVALS_SHORT_NS);
		}
		cr_assert_eq(long_ones, 1);
	}
	arrivals_make(many, COUNT, RATE, false, 3);
	for (uint32_t i = 0; i < COUNT; i++)
		cr_assert_eq(many[i].takes_ns, ARRIVALS_SHORT_NS);
}

Test(unit_arrivals, an_ideal_queue_is_first_come_first_served)
{
	static const struct arrival five[] = { { 0, 100 * US }, { 10 * US, 20 * US },
		{ 20 * US, 20 * US }, { 25 * US, 5 * US }, { 500 * US, 7 * US } };
	uint64_t ideal[5];

	arrivals_ideal(five, 5, 1, ideal);
	cr_assert_eq(ideal[0], 100 * US);
	cr_assert_eq(ideal[1], 110 * US);
	cr_assert_eq(ideal[2], 120 * US);
	cr_assert_eq(ideal[3], 120 * US);
	cr_assert_eq(ideal[4], 7 * US);
	arrivals_ideal(five, 5, 2, ideal);
	cr_assert_eq(ideal[0], 100 * US);
	cr_assert_eq(ideal[1], 20 * US);
	cr_assert_eq(ideal[2], 30 * US);
	cr_assert_eq(ideal[3], 30 * US);
	cr_assert_eq(ideal[4], 7 * US);
	arrivals_ideal(five, 5, ARRIVALS_SERVERS_MAX, ideal);
	for (uint32_t i = 0; i < 5; i++)
		cr_assert_eq(ideal[i], five[i].takes_ns);
}

/* What arrivals.h says: with eight workers no short job needs to wait behind a long one. */
Test(unit_arrivals, no_job_of_a_heavy_load_needs_to_wait)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct arrivals_tail tail;

		arrivals_make(many, COUNT, RATE, true, seed);
		arrivals_ideal(many, COUNT, 8, took);
		tail = arrivals_tail(many, 0, COUNT, took);
		cr_assert_eq(tail.p999_ns, ARRIVALS_SHORT_NS);
	}
}

Test(unit_arrivals, the_tail_is_of_short_jobs_after_the_first_ones)
{
	struct arrivals_tail tail;

	for (uint32_t i = 0; i < 2001; i++) {
		many[i] = (struct arrival){ i, i == 2000 ? ARRIVALS_LONG_NS : ARRIVALS_SHORT_NS };
		took[i] = i < 1000 ? 1000000 : 3000 - i; /* 1,000 of them count: 1,001 to 2,000 */
	}
	tail = arrivals_tail(many, 1000, 2001, took);
	cr_assert_eq(tail.median_ns, 1500);
	cr_assert_eq(tail.p99_ns, 1990);
	cr_assert_eq(tail.p999_ns, 1999);
	cr_assert_eq(tail.longest_ns, 2000);
	tail = arrivals_tail(many, 2000, 2001, took);
	cr_assert_eq(tail.p99_ns, 0);
}
