/* SPDX-License-Identifier: MIT */
/*
 * -f with -c: one row for each pattern, in the order of the pattern file. A row says how many lines
 * of all files match, or how the worker that searched died. A pattern that fell gets no more jobs;
 * the other patterns are not affected.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	struct patterns pattern;
	atomic_bool fallen;
	bool fell; /* some chunk fell; `why` is of the first one, in the order of the files */
	char why[256];
	uint64_t matches;
};

struct rows {
	const struct grep_options *options;
	struct runner *runner;
	struct row *row;
	uint32_t count;
};

static void consume(void *context, struct task *task)
{
	struct rows *rows = context;
	struct row *row = &rows->row[task->row];
	if (row->fell)
		return;
	row->matches += task->finding.matches;
	row->fell = task->finding.fell;
	memcpy(row->why, task->finding.why, sizeof row->why);
}

static void submit(struct rows *rows, uint32_t i, struct chunk *chunk)
{
	const struct grep_options *options = rows->options;
	struct task task = { .chunk = chunk ? chunk_ref(chunk) : NULL,
		.patterns = rows->row[i].pattern,
		.row = i,
		.flags = SEARCH_COUNT };
	task.fallen = &rows->row[i].fallen;
	task.flags |= (options->extended ? SEARCH_EXTENDED : 0) |
		(options->icase ? SEARCH_ICASE : 0);
	if (chunk && chunk->binary)
		task.flags |= SEARCH_BINARY;
	runner_submit(rows->runner, &task);
}

static void submit_all(struct rows *rows, struct chunk *chunk)
{
	for (uint32_t i = 0; i < rows->count; i++)
		if (!rows->row[i].fell)
			submit(rows, i, chunk);
}

static int print(const struct rows *rows)
{
	int code = GREP_NOTHING;
	for (uint32_t i = 0; i < rows->count; i++) {
		const struct row *row = &rows->row[i];
		if (row->fell)
			printf("%s\t", row->why);
		else
			printf("%" PRIu64 "\t", row->matches);
		fwrite(row->pattern.text, 1, row->pattern.size, stdout);
		if (row->fell)
			code = GREP_TROUBLE;
		else if (row->matches > 0 && code == GREP_NOTHING)
			code = GREP_FOUND;
	}
	return code;
}

int rows_run(const struct grep_options *options, struct brood *brood)
{
	struct rows rows = { .options = options };
	struct patterns one;
	struct chunk *chunk;
	rows.row = must_alloc(NULL, ((size_t)options->patterns.count + 1) * sizeof *rows.row);
	for (size_t offset = 0; patterns_next(&options->patterns, &offset, &one); rows.count++)
		rows.row[rows.count] = (struct row){ .pattern = one };
	rows.runner = runner_new(brood, consume, &rows);
	submit_all(&rows, NULL);
	runner_finish(rows.runner);

	struct source *source = source_new(options);
	for (bool first = true; (chunk = source_next(source)); chunk_unref(chunk)) {
		if (chunk->complaint) {
			complain("%s", chunk->text);
			continue;
		}
		submit_all(&rows, chunk);
		/*
		 * A pattern that hangs usually hangs on the first chunk. So only one task waits for
		 * the deadline.
		 */
		if (first)
			runner_finish(rows.runner);
		first = false;
	}
	runner_finish(rows.runner);
	int code = print(&rows);
	if (source_trouble(source))
		code = GREP_TROUBLE;
	source_free(source);
	runner_free(rows.runner);
	free(rows.row);
	return code;
}
