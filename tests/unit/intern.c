/* SPDX-License-Identifier: MIT */
/* intern.c - the first name of a function stays; names that C++ macros pass are taken apart. */
#include "base/intern.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

TestSuite(unit_intern, .timeout = 60);

static uintptr_t fresh(void)
{
	static uintptr_t next = 0x1000;

	return next += 16;
}

static const char *name_of(const char *text) { return intern_function(fresh(), text); }

Test(unit_intern, first_name_is_copied_and_stays)
{
	char text[] = "upper";
	uintptr_t function = fresh();
	const char *name = intern_function(function, text);

	memset(text, 'x', sizeof text - 1);
	cr_assert_str_eq(name, "upper");
	cr_assert_eq(intern_function(function, "lower"), name, "a second name changes nothing");
	cr_assert_eq(intern_function(function, NULL), name);
}

Test(unit_intern, a_name_is_a_line)
{
	char large[200];

	memset(large, 'n', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	cr_assert_eq(strlen(name_of(large)), INTERN_NAME_MAX - 1);
	cr_assert_str_eq(name_of("two\nlines\t"), "two lines ");
	cr_assert_str_eq(name_of(NULL), "?");
	cr_assert_str_eq(name_of(""), "?");
}

Test(unit_intern, second_of_a_macros_arguments)
{
	cr_assert_str_eq(name_of("\373"
				 "brood, fn, &options, &fd, NULL"),
		"fn");
	cr_assert_str_eq(name_of("\373"
				 "pools[f(1, 2)], ns::fn, 0, &fd, 0"),
		"ns::fn");
	cr_assert_str_eq(name_of("\373"
				 "b, [](brood_job *) { int a, c; return g(a, c); }, 0, &fd, 0"),
		"[](brood_job *) { int a, c; return g(a, c); }");
	cr_assert_str_eq(name_of("\373"
				 "b, fn<int, 3>, 0, &fd, 0"),
		"fn<int, 3>");
	cr_assert_str_eq(name_of("\376"
				 "b, fn, \"a, \\\",b\", ',', x, sizeof x, 0, &v"),
		"fn");
	cr_assert_str_eq(name_of("\373"
				 "one argument"),
		"one argument", "nonsense stays whole");
	cr_assert_str_eq(name_of("\373"
				 "a, b"),
		"b");
	cr_assert_str_eq(name_of("\377"
				 ""),
		"?");
}

Test(unit_intern, nonsense_ends)
{
	static const char bits[] = "ab,(\"'\\[{}]) ";
	uint32_t seed = 7;

	for (int i = 0; i < 1000; i++) {
		char text[40];

		for (size_t at = 0; at < sizeof text; at++) {
			seed = seed * 1664525 + 1013904223;
			text[at] = bits[seed >> 16 & 7] ? bits[(seed >> 16) % (sizeof bits - 1)]
							: ' ';
		}
		text[0] = (char)(0xf9 + i % 7);
		text[sizeof text - 1] = '\0';
		cr_assert_lt(strlen(name_of(text)), (size_t)INTERN_NAME_MAX);
	}
}

static void *race(void *function)
{
	static const char *const names[] = { "a", "b" };
	const char *got = NULL;

	for (int i = 0; i < 200; i++)
		got = intern_function((uintptr_t)function + 16 * (uintptr_t)i, names[i & 1]);
	return (void *)(uintptr_t)got;
}

Test(unit_intern, threads_agree)
{
	pthread_t threads[4];
	void *got[4];

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, race, (void *)0x70000000), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_join(threads[i], &got[i]), 0);
	for (int i = 1; i < 4; i++)
		cr_assert_eq(got[i], got[0]);
}

Test(unit_intern, a_full_table_says_so)
{
	for (unsigned i = 0; i < INTERN_FUNCTIONS_MAX; i++)
		name_of("filler");
	cr_assert_str_eq(name_of("one too many"), "?");
}
