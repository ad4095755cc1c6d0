/* SPDX-License-Identifier: MIT */
/* run_file.c - reads a run that --json has written. */
#include "compare_files.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUES_MAX  2000000u
#define SCHEMA      "brood-load/1"
#define COUNT_LARGE 9e15 /* whole numbers up to here are exact in a double */

static int wrong(const char *name, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int wrong(const char *name, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "brood-load: %s: ", name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return error;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Reads all of the file, which may grow or shrink meanwhile. */
static int read_all(int fd, const char *name, char **ret, size_t *ret_size)
{
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);
	ssize_t n = 1;

	while (text && n > 0 && size <= JSON_READ_SIZE_MAX) {
		if (size == room) {
			char *more = realloc(text, room *= 2);

			if (!more)
				free(text);
			text = more;
			continue;
		}
		n = read(fd, text + size, room - size);
		size += n > 0 ? (size_t)n : 0;
	}
	*ret = text;
	*ret_size = size;
	if (!text)
		return wrong(name, -ENOMEM, "no memory to read it");
	return n < 0 ? wrong(name, -errno, "%s", strerror(errno)) : 0;
}

static int load(struct run_file *run)
{
	int fd = open(run->name, O_RDONLY | O_CLOEXEC), r;
	struct json_value *values;
	size_t size = 0;

	if (fd < 0)
		return wrong(run->name, -errno, "%s", strerror(errno));
	r = read_all(fd, run->name, &run->text, &size);
	close(fd);
	if (r)
		return r;
	values = calloc(VALUES_MAX, sizeof *values); /* only what is used takes memory */
	if (!values)
		return wrong(run->name, -ENOMEM, "no memory to read it");
	r = json_read(&run->doc, run->text, size, values, VALUES_MAX);
	if (r)
		return wrong(run->name, r, "this is no JSON of brood-load: %s, at byte %zu",
			run->doc.wrong, run->doc.wrong_at);
	return 0;
}

/* ---- what is in it --------------------------------------------------------------------------- */

static bool is_count(double value)
{
	return value >= 0 && value <= COUNT_LARGE && value == (double)(uint64_t)value;
}

/* Adds the buckets of one kind of jobs. False: they are not what --json writes. */
static bool add_histogram(struct run_file *run, const struct json_value *one)
{
	const struct json_doc *doc = &run->doc;
	const struct json_value *high = json_first(doc, json_find(doc, one, "at_most_ns"));
	const struct json_value *count = json_first(doc, json_find(doc, one, "counts"));
	double last = -1;

	for (; high && count; high = json_next(doc, high), count = json_next(doc, count)) {
		if (high->type != JSON_NUMBER || count->type != JSON_NUMBER ||
			!is_count(high->number) || !is_count(count->number) || high->number <= last)
			return false;
		last = high->number;
		histogram_add_many(run->latency, (uint64_t)high->number, (uint64_t)count->number);
	}
	return !high && !count;
}

static int read_latencies(struct run_file *run)
{
	const struct json_value *all = json_find(&run->doc, NULL, "histograms"), *one;
	static const double quantiles[RUN_FIGURES] = { 0, 0.5, 0.9, 0.99, 0.999 };

	run->latency = histogram_new();
	if (!run->latency)
		return wrong(run->name, -ENOMEM, "no memory for its latencies");
	for (one = json_first(&run->doc, all); one; one = json_next(&run->doc, one)) {
		if (!add_histogram(run, one))
			return wrong(run->name, -EBADMSG, "its histograms are odd");
	}
	for (unsigned i = RUN_P50; i < RUN_FIGURES; i++)
		run->whole[i] = (double)histogram_quantile(run->latency, quantiles[i]);
	/* a number of jobs that there can be */
	run->whole[RUN_RATE] = fmin(
		fmax(json_number(&run->doc, NULL, "rate_per_s", 0), 0), COUNT_LARGE);
	return 0;
}

static void read_batch(struct run_file *run, const struct json_value *batch, unsigned i)
{
	static const char *const keys[RUN_FIGURES] = { "verdicts", "p50_us", "p90_us", "p99_us",
		"p99_9_us" };
	double seconds = json_number(&run->doc, batch, "seconds", 0);

	for (unsigned k = 0; k < RUN_FIGURES; k++)
		run->batch[k][i] = json_number(&run->doc, batch, keys[k], 0) * 1000;
	/* A part without a verdict is a stall, and has a logarithm, too: as if half a job ended. */
	if (run->batch[RUN_RATE][i] <= 0)
		run->batch[RUN_RATE][i] = 500;
	run->batch[RUN_RATE][i] = seconds > 0 ? run->batch[RUN_RATE][i] / 1000 / seconds : 0;
}

static int read_batches(struct run_file *run)
{
	const struct json_value *all = json_find(&run->doc, NULL, "batches"), *one;

	if (!all || all->type != JSON_ARRAY)
		return wrong(run->name, -EBADMSG,
			json_find(&run->doc, NULL, "compare")
				? "it has several runs (--compare); give files of one run each"
				: "it has no \"batches\": write it with brood-load --json of this "
				  "release");
	for (one = json_first(&run->doc, all); one && run->batches < RUN_BATCHES_MAX;
		one = json_next(&run->doc, one))
		read_batch(run, one, run->batches++);
	if (!run->batches)
		return wrong(run->name, -EBADMSG, "it has no jobs to compare");
	return 0;
}

int run_file_read(const char *name, struct run_file *ret)
{
	const struct json_value *schema;
	int r;

	memset(ret, 0, sizeof *ret);
	ret->name = name;
	r = load(ret);
	if (r)
		return r;
	schema = json_find(&ret->doc, NULL, "schema");
	if (!schema || schema->type != JSON_STRING || schema->size != strlen(SCHEMA) ||
		memcmp(schema->text, SCHEMA, schema->size) != 0)
		return wrong(name, -EBADMSG,
			"this is no run of brood-load: its \"schema\" is not \"%s\"", SCHEMA);
	r = read_batches(ret);
	return r ? r : read_latencies(ret);
}

void run_file_free(struct run_file *run)
{
	free(run->doc.values);
	free(run->latency);
	free(run->text);
	memset(run, 0, sizeof *run);
}
