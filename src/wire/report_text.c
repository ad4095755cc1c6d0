/* SPDX-License-Identifier: MIT */
/* report_text.c - see report_text.h. What came from a worker may hold anything: see printable.h. */
#include "report_text.h"

#include "../base/base.h"
#include "../base/printable.h"
#include "../os/signals.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FRAMES_SHOWN 8

struct line {
	char *text;
	size_t size, used; /* used: the length of the whole line, even if it did not fit */
};

static __attribute__((format(printf, 2, 3))) void add(struct line *line, const char *format, ...)
{
	size_t at = MIN(line->used, line->size);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + at, line->size - at, format, args);
	va_end(args);
	line->used += (size_t)MAX(n, 0);
}

static const char *shown(char *copy, size_t size, const char *text)
{
	return printable_copy(copy, size, text);
}

static void add_who(struct line *line, const struct brood_report *r)
{
	char name[BROOD_NAME_MAX], tag[BROOD_TAG_MAX], job[PRINTABLE_JOB_MAX];

	if (r->id) {
		shown(name, sizeof name, r->name);
		shown(tag, sizeof tag, r->tag);
		add(line, "job %" PRIu64 " %s, ", r->id, printable_job(job, name, tag));
	}
	add(line, "worker %u (pid %d): ", r->slot, (int)r->pid);
}

const char *report_text_cause(uint32_t cause)
{
	static const char *const words[] = {
		[BROOD_REPORT_CRASHED] = "crashed",
		[BROOD_REPORT_EXITED] = "exited",
		[BROOD_REPORT_KILLED] = "killed from outside",
		[BROOD_REPORT_TIMED_OUT] = "timed out",
		[BROOD_REPORT_CANCELLED] = "cancelled",
		[BROOD_REPORT_STOPPED] = "stopped with the pool",
		[BROOD_REPORT_STUCK] = "stuck",
		[BROOD_REPORT_SLOW] = "slow",
	};

	return cause < ARRAY_SIZE(words) && words[cause] ? words[cause] : "ended";
}

static const char *code_word(int sig, int code)
{
	switch (sig) {
	case SIGSEGV:
		return code == SEGV_MAPERR    ? "not mapped"
			: code == SEGV_ACCERR ? "not allowed"
					      : "";
	case SIGBUS:
		return code == BUS_ADRALN    ? "misaligned"
			: code == BUS_ADRERR ? "beyond the end of a file"
					     : "";
	case SIGFPE: return code == FPE_INTDIV ? "division by zero" : "";
	case SIGILL: return code == ILL_ILLOPC || code == ILL_ILLOPN ? "no instruction" : "";
	default: return "";
	}
}

static void add_signal(struct line *line, const struct brood_report *r)
{
	const char *word = code_word(r->signal, r->code);
	char name[16];

	add(line, "%s", report_text_cause(r->cause));
	if (r->cause == BROOD_REPORT_EXITED && r->exit_code)
		add(line, " with %d", r->exit_code);
	if (r->signal && r->cause <= BROOD_REPORT_KILLED)
		add(line, ", %s%s%s%s", signals_name(r->signal, name), *word ? " (" : "", word,
			*word ? ")" : "");
	if ((r->signal == SIGSEGV || r->signal == SIGBUS) && r->frames_count > 0)
		add(line, " at 0x%" PRIx64, r->address);
	if (r->syscall >= 0)
		add(line, ", system call %d", r->syscall);
	if (r->core)
		add(line, ", core dumped");
}

static void add_frame(struct line *line, const struct brood_report_frame *f, bool with_module)
{
	char function[BROOD_REPORT_SYMBOL], module[BROOD_NAME_MAX];

	shown(function, sizeof function, f->function);
	shown(module, sizeof module, f->module);
	if (function[0])
		add(line, "%s+0x%x", function, f->function_offset);
	else
		add(line, "0x%" PRIx64, module[0] ? f->offset : f->address);
	if (module[0] && (with_module || !function[0]))
		add(line, " (%s)", module);
}

/* A module's name stands behind the last of its frames in a row. */
static void add_frames(struct line *line, const struct brood_report *r)
{
	uint32_t count = MIN(r->frames_count, (uint32_t)FRAMES_SHOWN);

	for (uint32_t i = 0; i < count; i++) {
		const struct brood_report_frame *f = &r->frames[i];

		add(line, "%s", i == 0 ? "; in " : " < ");
		add_frame(line, f, i + 1 == count || strcmp(f->module, f[1].module) != 0);
	}
}

/* True: the library has a handler of this signal, which notes the frames. */
static bool is_noted(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE ||
		sig == SIGTRAP || sig == SIGABRT || sig == SIGSYS;
}

/*
 * A thread of the job's own has no stack for handlers. So where its stack overflows, the kernel
 * ends the process, and no code of the library runs.
 */
static void add_missing(struct line *line, const struct brood_report *r)
{
	if (r->cause != BROOD_REPORT_CRASHED || r->frames_count > 0 || !is_noted(r->signal))
		return;
	add(line, "; no frames: the library's handler did not run. %s",
		r->signal == SIGSEGV ? "A thread's stack overflow, or the job's own handler"
				     : "The job's own handler did, or blocked the signal");
}

static void add_head(struct line *line, const struct brood_report *r)
{
	char waits[BROOD_REPORT_TEXT];

	add_who(line, r);
	add_signal(line, r);
	if (r->waits[0])
		add(line, "; waits: %s", shown(waits, sizeof waits, r->waits));
	add_missing(line, r);
}

/* A program that was compiled with an older header has a report without stderr_text. */
size_t report_text_last_line(const struct brood_report *r, char *text, size_t size)
{
	const size_t before = offsetof(struct brood_report, stderr_text);
	const size_t room = r->size > before ? MIN(r->size - before, sizeof r->stderr_text) : 0;
	const size_t count = strnlen(r->stderr_text, room);
	const char *newline = count > 0 ? memrchr(r->stderr_text, '\n', count) : NULL;
	const char *from = newline ? newline + 1 : r->stderr_text;
	char line[BROOD_REPORT_STDERR];

	memcpy(line, from, count - (size_t)(from - r->stderr_text));
	line[MIN(count - (size_t)(from - r->stderr_text), sizeof line - 1)] = '\0';
	return strlen(shown(text, size, line));
}

int report_text(const struct brood_report *r, char *text, size_t size)
{
	struct line line = { .text = text, .size = size };
	char progress[BROOD_REPORT_TEXT], last[BROOD_REPORT_TEXT];

	add_head(&line, r);
	add_frames(&line, r);
	if (r->progress[0])
		add(&line, "; progress: %s", shown(progress, sizeof progress, r->progress));
	if (report_text_last_line(r, last, sizeof last) > 0)
		add(&line, "; stderr: %s", last);
	return (int)line.used;
}

int report_text_head(const struct brood_report *r, char *text, size_t size)
{
	struct line line = { .text = text, .size = size };

	add_head(&line, r);
	return (int)line.used;
}

int report_text_frame(const struct brood_report_frame *frame, char *text, size_t size)
{
	struct line line = { .text = text, .size = size };

	add_frame(&line, frame, true);
	return (int)line.used;
}
