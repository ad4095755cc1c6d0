/* SPDX-License-Identifier: MIT */
/*
 * conformance_tags.c - a job's tag, on every path: the job has it, in each attempt; its result and
 * its handle have it; the log names it, and so does the worker's title while the job runs.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define LONGEST "123456789 123456789 123456789 123456789 123456789 123456789 123"

/* Its tag is "n" and the number; number 0: it has none. */
static int has_its_tag(struct brood_job *job)
{
	char tag[BROOD_TAG_MAX] = "";

	if (said(job)->number)
		snprintf(tag, sizeof tag, "n%ld", said(job)->number);
	return strcmp(brood_job_tag(job), tag) == 0 ? 0 : 1;
}

static int has_the_longest(struct brood_job *job)
{
	const unsigned char *arg;
	size_t size;

	arg = brood_job_arg(job, &size);
	return strcmp(brood_job_tag(job), LONGEST) != 0 ? 1
		: size != BROOD_ARG_MAX                 ? 2
		: arg[0] != 'a' || arg[size - 1] != 'z' ? 3
							: 0;
}

static void job_has_it(struct site *s)
{
	static const char *const tags[] = { "", "n1", "n2" };
	char tag[BROOD_TAG_MAX], arg[BROOD_ARG_MAX] = "a";

	for (int i = 0; i < 12; i++) {
		struct given *g;

		snprintf(tag, sizeof tag, "n%d", i % 3);
		g = GIVE(s, has_its_tag, .request = "bytes", .size = 5, .number = i % 3,
			.options = { .tag = i % 3 ? tag
					: i % 2   ? ""
						  : NULL });
		given_id(g);
		if (site_is(s, STREAMS))
			CHECK_STR(brood_tag(g->handle), i % 3 ? tag : "");
		memset(tag, 'x', sizeof tag - 1); /* copied when the job was given */
		g->what.options.tag = tags[i % 3];
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_MSG(g->v.left == 0, "%s", way_names[s->way]);
	}
	arg[BROOD_ARG_MAX - 1] = 'z';
	expect(RUN(s, has_the_longest,
		       .options = { .tag = LONGEST, .arg = arg, .arg_size = sizeof arg }),
		BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(job_has_it, EVERYWHERE)

/* The first attempt is killed from outside, and the second one has the tag, too. */
static int dies_once(struct brood_job *job)
{
	if (brood_job_attempt(job) == 1)
		raise(SIGKILL);
	return has_its_tag(job);
}

static void every_attempt_has_it(struct site *s)
{
	struct given *g = RUN(s, dies_once, .request = "bytes", .size = 5, .number = 7,
		.options = { .tag = "n7", .retries = 1 });

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 2);
}
CASE(every_attempt_has_it, ANY_WORKER)

static void too_long(struct site *s)
{
	struct given *g = RUN(s, has_its_tag, .refusable = true, .options = { .tag = LONGEST "4" });

	CHECK_EQ(site_is(s, CALLS) ? g->n : g->error, -EINVAL);
	site_well(s);
}
CASE(too_long, EVERYWHERE | ALONE)

/* ---- in the log ---- */

static struct {
	char died[512], said[512];
} lines;

static void hear(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->event == BROOD_EVENT_WORKER_DIED)
		snprintf(lines.died, sizeof lines.died, "%s", log->text);
	if (log->event == BROOD_EVENT_JOB_LOG)
		snprintf(lines.said, sizeof lines.said, "%s", log->text);
}

static bool heard(struct site *s)
{
	site_dispatch(s);
	brood_dispatch(s->brood);
	return lines.died[0] && lines.said[0];
}

static int says_and_dies(struct brood_job *job)
{
	brood_job_log(job, BROOD_NOTICE, "hello");
	raise(SIGSEGV);
	return 0;
}
static int also_says_and_dies(struct brood_job *job) { return says_and_dies(job); }

/*
 * A second death in the same function would be counted, and not told: the third job has a function
 * of its own.
 */
static void log_says(struct site *s, brood_fn *fn, const char *name, bool tagged)
{
	char expected[128];
	struct what what = {
		.fn = fn, .name = name, .options = { .tag = tagged ? "GET /a\n\x1b[31m" : NULL }
	};

	memset(&lines, 0, sizeof lines);
	expect(finish(give(s, &what)), BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_MSG(WAIT_UNTIL(heard(s), 10000), "%s", way_names[s->way]);
	CHECK_STR(lines.said, tagged ? "[GET /a??[31m] hello" : "hello");
	snprintf(expected, sizeof expected, " by SIGSEGV in %s%s, job ", name,
		tagged ? " [GET /a??[31m]" : "");
	CHECK_CONTAINS(lines.died, expected);
}

/* A control character of the tag does not reach the log. */
static void log_names_it(struct site *s)
{
	log_says(s, says_and_dies, "says_and_dies", true);
	log_says(s, says_and_dies, "says_and_dies", false);
	log_says(s, also_says_and_dies, "also_says_and_dies", true);
}
CASE(log_names_it, EVERYWHERE | FRESH, .log = hear)

/* ---- in the title ---- */

static int shows_itself(struct brood_job *job)
{
	atomic_store(&said(job)->stage->pid, getpid());
	return job_gated(job);
}

static const char *title_of(pid_t pid)
{
	static char text[512];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static bool title_shows(pid_t pid, const char *text, bool shown)
{
	return (strstr(title_of(pid), text) != NULL) == shown;
}

static void title_of_job(struct site *s, const char *tag, unsigned number)
{
	struct given *g;
	pid_t pid;

	atomic_store(&s->stage->pid, 0);
	atomic_store(&s->stage->gate, 0);
	g = GIVE(s, shows_itself, .options = { .tag = tag });
	CHECK(stage_entered(s, number));
	pid = stage_pid(s);
	/* a kernel that does not let the library set the title shows none */
	if (strstr(title_of(pid), ": worker ")) {
		CHECK_CONTAINS(title_of(pid), tag ? " shows_itself [" : " shows_itself");
		CHECK_MSG(title_shows(pid, "[", tag), "%s: %s", way_names[s->way], title_of(pid));
		CHECK_MSG(!tag || title_shows(pid, tag, true), "%s: %s", way_names[s->way],
			title_of(pid));
	}
	stage_open(s);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_MSG(WAIT_UNTIL(title_shows(pid, "shows_itself", false), 5000), "%s: %s",
		way_names[s->way], title_of(pid));
}

static void title_names_it(struct site *s)
{
	title_of_job(s, "first", 1);
	title_of_job(s, "the second one", 2);
	title_of_job(s, NULL, 3);
	title_of_job(s, "last", 4);
}
CASE(title_names_it, EVERYWHERE | ALONE, .workers = 1)
