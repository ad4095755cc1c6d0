/* SPDX-License-Identifier: MIT */
/*
 * Output like grep's, file by file: the matching lines, or with -c their number. One set of
 * patterns serves all files. When a search for this set falls, no later search runs.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <stdio.h>
#include <string.h>

struct lines {
	const struct grep_options *options;
	struct runner *runner;
	atomic_bool fallen;
	bool fell; /* a search fell, and the user was told */
	bool found;
};

static void print_line(const struct grep_options *options, const struct file *file, uint64_t number,
	const char *line, size_t size)
{
	if (file->prefix)
		printf("%s:", file->name);
	if (options->number)
		printf("%llu:", (unsigned long long)number);
	fwrite(line, 1, size, stdout);
	putchar('\n');
}

static void print_chunk(const struct grep_options *options, const struct chunk *chunk,
	const struct finding *finding)
{
	uint64_t number = chunk->file->line + 1;
	size_t counted = 0;
	for (uint32_t i = 0; i < finding->matches; i++) {
		size_t start = finding->starts[i];
		const char *newline = memchr(chunk->text + start, '\n', chunk->size - start);
		size_t end = newline ? (size_t)(newline - chunk->text) : chunk->size;
		for (; options->number && counted < start; counted++)
			number += chunk->text[counted] == '\n';
		print_line(options, chunk->file, number, chunk->text + start, end - start);
	}
}

static void end_of_file(const struct grep_options *options, const struct file *file)
{
	if (!options->count)
		return;
	if (file->prefix)
		printf("%s:", file->name);
	printf("%llu\n", (unsigned long long)file->matches);
}

static void fall(struct lines *lines, const struct task *task)
{
	if (!lines->fell)
		complain("%s%s%s", task->chunk ? task->chunk->file->name : "",
			task->chunk ? ": " : "", task->finding.why);
	lines->fell = true;
}

static void consume(void *context, struct task *task)
{
	struct lines *lines = context;
	struct finding *finding = &task->finding;
	struct chunk *chunk = task->chunk;
	if (finding->fell)
		fall(lines, task);
	if (lines->fell || !chunk)
		return;
	if (chunk->complaint) {
		complain("%s", chunk->text);
		return;
	}
	struct file *file = chunk->file;
	if (finding->matches > 0 && !file->finished) {
		lines->found = true;
		file->matches += finding->matches;
		if (!lines->options->count && chunk->binary) {
			complain("%s: binary file matches", file->name);
			file->finished = true;
		} else if (!lines->options->count) {
			print_chunk(lines->options, chunk, finding);
		}
	}
	file->line += chunk->lines;
	if (chunk->last)
		end_of_file(lines->options, file);
}

static uint32_t task_flags(const struct grep_options *options, const struct chunk *chunk)
{
	uint32_t flags = (options->extended ? SEARCH_EXTENDED : 0) |
		(options->icase ? SEARCH_ICASE : 0);
	if (options->count)
		flags |= SEARCH_COUNT;
	if (chunk && chunk->binary)
		flags |= SEARCH_BINARY | (options->count ? 0 : SEARCH_COUNT | SEARCH_FIRST);
	return flags;
}

static void submit(struct lines *lines, struct chunk *chunk)
{
	struct task task = { .chunk = chunk,
		.patterns = lines->options->patterns,
		.flags = task_flags(lines->options, chunk) };
	task.fallen = &lines->fallen;
	runner_submit(lines->runner, &task);
}

int lines_run(const struct grep_options *options, struct brood *brood)
{
	struct lines lines = { .options = options };
	struct chunk *chunk;
	lines.runner = runner_new(brood, consume, &lines);
	submit(&lines, NULL);
	runner_finish(lines.runner);

	struct source *source = source_new(options);
	while (!lines.fell && (chunk = source_next(source)))
		submit(&lines, chunk);
	runner_finish(lines.runner);
	bool trouble = lines.fell || source_trouble(source);
	source_free(source);
	runner_free(lines.runner);
	return trouble ? GREP_TROUBLE : lines.found ? GREP_FOUND : GREP_NOTHING;
}
