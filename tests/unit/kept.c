/* SPDX-License-Identifier: MIT */
/* kept.c - the table of kept fds, its names, and what LISTEN_FDS and its like say. */
#include "pool/kept.h"
#include "pool/passed.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(unit_kept, .timeout = 20);

/* ---- names ---- */

Test(unit_kept, names)
{
	char longest[257];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	cr_assert(kept_name_is_good("echo"));
	cr_assert(kept_name_is_good("a b~!/=\"\\"));
	cr_assert(kept_name_is_good(longest));
	longest[255] = 'n';
	longest[256] = '\0';
	cr_assert_not(kept_name_is_good(longest));
	cr_assert_not(kept_name_is_good(""));
	for (int c = 1; c < 256; c++) {
		char name[] = { 'a', (char)c, 'b', '\0' };

		cr_assert_eq(kept_name_is_good(name), c >= ' ' && c <= '~' && c != ':', "%d", c);
	}
}

/* ---- the table ---- */

static struct kept table(uint32_t room, bool told)
{
	struct kept k;

	cr_assert_eq(kept_init(&k, room, told), 0);
	return k;
}

static int set(struct kept *k, const char *name, int fd)
{
	int old[KEPT_MAX];

	return kept_set(k, name, fd, old);
}

/* What is told, as "r:a s:a=5 ", until all is. */
static const char *told(struct kept *k)
{
	static char text[512];
	struct kept_file *file;
	enum kept_word word;
	size_t n = 0;

	text[0] = '\0';
	while ((file = kept_next(k, &word))) {
		n += (size_t)(word == KEPT_STORE
				? snprintf(text + n, sizeof text - n, "s:%s=%d ", file->name,
					  file->fd)
				: snprintf(text + n, sizeof text - n, "r:%s ", file->name));
		kept_was_told(k, file, word);
	}
	return text;
}

Test(unit_kept, the_last_of_a_name_counts)
{
	struct kept k = table(4, false);
	int fds[4] = { -1, -1, -1, -1 }, old[KEPT_MAX];

	cr_assert_eq(kept_set(&k, "a", 5, old), 0);
	cr_assert_eq(kept_set(&k, "b", 6, old), 0);
	cr_assert_eq(kept_set(&k, "a", 7, old), 1);
	cr_assert_eq(old[0], 5);
	cr_assert_eq(kept_find(&k, "a", fds, 4), 1);
	cr_assert_eq(fds[0], 7);
	cr_assert_eq(kept_find(&k, NULL, fds, 4), 2);
	cr_assert_eq(fds[0], 7);
	cr_assert_eq(fds[1], 6);
	cr_assert_eq(kept_set(&k, "a", -1, old), 1);
	cr_assert_eq(old[0], 7);
	cr_assert_eq(kept_set(&k, "a", -1, old), 0);
	cr_assert_eq(kept_find(&k, "a", fds, 4), 0);
	cr_assert_eq(kept_files(&k), 1);
	cr_assert_null(kept_next(&k, &(enum kept_word){ 0 }));
	kept_free(&k);
}

Test(unit_kept, several_of_one_name_were_passed)
{
	struct kept k = table(8, true);
	int fds[8], old[KEPT_MAX];

	cr_assert_eq(kept_add(&k, "web", 3), 0);
	cr_assert_eq(kept_add(&k, "other", 4), 0);
	cr_assert_eq(kept_add(&k, "web", 5), 0);
	cr_assert_eq(kept_find(&k, "web", fds, 1), 2);
	cr_assert_eq(fds[0], 3);
	cr_assert_str_eq(told(&k), "");
	cr_assert_eq(kept_set(&k, "web", 9, old), 2);
	cr_assert_eq(old[0] + old[1], 8);
	cr_assert_eq(kept_find(&k, NULL, fds, 8), 2);
	cr_assert_str_eq(told(&k), "r:web s:web=9 ");
	cr_assert_eq(kept_stored(&k), 1);
	kept_free(&k);
}

Test(unit_kept, room)
{
	struct kept k = table(2, true);

	cr_assert_eq(set(&k, "a", 1), 0);
	cr_assert_eq(set(&k, "b", 2), 0);
	cr_assert_not(kept_has_room(&k, "c"));
	cr_assert_eq(set(&k, "c", 3), -ENOSPC);
	cr_assert_eq(kept_add(&k, "c", 3), -ENOSPC);
	cr_assert(kept_has_room(&k, "b"));
	cr_assert_eq(set(&k, "b", 4), 1);
	cr_assert_eq(set(&k, "a", -1), 1);
	/* a name that is forgotten has its place until that is told */
	cr_assert_eq(set(&k, "c", 3), -ENOSPC);
	cr_assert_str_eq(told(&k), "r:a r:b s:b=4 ");
	cr_assert_eq(set(&k, "c", 3), 0);
	kept_free(&k);
}

Test(unit_kept, what_the_manager_is_told)
{
	struct kept k = table(8, true);

	set(&k, "a", 1);
	cr_assert_str_eq(told(&k), "r:a s:a=1 ");
	cr_assert_str_eq(told(&k), "");
	set(&k, "a", 2);
	set(&k, "a", 3);
	set(&k, "b", 4);
	set(&k, "b", -1);
	cr_assert_str_eq(told(&k), "r:a s:a=3 r:b ");
	set(&k, "a", -1);
	set(&k, "a", 5);
	cr_assert_str_eq(told(&k), "r:a s:a=5 ");
	set(&k, "none", -1);
	cr_assert_str_eq(told(&k), "");
	kept_free(&k);
}

