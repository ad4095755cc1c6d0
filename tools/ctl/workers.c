/* SPDX-License-Identifier: MIT */
/* workers.c - brood-ctl workers: a table with a line for each worker. */
#include "ctl.h"
#include "ctl_json.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>

#define FUNCTION_COLUMNS 20
#define TAG_COLUMNS      20

/* `columns` columns of a text that may have any characters */
static void put_text(const char *text, unsigned columns)
{
	char shown[WORDS_SHOWN_MAX];
	unsigned used = words_shown(shown, text[0] ? text : "-", columns);

	printf("%s%*s ", shown, (int)(columns - used), "");
}

static void put_process(const struct look *look, const struct status_worker *w)
{
	char memory[WORDS_MAX], wait[PROCESS_WAIT_MAX], shown[WORDS_SHOWN_MAX];
	struct process process;

	look_process(look, w, &process);
	process_wait(w->pid, &process, wait);
	if (process_gone(&process)) {
		printf("         -      - %s\n", wait);
		return;
	}
	words_shown(shown, wait, PROCESS_WAIT_MAX);
	printf("%8.2f s %6s %s\n", (double)process.cpu_ns / 1e9,
		words_bytes(memory, process.memory), shown);
}

static void put_worker(const struct look *look, const struct status_worker *w, bool with_pool)
{
	char since[WORDS_MAX], job[24] = "-";

	if (with_pool)
		put_text(w->pool < look->pools ? look->pool[w->pool].setup.name : "?", 12);
	if (w->runs && w->job)
		snprintf(job, sizeof job, "%" PRIu64, w->job);
	printf("%5u %7d %4u %-8s %12s ", w->slot, w->pid, w->generation, words_worker_state(w),
		words_since(since, w->runs ? w->job_since_ns : w->since_ns, look->now_ns));
	put_text(w->runs ? w->name : "", FUNCTION_COLUMNS);
	put_text(w->runs ? w->tag : "", TAG_COLUMNS);
	printf("%10s %8" PRIu64 " ", job, w->jobs);
	put_process(look, w);
}

static void put_all(const struct look *look, int pool)
{
	const bool with_pool = look->pools > 1 && pool < 0;
	const char *dead = look_dead(look);

	if (dead)
		printf("attention: %s\n", dead);
	printf("%s SLOT     PID  GEN STATE           SINCE %-*s %-*s        JOB     DONE "
	       "       CPU    MEM WAITS ON\n",
		with_pool ? "POOL         " : "", FUNCTION_COLUMNS, "FUNCTION", TAG_COLUMNS, "TAG");
	for (uint32_t i = 0; i < status_view_slots(&look->page->view); i++) {
		struct status_worker worker;

		status_view_worker(&look->page->view, i, &worker);
		if (worker.pid > 0 && (pool < 0 || (uint32_t)pool == worker.pool))
			put_worker(look, &worker, with_pool);
	}
}

enum choose_exit ctl_workers(const struct request *request)
{
	struct status_page page;
	struct look look;
	int pool;
	enum choose_exit code = ctl_look(request, &page, &look, &pool);

	if (code != CHOOSE_FINE)
		return code;
	if (request->json)
		ctl_json_workers(stdout, &look, pool);
	else
		put_all(&look, pool);
	ctl_done(&page, &look);
	return CHOOSE_FINE;
}
