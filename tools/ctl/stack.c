/* SPDX-License-Identifier: MIT */
/* stack.c - brood-ctl stack SLOT: where a worker's code is now. */
#include "ask.h"
#include "ctl.h"
#include "ctl_json.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_job(const struct look *look, const struct status_worker *w)
{
	char name[WORDS_SHOWN_MAX], tag[WORDS_SHOWN_MAX], since[WORDS_MAX];

	printf("worker %u (pid %d): ", w->slot, w->pid);
	if (!w->runs) {
		printf("%s\n", words_worker_state(w));
		return;
	}
	words_shown(name, w->name, sizeof w->name);
	words_shown(tag, w->tag, sizeof w->tag);
	printf("job %" PRIu64 " %s%s%s%s, for %s\n", w->job, name, tag[0] ? " [" : "", tag,
		tag[0] ? "]" : "", words_since(since, w->job_since_ns, look->now_ns));
}

static void put_answer(const struct look *look, const struct ask *ask)
{
	char waits[WORDS_SHOWN_MAX], took[WORDS_MAX];

	put_job(look, &ask->worker);
	words_shown(waits, ask->waits, PROCESS_WAIT_MAX);
	printf("  waits on: %s\n", waits);
	ctl_put_frames(&ask->report);
	printf("  thread %d; the look took %s of the worker's time\n", (int)ask->report.tid,
		words_time(took, ask->took_ns));
}

static void put_json(const struct look *look, const struct ask *ask)
{
	const struct status_worker *w = &ask->worker;
	struct json json = { .file = stdout };

	json_begin(&json, NULL, '{');
	ctl_json_head(&json, look);
	json_begin(&json, "stack", '{');
	json_count(&json, "slot", w->slot);
	json_text(&json, "pool", w->pool < look->pools ? look->pool[w->pool].setup.name : "");
	json_number(&json, "pid", w->pid);
	json_text(&json, "state", words_worker_state(w));
	ctl_json_job(&json, w, look->now_ns);
	json_text(&json, "waits_on", ask->waits);
	json_text(&json, "missing", ask->why);
	json_number(&json, "tid", ask->report.tid);
	json_seconds(&json, "took", ask->took_ns);
	ctl_json_frames(&json, &ask->report);
	json_end(&json, '}');
	json_end(&json, '}');
	putchar('\n');
}

static bool parse_slot(const char *text, uint32_t *ret)
{
	if (!*text || strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return false;
	*ret = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

enum choose_exit ctl_stack(const struct request *request)
{
	static const enum choose_exit codes[] = { [ASK_FINE] = CHOOSE_FINE,
		[ASK_NONE] = CHOOSE_NONE,
		[ASK_DENIED] = CHOOSE_DENIED,
		[ASK_NOTHING] = CHOOSE_NOT };
	static struct ask ask;
	struct status_page page;
	enum ask_answer answer;
	enum choose_exit code;
	struct look look;
	uint32_t slot;
	int pool;

	if (request->count == 0)
		return ctl_wrong("\"stack\" wants the number of a slot: see brood-ctl workers");
	if (!parse_slot(request->words[0], &slot))
		return ctl_wrong(
			"\"stack\" wants the number of a slot, not \"%s\"", request->words[0]);
	code = ctl_look(request, &page, &look, &pool);
	if (code != CHOOSE_FINE)
		return code;
	answer = ask_worker(&look, slot, request->timeout_s >= 0 ? request->timeout_s : 1, &ask);
	if (request->json && answer != ASK_NONE)
		put_json(&look, &ask);
	else if (answer == ASK_FINE)
		put_answer(&look, &ask);
	ctl_done(&page, &look);
	return answer == ASK_FINE ? CHOOSE_FINE : ctl_fail(codes[answer], "%s", ask.why);
}
