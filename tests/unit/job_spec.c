/* SPDX-License-Identifier: MIT */
/* job_spec.c - which jobs brood-load gives: the syntax of --mix and --size, and the choice. */
#include "../../tools/load/job_spec.h"

#include <brood.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(unit_job_spec, .timeout = 60);

static struct job_spec mix_of(const char *text)
{
	struct job_spec_why why = { "" };
	struct job_spec s;

	job_spec_begin(&s);
	cr_assert_eq(job_spec_mix(text, &s, &why), 0, "%s: %s", text, why.text);
	return s;
}

static void check_item(
	const struct job_spec *s, unsigned i, enum kind kind, uint64_t value, double weight)
{
	cr_assert_lt(i, s->mix.count);
	cr_assert_eq(s->mix.item[i].kind, kind, "item %u: %s", i, kind_name(s->mix.item[i].kind));
	cr_assert_eq(s->mix.item[i].value, value, "item %u: %llu", i,
		(unsigned long long)s->mix.item[i].value);
	cr_assert_float_eq(s->mix.item[i].weight, weight, 1e-12);
}

Test(unit_job_spec, weights_alone)
{
	struct job_spec s = mix_of("echo=99.9,crash=0.1,spin=1,nop=1e3");

	cr_assert_eq(s.mix.count, 4);
	check_item(&s, 0, KIND_ECHO, 0, 99.9);
	check_item(&s, 1, KIND_CRASH, 0, 0.1);
	check_item(&s, 2, KIND_SPIN, 0, 1);
	check_item(&s, 3, KIND_NOP, 0, 1000);
	cr_assert(job_spec_is_stuck(&s));
}

Test(unit_job_spec, values_and_weights)
{
	struct job_spec s = mix_of("spin=50us:99,50ms,sleep=1.5ms,alloc=10MB:2,64K,512,syscalls=10,"
				   "20:3,spin=4,echo=5");

	cr_assert_eq(s.mix.count, 10);
	check_item(&s, 0, KIND_SPIN, 50000, 99);
	check_item(&s, 1, KIND_SPIN, 50000000, 1);
	check_item(&s, 2, KIND_SLEEP, 1500000, 1);
	check_item(&s, 3, KIND_ALLOC, 10 << 20, 2);
	check_item(&s, 4, KIND_ALLOC, 64 << 10, 1);
	check_item(&s, 5, KIND_ALLOC, 512, 1);
	check_item(&s, 6, KIND_SYSCALLS, 10, 1);
	check_item(&s, 7, KIND_SYSCALLS, 20, 3);
	check_item(&s, 8, KIND_SPIN, 0, 4);
	check_item(&s, 9, KIND_ECHO, 0, 5);
	cr_assert_float_eq(job_spec_weight(&s, KIND_SPIN), 104, 1e-9);
	cr_assert_eq(job_spec_most(&s.mix, KIND_ALLOC), 10 << 20);
	cr_assert_eq(job_spec_most(&s.mix, KIND_HANG), 0);
	cr_assert(job_spec_is_stuck(&s), "one of the spins has no time");
	cr_assert_not(job_spec_needs_no_pool(&s, KIND_SPIN));
	s = mix_of("spin=50us,hang=0");
	cr_assert_not(job_spec_is_stuck(&s));
	cr_assert_eq(s.mix.count, 1, "a weight of 0 is no item");
	cr_assert(job_spec_needs_no_pool(&s, KIND_SPIN));
}

Test(unit_job_spec, every_unit)
{
	static const struct {
		const char *text;
		uint64_t value;
	} rows[] = { { "sleep=7ns", 7 }, { "sleep=7us", 7000 }, { "sleep=7ms", 7000000 },
		{ "sleep=7s", 7000000000 }, { "sleep=3600s", 3600000000000 }, { "alloc=7", 7 },
		{ "alloc=7K", 7 << 10 }, { "alloc=7KB", 7 << 10 }, { "alloc=7M", 7 << 20 },
		{ "alloc=7MB", 7 << 20 }, { "alloc=7G", 7ull << 30 }, { "alloc=.5K", 512 },
		{ "syscalls=1", 1 }, { "syscalls=1000000000", 1000000000 } };

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct job_spec s = mix_of(rows[i].text);

		cr_assert_eq(s.mix.item[0].value, rows[i].value, "%s: %llu", rows[i].text,
			(unsigned long long)s.mix.item[0].value);
	}
}

