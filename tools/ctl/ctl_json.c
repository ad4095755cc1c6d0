/* SPDX-License-Identifier: MIT */
/*
 * ctl_json.c - see ctl_json.h. Times are seconds, ages count back from now. Keys are only added;
 * one whose meaning changes gets a new name.
 */
#include "ctl_json.h"

#include "bar.h"
#include "json.h"
#include "words.h"

#include "../../src/wire/labels.h"

#include <inttypes.h>
#include <string.h>

#define SCHEMA "brood-ctl/1"

static uint64_t age(uint64_t then, uint64_t now) { return then && then < now ? now - then : 0; }

static void put_age(struct json *json, const char *key, uint64_t then, uint64_t now)
{
	if (then)
		json_seconds(json, key, age(then, now));
	else
		json_null(json, key);
}

static const char *process_word(const struct process *process)
{
	return process_gone(process) ? "gone" : process_stopped(process) ? "stopped" : "alive";
}

void ctl_json_head(struct json *json, const struct look *look)
{
	const struct brood_status_brood *b = &look->brood;
	char why[LOOK_WHY_MAX];
	const char *unready = look_unready(look, -1, why);

	json_text(json, "schema", SCHEMA);
	json_text(json, "name", b->name);
	json_text(json, "version", b->version);
	json_text(json, "state", words_brood_state(b->state));
	json_bool(json, "ready", !unready);
	json_text(json, "problem", unready ? unready : "");
	put_age(json, "state_age", b->state_since_ns, look->now_ns);
	put_age(json, "age", b->started_ns, look->now_ns);
	json_number(json, "supervisor", look->page->supervisor);
	json_text(json, "supervisor_is", process_word(&look->supervisor));
	json_number(json, "engine", b->engine_pid);
	json_text(json, "engine_is", look->own_pids ? process_word(&look->engine) : "unknown");
	json_number(json, "guard", b->guard_pid);
	json_number(json, "spawner", b->spawner_pid);
	json_text(json, "control", b->control);
}

static void put_address(struct json *json, const char *key, uint64_t address)
{
	char text[24];

	/* a number of 64 bits is not exact in many readers */
	snprintf(text, sizeof text, "0x%" PRIx64, address);
	json_text(json, key, text);
}

void ctl_json_frames(struct json *json, const struct brood_report *report)
{
	json_begin(json, "frames", '[');
	for (uint32_t i = 0; i < report->frames_count; i++) {
		const struct brood_report_frame *f = &report->frames[i];

		json_begin(json, NULL, '{');
		json_text(json, "function", f->function);
		json_count(json, "function_offset", f->function_offset);
		json_text(json, "module", f->module);
		put_address(json, "offset", f->offset);
		put_address(json, "address", f->address);
		json_end(json, '}');
	}
	json_end(json, ']');
}

/* ---- status ---- */

static void put_pool_workers(struct json *json, const struct look_pool *pool)
{
	const struct brood_status_counts *c = &pool->counts;

	json_begin(json, "workers", '{');
	json_count(json, "wanted", c->workers);
	json_count(json, "ready", c->ready);
	json_count(json, "idle", c->idle);
	json_count(json, "busy", bar_busy(c));
	json_count(json, "leased", c->leased);
	json_count(json, "starting", c->starting);
	json_count(json, "undead", c->undead);
	json_count(json, "min", pool->setup.workers_min);
	json_count(json, "max", pool->setup.workers_max);
	json_end(json, '}');
	json_bool(json, "degraded", c->degraded != 0);
	json_count(json, "waiting", look_waiting(pool));
	json_count(json, "queued", c->queued);
	json_count(json, "queued_peak", c->queued_peak);
	json_count(json, "backlog", pool->setup.backlog);
}

static void put_jobs(struct json *json, const struct look_pool *pool)
{
	json_begin(json, "jobs", '{');
	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++)
		if (labels_outcome(i))
			json_count(json, labels_outcome(i), look_jobs(pool, i));
	json_end(json, '}');
	json_begin(json, "details", '[');
	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++)
		for (uint32_t k = 1; k < BROOD_STATUS_DETAILS; k++) {
			if (!pool->sums.verdicts[i][k] || !labels_outcome(i) || !labels_detail(k))
				continue;
			json_begin(json, NULL, '{');
			json_text(json, "outcome", labels_outcome(i));
			json_text(json, "detail", labels_detail(k));
			json_count(json, "count", pool->sums.verdicts[i][k]);
			json_end(json, '}');
		}
	json_end(json, ']');
}

static void put_counters(struct json *json, const struct brood_status_counts *c)
{
	json_begin(json, "deaths", '{');
	for (uint32_t i = 0; i < BROOD_STATUS_CAUSES; i++)
		if (labels_cause(i))
			json_count(json, labels_cause(i), c->deaths[i]);
	json_end(json, '}');
	json_count(json, "born", c->spawned);
	json_count(json, "died", c->died);
	json_count(json, "killed", c->killed);
	json_count(json, "retired", c->retired);
	json_count(json, "failed_births", c->spawn_failures);
	json_count(json, "retried", c->retried);
	json_count(json, "redispatched", c->redispatched);
	json_count(json, "leases", c->leases);
	json_count(json, "leases_revoked", c->leases_revoked);
}

