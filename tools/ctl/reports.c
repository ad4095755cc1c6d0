/* SPDX-License-Identifier: MIT */
/* reports.c - brood-ctl reports: the last deaths of workers, and looks at slow jobs. */
#include "ctl.h"
#include "ctl_json.h"
#include "report.h"
#include "words.h"

#include "../../src/os/signals.h"
#include "../../src/wire/labels.h"
#include "../../src/wire/report_text.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

static void put_shown(const char *before, const char *text)
{
	char shown[WORDS_SHOWN_MAX];

	words_shown(shown, text, WORDS_SHOWN_MAX - 4);
	printf("%s%s\n", before, shown);
}

void ctl_put_frames(const struct brood_report *report)
{
	char line[LINE_MAX_BYTES];

	for (uint32_t i = 0; i < report->frames_count; i++) {
		report_text_frame(&report->frames[i], line, sizeof line);
		put_shown("    ", line);
	}
}

/* The lines as the worker wrote them, each cut where no terminal would show more. */
static void put_stderr(const char *text)
{
	char line[LINE_MAX_BYTES];

	if (*text)
		puts("  last on stderr:");
	while (*text) {
		size_t size = strcspn(text, "\n");

		snprintf(line, sizeof line, "%.*s", (int)MIN(size, sizeof line - 1), text);
		put_shown("    ", line);
		text += size + (text[size] == '\n');
	}
}

static void put_report(const struct look *look, const struct report *r)
{
	char line[LINE_MAX_BYTES], age[WORDS_MAX], memory[WORDS_MAX];

	printf("%" PRIu64 ": %s ago", r->number, words_since(age, r->at_ns, look->now_ns));
	if (look->pools > 1 && r->pool < look->pools)
		put_shown(", pool ", look->pool[r->pool].setup.name);
	else
		puts("");
	report_text_head(&r->report, line, sizeof line);
	put_shown("  ", line);
	ctl_put_frames(&r->report);
	if (r->report.progress[0])
		put_shown("  progress: ", r->report.progress);
	put_stderr(r->report.stderr_text);
	if (r->report.cause != BROOD_REPORT_SLOW && r->report.peak_kb)
		printf("  used in its life: CPU %.2f s, memory %s\n",
			(double)r->report.cpu_us / 1e6,
			words_bytes(memory, r->report.peak_kb * 1024));
}

/* ---- JSON ---- */

static void put_job(struct json *json, const struct brood_report *r)
{
	if (!r->id) {
		json_null(json, "job");
		return;
	}
	json_begin(json, "job", '{');
	json_count(json, "id", r->id);
	json_text(json, "function", r->name);
	json_text(json, "tag", r->tag);
	json_end(json, '}');
}

static void put_end(struct json *json, const struct brood_report *r)
{
	char name[16], address[24];

	snprintf(address, sizeof address, "0x%" PRIx64, r->address);
	json_text(json, "cause", labels_report(r->cause) ? labels_report(r->cause) : "other");
	json_number(json, "signal", r->signal);
	json_text(json, "signal_name", r->signal ? signals_name(r->signal, name) : "");
	json_number(json, "code", r->code);
	json_text(json, "address", address);
	json_number(json, "exit_code", r->exit_code);
	json_bool(json, "core", r->core != 0);
	if (r->syscall >= 0)
		json_number(json, "syscall", r->syscall);
	else
		json_null(json, "syscall");
	json_seconds(json, "cpu", r->cpu_us * 1000);
	json_count(json, "peak_memory", r->peak_kb * 1024);
	json_text(json, "waits", r->waits);
	json_text(json, "progress", r->progress);
	json_text(json, "stderr", r->stderr_text);
}

static void put_json_report(struct json *json, const struct look *look, const struct report *r)
{
	json_begin(json, NULL, '{');
	json_count(json, "number", r->number);
	json_seconds(json, "age", look->now_ns > r->at_ns ? look->now_ns - r->at_ns : 0);
	json_text(json, "pool", r->pool < look->pools ? look->pool[r->pool].setup.name : "");
	json_count(json, "slot", r->report.slot);
	json_count(json, "generation", r->report.generation);
	json_number(json, "pid", r->report.pid);
	json_number(json, "tid", r->report.tid);
	put_job(json, &r->report);
	put_end(json, &r->report);
	ctl_json_frames(json, &r->report);
	json_end(json, '}');
}

static void put_json(const struct look *look, const struct report *reports, size_t count)
{
	struct json json = { .file = stdout };

	json_begin(&json, NULL, '{');
	ctl_json_head(&json, look);
	json_begin(&json, "reports", '[');
	for (size_t i = 0; i < count; i++)
		put_json_report(&json, look, &reports[i]);
	json_end(&json, ']');
	json_end(&json, '}');
	putchar('\n');
}

/* ---- the command ---- */

enum choose_exit ctl_reports(const struct request *request)
{
	static struct report reports[BROOD_REPORTS];
	struct status_page page;
	struct look look;
	size_t count;
	int pool;
	enum choose_exit code = ctl_look(request, &page, &look, &pool);

	if (code != CHOOSE_FINE)
		return code;
	count = report_read(&page, pool, reports,
		request->most > 0 && request->most < BROOD_REPORTS ? request->most : BROOD_REPORTS);
	if (request->json) {
		put_json(&look, reports, count);
	} else {
		const char *dead = look_dead(&look);

		if (dead)
			printf("attention: %s\n", dead);
		for (size_t i = 0; i < count; i++)
			put_report(&look, &reports[i]);
		if (count == 0)
			puts("no worker has died but as planned, and no job was slow");
	}
	ctl_done(&page, &look);
	return CHOOSE_FINE;
}