Test(unit_job_spec, wrong_mixes)
{
	static const struct {
		const char *text, *word;
	} rows[] = { { "", "echo=99.9" }, { "echo", "echo=99.9" }, { "echo=1,", "echo=99.9" },
		{ "echo=", "echo=99.9" }, { "echo=-1", "echo=99.9" }, { "echo=nan", "echo=99.9" },
		{ "echo=1,2", "echo=99.9" }, { "echo=1:2", "echo=99.9" },
		{ "echo=1x", "echo=99.9" }, { "50us", "echo=99.9" }, { "walk=1", "\"walk\"" },
		{ "=1", "knows no job" }, { "echo=0,nop=0", "above 0" }, { "sleep=0ms", "time" },
		{ "sleep=5", "sleep=1ms" }, { "sleep=5:3", "sleep=1ms" },
		{ "sleep=3601s", "an hour" }, { "sleep=1ms:", "sleep=1ms" },
		{ "sleep=1ms:x", "sleep=1ms" }, { "sleep=1ms:1:1", "sleep=1ms" },
		{ "spin=5:3", "spins for ever" }, { "spin=5m", "spin=1ms" },
		{ "spin=1ms,", "spin=1ms" }, { "spin=1ms,5", "spin=1ms" }, { "spin=0.1ns", "time" },
		{ "alloc=1T", "alloc=10MB" }, { "alloc=-1", "alloc=10MB" },
		{ "alloc=10MBs", "alloc=10MB" }, { "syscalls=1K", "syscalls=10" },
		{ "syscalls=0", "syscalls=10" }, { "syscalls=2000000000", "thousand million" },
		{ "syscalls=1e300", "thousand million" }, { "sleep=1e300s", "an hour" },
		{ "alloc=1e300G", "alloc=10MB" }, { "echo=0x10", "echo=99.9" },
		{ "sleep=0x1ms", "sleep=1ms" }, { "sleep=1ms:0X1", "sleep=1ms" } };

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct job_spec_why why = { "" };
		struct job_spec s;

		job_spec_begin(&s);
		cr_assert_eq(job_spec_mix(rows[i].text, &s, &why), -EINVAL, "%s", rows[i].text);
		cr_assert(strstr(why.text, rows[i].word), "%s: %s", rows[i].text, why.text);
		cr_assert_eq(s.mix.count, 1, "%s: changed", rows[i].text);
		check_item(&s, 0, KIND_ECHO, 0, 1);
	}
}

Test(unit_job_spec, too_many_items)
{
	struct job_spec_why why = { "" };
	char text[512] = "spin=1us";
	struct job_spec s;

	job_spec_begin(&s);
	for (unsigned i = 1; i < JOB_SPEC_ITEMS_MAX; i++)
		strcat(text, ",1us");
	cr_assert_eq(job_spec_mix(text, &s, &why), 0);
	cr_assert_eq(s.mix.count, JOB_SPEC_ITEMS_MAX);
	strcat(text, ",1us");
	cr_assert_eq(job_spec_mix(text, &s, &why), -EINVAL);
	cr_assert(strstr(why.text, "at most 32"));
}

Test(unit_job_spec, sizes)
{
	static const char *const wrong[] = { "", "x", "64,", "64,x", "1.5", "M", "64:", "64:x",
		"64:1:1", "64KB", "1025M", "64:0", "99999999999" };
	struct job_spec_why why = { "" };
	struct job_spec s;

	job_spec_begin(&s);
	cr_assert_eq(job_spec_sizes("64:90,4K:10,1024M,0", &s, &why), 0, "%s", why.text);
	cr_assert_eq(s.sizes.count, 4);
	cr_assert_eq(s.sizes.item[0].value, 64);
	cr_assert_float_eq(s.sizes.item[0].weight, 90, 1e-12);
	cr_assert_eq(s.sizes.item[1].value, 4096);
	cr_assert_eq(s.sizes.item[2].value, 1ull << 30);
	cr_assert_float_eq(s.sizes.item[3].weight, 1, 1e-12);
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_eq(job_spec_sizes(wrong[i], &s, &why), -EINVAL, "%s", wrong[i]);
		cr_assert_eq(s.sizes.count, 4);
	}
}

