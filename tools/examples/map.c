/* SPDX-License-Identifier: MIT */
/*
 * map: runs one function over many items, on all workers, and prints the results in the order of
 * the items. It counts the words of files. A file that takes its worker down has no count; the
 * other files still have theirs.
 *
 * 	map FILE...
 */
#include <brood.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a worker: the request is a path with its NUL, the reply is a number. */
static int count_words(struct brood_job *job)
{
	const char *path = brood_job_request(job, NULL);
	FILE *file = path ? fopen(path, "r") : NULL;
	unsigned long words = 0;
	int c, inside = 0;
	if (!file)
		return errno;
	while ((c = getc(file)) != EOF) {
		words += !inside && !isspace(c);
		inside = !isspace(c);
	}
	fclose(file);
	return brood_job_reply(job, &words, sizeof words) < 0;
}

struct item {
	const char *path;
	unsigned long words;
	struct brood_verdict verdict;
};

/* Submits items until the queue is full: -EAGAIN says that a result must be taken first. */
static size_t give(struct brood *brood, struct item *items, size_t next, size_t count)
{
	struct brood_job_options options = { .size = sizeof options };
	for (; next < count; next++) {
		options.context = &items[next];
		int r = brood_submit(brood, count_words, items[next].path,
			strlen(items[next].path) + 1, &options, NULL);
		if (r == -EAGAIN)
			break;
		if (r < 0) {
			fprintf(stderr, "map: %s\n", brood_error());
			exit(1);
		}
	}
	return next;
}

static size_t take(struct brood *brood)
{
	const struct brood_result *results[64];
	int n = brood_take(brood_own_queue(brood), results, 64);
	for (int i = 0; i < n; i++) {
		struct item *item = results[i]->context;
		item->verdict = results[i]->verdict;
		if (results[i]->reply_size == sizeof item->words)
			memcpy(&item->words, results[i]->reply, sizeof item->words);
	}
	return n > 0 ? (size_t)n : 0;
}

static int print(const struct item *item)
{
	char line[300];
	if (item->verdict.outcome == BROOD_DONE)
		return printf("%8lu %s\n", item->words, item->path), 0;
	brood_verdict_format(&item->verdict, line, sizeof line);
	return printf("       - %s (%s)\n", item->path, line), 1;
}

int main(int argc, char **argv)
{
	struct brood_options options = { .size = sizeof options };
	struct brood *brood;
	if (brood_start(&options, &brood) < 0)
		return fprintf(stderr, "map: %s\n", brood_error()), 1;
	size_t count = (size_t)(argc > 1 ? argc - 1 : 0), next = 0, done = 0;
	struct item *items = calloc(count + 1, sizeof *items);
	int failed = 0;
	for (size_t i = 0; items && i < count; i++)
		items[i].path = argv[i + 1];
	while (items && done < count) {
		next = give(brood, items, next, count);
		if (brood_queue_wait(brood_own_queue(brood), BROOD_FOREVER) < 0)
			break;
		done += take(brood);
	}
	for (size_t i = 0; i < done; i++)
		failed += print(&items[i]);
	free(items);
	return brood_stop(brood) < 0 || failed > 0 || done < count;
}
