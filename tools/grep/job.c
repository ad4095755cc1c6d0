/* SPDX-License-Identifier: MIT */
/*
 * search.c as jobs. A request is a head, the patterns and the text. A reply says how many lines
 * match and where each one begins; for an invalid pattern it says why the pattern is invalid. One
 * brood_call() does one task. Brood may retry the call after a kill from outside, because a job
 * depends on the bytes of its request alone and changes nothing but its reply.
 *
 * The job has one of two functions, so that the function's name in a verdict says which part fell:
 * `compile` or `search`.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRIES  1000
#define QUEUE_MS 120000

struct request {
	uint32_t flags;
	uint32_t patterns_count;
	uint64_t patterns_size;
	uint64_t text_size;
};

/* ---- In a worker ----------------------------------------------------------------------------- */

struct received {
	struct request head;
	char *body; /* first the patterns, then the text */
	struct patterns patterns;
};

static enum search_code receive(struct brood_job *job, struct received *request)
{
	size_t whole = brood_job_request_size(job);
	if (brood_job_read_all(job, &request->head, sizeof request->head) !=
		(ssize_t)sizeof request->head)
		return SEARCH_IO;
	size_t size = request->head.patterns_size + request->head.text_size;
	if (whole - sizeof request->head != size)
		return SEARCH_BAD_REQUEST;
	request->body = malloc(size + 1);
	if (!request->body)
		return SEARCH_NO_MEMORY;
	if (brood_job_read_all(job, request->body, size) != (ssize_t)size) {
		free(request->body);
		return SEARCH_IO;
	}
	request->patterns = (struct patterns){ request->body, request->head.patterns_size,
		request->head.patterns_count };
	return SEARCH_OK;
}

static int answer(struct brood_job *job, enum search_code code, const struct search_result *result)
{
	if (code == SEARCH_BAD_PATTERN)
		brood_job_reply(job, result->error, strlen(result->error));
	if (code != SEARCH_OK)
		return code;
	if (brood_job_write(job, &result->matches, sizeof result->matches) < 0)
		return SEARCH_IO;
	if (result->starts &&
		brood_job_write(job, result->starts, result->matches * sizeof *result->starts) < 0)
		return SEARCH_IO;
	return SEARCH_OK;
}

static int compile(struct brood_job *job)
{
	struct received request;
	struct search_result result = { 0 };
	enum search_code code = receive(job, &request);
	if (code != SEARCH_OK)
		return code;
	code = search_compile(request.head.flags, &request.patterns, &result);
	free(request.body);
	return answer(job, code, &result);
}

static int search(struct brood_job *job)
{
	struct received request;
	struct search_result result = { 0 };
	enum search_code code = receive(job, &request);
	if (code != SEARCH_OK)
		return code;
	code = search_text(request.head.flags, &request.patterns,
		request.body + request.patterns.size, request.head.text_size, &result);
	free(request.body);
	code = (enum search_code)answer(job, code, &result);
	free(result.starts);
	return code;
}

/* ---- In the engine --------------------------------------------------------------------------- */

static void fall(struct finding *finding, const char *what, const char *function)
{
	finding->fell = true;
	snprintf(finding->why, sizeof finding->why, "%s%s%s", what, function ? " in " : "",
		function ? function : "");
}

/* A worker made this sentence, so only the printable part is used. */
static void fall_with_reply(struct finding *finding, const char *text, size_t size)
{
	char what[100];
	size_t n = 0;
	while (n < size && n < sizeof what - 1 && text[n] >= ' ' && text[n] <= '~') {
		what[n] = text[n];
		n++;
	}
	what[n] = 0;
	fall(finding, what, NULL);
}

static const char *code_text(int code)
{
	switch (code) {
	case SEARCH_NO_MEMORY: return "out of memory";
	case SEARCH_BAD_REQUEST: return "damaged request";
	case SEARCH_IO: return "request or reply cut short";
	default: return "unknown code";
	}
}

static void fall_with_verdict(struct finding *finding, const struct brood_verdict *verdict)
{
	char what[160];
	size_t size = (size_t)snprintf(
		what, sizeof what, "%s", brood_outcome_name(verdict->outcome));
	const char *signal_name = verdict->signal ? sigabbrev_np(verdict->signal) : NULL;
	if (verdict->outcome == BROOD_CRASHED && signal_name)
		size += (size_t)snprintf(what + size, sizeof what - size, ", SIG%s", signal_name);
	if (verdict->outcome == BROOD_FAILED)
		size += (size_t)snprintf(
			what + size, sizeof what - size, ", %s", code_text(verdict->code));
	if (verdict->outcome == BROOD_EXITED)
		size += (size_t)snprintf(
			what + size, sizeof what - size, ", code %d", verdict->code);
	if (verdict->detail != BROOD_DETAIL_NONE)
		snprintf(what + size, sizeof what - size, ", %s",
			brood_detail_name(verdict->detail));
	fall(finding, what, verdict->name);
}