static void put_times(struct json *json, const char *key, const struct brood_status_histogram *h)
{
	json_begin(json, key, '{');
	json_count(json, "count", look_count(h));
	json_seconds(json, "sum", h->sum_ns);
	json_seconds(json, "p50", look_quantile(h, 0.5));
	json_seconds(json, "p90", look_quantile(h, 0.9));
	json_seconds(json, "p99", look_quantile(h, 0.99));
	json_seconds(json, "p999", look_quantile(h, 0.999));
	json_seconds(json, "max", h->max_ns);
	json_end(json, '}');
}

static void put_pool(struct json *json, const struct look *look, const struct look_pool *pool)
{
	json_begin(json, NULL, '{');
	json_text(json, "name", pool->setup.name);
	put_pool_workers(json, pool);
	put_jobs(json, pool);
	put_counters(json, &pool->counts);
	put_times(json, "queue_time", &pool->sums.queue);
	put_times(json, "run_time", &pool->sums.run);
	put_times(json, "death_to_verdict", &pool->sums.death_to_verdict);
	put_times(json, "death_to_ready", &pool->sums.death_to_ready);
	json_begin(json, "reload", '{');
	json_count(json, "count", pool->setup.reload_epoch);
	json_bool(json, "runs", pool->setup.reloading != 0);
	json_number(json, "result", pool->setup.reload_result);
	put_age(json, "age", pool->setup.reload_began_ns, look->now_ns);
	json_end(json, '}');
	json_count(json, "resizes", pool->setup.resizes);
	json_end(json, '}');
}

void ctl_json_status(FILE *file, const struct look *look, int pool)
{
	struct json json = { .file = file };

	json_begin(&json, NULL, '{');
	ctl_json_head(&json, look);
	json_begin(&json, "pools", '[');
	for (uint32_t i = 0; i < look->pools; i++)
		if (pool < 0 || (uint32_t)pool == i)
			put_pool(&json, look, &look->pool[i]);
	json_end(&json, ']');
	json_end(&json, '}');
	putc('\n', file);
}

/* ---- workers ---- */

void ctl_json_job(struct json *json, const struct status_worker *w, uint64_t now)
{
	if (!w->runs) {
		json_null(json, "job");
		return;
	}
	json_begin(json, "job", '{');
	json_count(json, "id", w->job);
	json_text(json, "function", w->name);
	json_text(json, "tag", w->tag);
	json_text(json, "path", w->leased ? "lease" : "handoff");
	put_age(json, "age", w->job_since_ns, now);
	json_end(json, '}');
}

static void put_process(struct json *json, pid_t pid, const struct process *process)
{
	char wait[PROCESS_WAIT_MAX], state[2] = { process->state, '\0' };

	process_wait(pid, process, wait);
	json_begin(json, "process", '{');
	json_text(json, "state", state);
	json_seconds(json, "cpu", process->cpu_ns);
	json_count(json, "memory", process->memory);
	json_text(json, "waits_on", wait);
	json_end(json, '}');
}

static void put_worker(struct json *json, const struct look *look, const struct status_worker *w)
{
	struct process process;

	look_process(look, w, &process);
	json_begin(json, NULL, '{');
	json_count(json, "slot", w->slot);
	json_text(json, "pool", w->pool < look->pools ? look->pool[w->pool].setup.name : "");
	json_number(json, "pid", w->pid);
	json_count(json, "generation", w->generation);
	json_text(json, "state", words_worker_state(w));
	put_age(json, "state_age", w->since_ns, look->now_ns);
	put_age(json, "age", w->born_ns, look->now_ns);
	json_bool(json, "due", (w->flags & BROOD_STATUS_DUE) != 0);
	json_bool(json, "pinned", (w->flags & BROOD_STATUS_PINNED) != 0);
	json_bool(json, "killed", (w->flags & BROOD_STATUS_KILLED) != 0);
	json_bool(json, "in_flux", w->in_flux);
	json_count(json, "jobs_done", w->jobs);
	ctl_json_job(json, w, look->now_ns);
	if (process.state)
		put_process(json, w->pid, &process);
	else
		json_null(json, "process");
	json_end(json, '}');
}

void ctl_json_workers(FILE *file, const struct look *look, int pool)
{
	struct json json = { .file = file };

	json_begin(&json, NULL, '{');
	ctl_json_head(&json, look);
	json_begin(&json, "workers", '[');
	for (uint32_t i = 0; i < status_view_slots(&look->page->view); i++) {
		struct status_worker worker;

		status_view_worker(&look->page->view, i, &worker);
		if (worker.pid > 0 && (pool < 0 || (uint32_t)pool == worker.pool))
			put_worker(&json, look, &worker);
	}
	json_end(&json, ']');
	json_end(&json, '}');
	putc('\n', file);
}