Test(unit_job_spec, priorities)
{
	static const char *const wrong[] = { "", "normal", "normal=", "high=1", "normal=1,normal",
		"normal=0", "normal=1,background=1,normal=1" };
	struct job_spec_why why = { "" };
	struct job_spec s;

	job_spec_begin(&s);
	cr_assert_eq(job_spec_priorities("normal=9,background=1", &s, &why), 0, "%s", why.text);
	cr_assert_eq(s.priorities.count, 2);
	cr_assert_eq(s.priorities.item[1].value, BROOD_BACKGROUND);
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_eq(job_spec_priorities(wrong[i], &s, &why), -EINVAL, "%s", wrong[i]);
		cr_assert(strstr(why.text, "--priority"), "%s", why.text);
	}
}

Test(unit_job_spec, text_is_read_back)
{
	static const char *const texts[] = { "echo=1", "echo=99.9,crash=0.1",
		"spin=50us:99,50ms:1,echo=5", "spin=1,spin=7ns:1,sleep=3600s:1",
		"alloc=10MB:1,3:2,syscalls=17:1" };
	char text[JOB_SPEC_TEXT];

	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct job_spec s = mix_of(texts[i]), again;

		job_spec_mix_text(&s, text);
		again = mix_of(text);
		cr_assert_eq(again.mix.count, s.mix.count, "%s is told as %s", texts[i], text);
		for (unsigned k = 0; k < s.mix.count; k++)
			check_item(&again, k, s.mix.item[k].kind, s.mix.item[k].value,
				s.mix.item[k].weight);
	}
	cr_assert_str_eq(text, "alloc=10MB:1,3:2,syscalls=17:1");
}

/* The shares of a million choices differ from the weights by less than one in 200 of all. */
Test(unit_job_spec, choices_have_their_shares)
{
	struct job_spec s = mix_of("spin=50us:90,50ms:5,echo=5");
	unsigned short_ones = 0, long_ones = 0, small = 0, background = 0, n = 1000000;
	unsigned keys[4] = { 0 };
	struct job_spec_why why;
	struct job_choice c;

	job_spec_sizes("64:90,4K:10", &s, &why);
	job_spec_priorities("normal=3,background=1", &s, &why);
	s.keys = 3;
	for (unsigned i = 0; i < n; i++) {
		job_spec_choose(&s, 7, i, &c);
		short_ones += c.kind == KIND_SPIN && c.value == 50000;
		long_ones += c.kind == KIND_SPIN && c.value == 50000000;
		small += c.kind == KIND_ECHO && c.size == 64;
		cr_assert(c.kind == KIND_ECHO || !c.size, "a spin has no size");
		background += c.priority == BROOD_BACKGROUND;
		cr_assert(c.key >= 1 && c.key <= 3);
		keys[c.key]++;
	}
	cr_assert(short_ones > 895000 && short_ones < 905000, "%u", short_ones);
	cr_assert(long_ones > 45000 && long_ones < 55000, "%u", long_ones);
	cr_assert(small > 44000 && small < 46000, "%u of 50000 echoes", small);
	cr_assert(background > 245000 && background < 255000, "%u", background);
	for (unsigned k = 1; k <= 3; k++)
		cr_assert(keys[k] > 328000 && keys[k] < 339000, "key %u: %u", k, keys[k]);
}

Test(unit_job_spec, a_choice_depends_on_seed_and_number_alone)
{
	struct job_spec s = mix_of("echo=1,nop=1,spin=1us:1,2us:1");
	struct job_choice a[64], b;
	unsigned other_seed = 0;

	memset(a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	for (unsigned i = 0; i < 64; i++)
		job_spec_choose(&s, 11, i, &a[i]);
	for (unsigned i = 64; i-- > 0;) {
		job_spec_choose(&s, 11, i, &b);
		cr_assert_eq(memcmp(&a[i], &b, sizeof b), 0, "job %u", i);
		job_spec_choose(&s, 12, i, &b);
		other_seed += a[i].kind != b.kind;
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(a[i].payload_key, a[k].payload_key);
	}
	cr_assert_gt(other_seed, 16);
}

Test(unit_job_spec, begins_as_an_echo)
{
	struct job_spec s;
	struct job_choice c;

	job_spec_begin(&s);
	for (uint64_t i = 0; i < 100; i++) {
		job_spec_choose(&s, i, i * i, &c);
		cr_assert_eq(c.kind, KIND_ECHO);
		cr_assert_eq(c.size, 64);
		cr_assert_eq(c.key, 0);
		cr_assert_eq(c.priority, BROOD_NORMAL);
	}
}