/* True: each number is where some line begins, and the numbers rise. */
static bool starts_are_true(const struct chunk *chunk, const uint32_t *starts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (starts[i] >= chunk->size || (i > 0 && starts[i] <= starts[i - 1]))
			return false;
		if (starts[i] > 0 && chunk->text[starts[i] - 1] != '\n')
			return false;
	}
	return true;
}

static void accept_reply(struct task *task, uint32_t *reply, size_t size)
{
	struct finding *finding = &task->finding;
	if (size == 0 && !task->chunk)
		return;
	uint32_t matches = size >= sizeof *reply ? reply[0] : 0;
	uint32_t starts = task->flags & SEARCH_COUNT ? 0 : matches;
	uint32_t most = task->chunk ? task->chunk->lines : 0;
	if (size < sizeof *reply || matches > most ||
		size != (1 + (size_t)starts) * sizeof *reply ||
		(starts && !starts_are_true(task->chunk, reply + 1, starts))) {
		fall(finding, "damaged reply", task->chunk ? "search" : "compile");
		return;
	}
	finding->matches = matches;
	if (starts) {
		finding->starts = must_alloc(NULL, starts * sizeof *reply);
		memcpy(finding->starts, reply + 1, starts * sizeof *reply);
	}
}

static char *request_new(const struct task *task, size_t *ret_size)
{
	size_t text_size = task->chunk ? task->chunk->size : 0;
	struct request head = { task->flags, task->patterns.count, task->patterns.size, text_size };
	*ret_size = sizeof head + task->patterns.size + text_size;
	char *request = must_alloc(NULL, *ret_size);
	memcpy(request, &head, sizeof head);
	memcpy(request + sizeof head, task->patterns.text, task->patterns.size);
	if (text_size)
		memcpy(request + sizeof head + task->patterns.size, task->chunk->text, text_size);
	return request;
}

static void call(struct brood *brood, struct task *task)
{
	struct brood_job_options options = {
		.size = sizeof options, .retries = RETRIES, .queue_ms = QUEUE_MS
	};
	struct brood_verdict verdict = { .size = sizeof verdict };
	size_t lines = task->chunk && !(task->flags & SEARCH_COUNT) ? task->chunk->lines : 0;
	/* The reply may be a sentence about the pattern instead of numbers. */
	size_t request_size, room = (1 + lines) * sizeof(uint32_t) + 256;
	char *request = request_new(task, &request_size);
	uint32_t *reply = must_alloc(NULL, room);
	ssize_t n;
	if (task->chunk)
		n = brood_call(
			brood, search, request, request_size, reply, room, &options, &verdict);
	else
		n = brood_call(
			brood, compile, request, request_size, reply, room, &options, &verdict);
	if (n >= 0 && verdict.outcome == BROOD_DONE)
		accept_reply(task, reply, (size_t)n);
	else if (n >= 0 && verdict.outcome == BROOD_FAILED && verdict.code == SEARCH_BAD_PATTERN)
		fall_with_reply(&task->finding, (const char *)reply, (size_t)n);
	else if (verdict.outcome)
		fall_with_verdict(&task->finding, &verdict);
	else
		fall(&task->finding, brood_error(), NULL);
	free(request);
	free(reply);
}

static void run_here(struct task *task)
{
	struct search_result result = { 0 };
	struct finding *finding = &task->finding;
	enum search_code code;
	if (task->chunk)
		code = search_text(task->flags, &task->patterns, task->chunk->text,
			task->chunk->size, &result);
	else
		code = search_compile(task->flags, &task->patterns, &result);
	finding->matches = result.matches;
	finding->starts = result.starts;
	if (code == SEARCH_BAD_PATTERN)
		fall(finding, result.error, NULL);
	else if (code != SEARCH_OK)
		fall(finding, code_text(code), task->chunk ? "search" : "compile");
}

void job_run(struct brood *brood, struct task *task)
{
	if (brood)
		call(brood, task);
	else
		run_here(task);
}