/* A model with an array of names; each step is one of keep and forget, and sometimes all is told.
 */
Test(unit_kept, at_random)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct kept k = table(64, seed % 2 == 0);
		int model[8], stored[8], fds[2], old[KEPT_MAX];
		uint64_t x = seed;

		memset(model, -1, sizeof model);
		memset(stored, -1, sizeof stored);
		for (int step = 0; step < 500; step++) {
			struct kept_file *file;
			enum kept_word word;
			char name[2] = "a";
			unsigned at;
			int fd;

			x = x * 6364136223846793005ull + 1442695040888963407ull;
			at = (x >> 33) % 8;
			fd = (x >> 40) % 3 == 0 ? -1 : (int)(x >> 48);
			name[0] = (char)('a' + at);
			cr_assert_eq(kept_set(&k, name, fd, old), model[at] >= 0);
			cr_assert(model[at] < 0 || old[0] == model[at]);
			model[at] = fd;
			cr_assert_eq(kept_find(&k, name, fds, 2), fd >= 0);
			cr_assert(fd < 0 || fds[0] == fd);
			while ((x >> 50) % 4 == 0 && (file = kept_next(&k, &word))) {
				stored[file->name[0] - 'a'] = word == KEPT_STORE ? file->fd : -1;
				kept_was_told(&k, file, word);
			}
			if ((x >> 50) % 4 == 0 && seed % 2 == 0)
				cr_assert_arr_eq(stored, model, sizeof model);
		}
		kept_free(&k);
	}
}

/* ---- LISTEN_PID, LISTEN_PIDFDID, LISTEN_FDS, LISTEN_FDNAMES ---- */

static int count(const char *pid, const char *pidfd, const char *fds, const char *names)
{
	const struct passed_words words = { pid, pidfd, fds, names };
	const struct passed_self self = { .pid = 4711, .pidfd = 99 };

	return passed_count(&words, &self);
}

Test(unit_kept, how_many_were_passed)
{
	cr_assert_eq(count(NULL, NULL, NULL, NULL), 0);
	cr_assert_eq(count("4711", NULL, NULL, NULL), 0);
	cr_assert_eq(count(NULL, NULL, "2", NULL), 0);
	cr_assert_eq(count("4711", NULL, "2", NULL), 2);
	cr_assert_eq(count("4711", NULL, "0", NULL), 0);
	cr_assert_eq(count("4712", NULL, "2", NULL), 0);
	cr_assert_eq(count("4711", "99", "2", "a:b"), 2);
	cr_assert_eq(count("4711", "98", "2", "a:b"), 0);
	cr_assert_eq(count("4711", NULL, "3", "a::b"), 3);
}

Test(unit_kept, what_makes_no_sense)
{
	static const char *const numbers[] = { "", "x", "-1", "+1", " 1", "1 ", "1x", "2147483646",
		"18446744073709551617" };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		cr_assert_eq(count("4711", NULL, numbers[i], NULL), -EINVAL, "%s", numbers[i]);
		if (i != 7)
			cr_assert_eq(count(numbers[i], NULL, "1", NULL), -EINVAL, "%s", numbers[i]);
	}
	cr_assert_eq(count("4711", "x", "1", NULL), -EINVAL);
	cr_assert_eq(count("4711", NULL, "2", "a"), -EINVAL);
	cr_assert_eq(count("4711", NULL, "2", "a:b:c"), -EINVAL);
	cr_assert_eq(count("4711", NULL, "1", ""), -EINVAL);
}

/* A kernel whose pidfds all have one inode number cannot tell: then the pid alone counts. */
Test(unit_kept, a_kernel_without_numbers_of_pidfds)
{
	const struct passed_words words = { "4711", "98", "1", NULL };
	const struct passed_self self = { .pid = 4711 };

	cr_assert_eq(passed_count(&words, &self), 1);
}

static const char *name_of(const char *names, uint32_t index)
{
	static char name[KEPT_NAME_MAX + 1];

	memset(name, 'x', sizeof name);
	passed_name(names, index, name);
	return name;
}

Test(unit_kept, names_of_what_was_passed)
{
	char names[600];

	cr_assert_str_eq(name_of("web:admin:stored", 0), "web");
	cr_assert_str_eq(name_of("web:admin:stored", 1), "admin");
	cr_assert_str_eq(name_of("web:admin:stored", 2), "stored");
	cr_assert_str_eq(name_of("web:admin:stored", 3), "unknown");
	cr_assert_str_eq(name_of("web", 7), "unknown");
	cr_assert_str_eq(name_of(NULL, 0), "unknown");
	cr_assert_str_eq(name_of("a::b", 1), "unknown");
	cr_assert_str_eq(name_of("a\nb:c", 0), "unknown");
	memset(names, 'n', sizeof names);
	snprintf(names + 256, sizeof names - 256, ":b");
	cr_assert_str_eq(name_of(names, 0), "unknown");
	cr_assert_str_eq(name_of(names, 1), "b");
	cr_assert_eq(strlen(name_of(names + 1, 0)), KEPT_NAME_MAX);
}
