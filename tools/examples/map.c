/* SPDX-License-Identifier: MIT */
/*
 * map: runs one function over many items, on all workers, and prints the results in the order of
 * the items. It counts the lines and words of files. A file that takes its worker down has no
 * counts; the other files still have theirs. A line on standard error says how many files have
 * been counted.
 *
 * 	map FILE...
 */
#include <brood.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct counts {
	unsigned long lines, words;
};

/* In a worker: the request is a path with its NUL, the reply are the counts. */
static int count(struct brood_job *job)
{
	const char *path = brood_job_request(job, NULL);
	FILE *file = path ? fopen(path, "r") : NULL;
	struct counts counts = { 0, 0 };
	int c, inside = 0;
	if (!file)
		return errno;
	while ((c = getc(file)) != EOF) {
		counts.lines += c == '\n';
		counts.words += !inside && !isspace(c);
		inside = !isspace(c);
	}
	c = ferror(file) ? EIO : 0;
	fclose(file);
	return c ? c : brood_job_reply(job, &counts, sizeof counts) < 0;
}

static size_t failed;

static int progress(void *paths, const struct brood_map_progress *p)
{
	(void)paths;
	failed = p->not_done;
	fprintf(stderr, "\r%zu of %zu files%s", p->ended, p->count,
		p->ended < p->count ? "" : "\n");
	return 0;
}

static int print(void *paths, size_t index, const struct brood_result *result)
{
	struct counts counts = { 0, 0 };
	if (result->reply_size == sizeof counts)
		memcpy(&counts, result->reply, sizeof counts);
	printf("%8lu %8lu %s: %s\n", counts.lines, counts.words, ((char **)paths)[index],
		brood_outcome_name(result->verdict.outcome));
	return 0; /* any other value ends the map */
}

static ssize_t count_all(struct brood *brood, const struct iovec *items, size_t n, char **paths)
{
	struct brood_map_options options = { .size = sizeof options, .flags = BROOD_MAP_ORDERED };
	options.on_progress = progress;
	return brood_map(brood, count, items, n, &options, print, paths);
}

int main(int argc, char **argv)
{
	struct brood_options options = { .size = sizeof options, .flags = BROOD_NO_CORE };
	size_t files = argc > 1 ? (size_t)argc - 1 : 0;
	struct iovec *items = calloc(files + 1, sizeof *items);
	struct brood *brood;
	for (size_t i = 0; items && i < files; i++)
		items[i] = (struct iovec){ argv[i + 1], strlen(argv[i + 1]) + 1 };
	if (!items || brood_start(&options, &brood) < 0)
		return fprintf(stderr, "map: %s\n", items ? brood_error() : "no memory"), 1;
	ssize_t n = count_all(brood, items, files, argv + 1);
	if (n < 0)
		fprintf(stderr, "map: %s\n", brood_error());
	free(items);
	return brood_stop(brood) < 0 || n < 0 || failed > 0;
}
