/* SPDX-License-Identifier: MIT */
/*
 * reports.c - makes death reports: what is known of a worker's end. The worker has left in its
 * trace page where its code was (worker/trace.c). It may have written anything there, and processes
 * of its job may still write: so each part is copied before it is checked. Another process looks up
 * the names of functions later (resolver.c); then the line goes to the log. The engine can read the
 * report, as yet without names, when it has the verdict.
 */
#include "reports.h"
#include "death_log.h"
#include "resolver.h"
#include "tails.h"
#include "../os/waits.h"
#include "../wire/report_text.h"

#include <stdio.h>

/* Notes what the slot's process waits in, unless that was noted before. */
void reports_look(struct slot *slot)
{
	if (slot->pid > 0 && slot->end.waits[0] == '\0')
		waits_look(slot->pid, slot->end.waits, sizeof slot->end.waits);
}

/* ---- a report ---- */

static void copy_module(struct trace_module *to, const struct trace_module *from)
{
	*to = *from;
	to->path[TRACE_PATH - 1] = '\0';
	to->build_id_size = MIN(to->build_id_size, (uint8_t)TRACE_BUILD_ID);
}

static void copy_frames(struct reports_entry *entry, const struct trace_stack *stack)
{
	struct brood_report *r = &entry->report;
	/* Each is read once: a worker that lives may write another count after the comparison. */
	const uint32_t frames = atomic_load_explicit(&stack->frames_count, memory_order_acquire),
		       modules = __atomic_load_n(&stack->modules_count, __ATOMIC_RELAXED);

	r->frames_count = MIN(frames, (uint32_t)BROOD_REPORT_FRAMES);
	entry->modules_count = MIN(modules, (uint32_t)TRACE_MODULES);
	for (uint32_t i = 0; i < entry->modules_count; i++)
		copy_module(&entry->modules[i], &stack->modules[i]);
	for (uint32_t i = 0; i < r->frames_count; i++) {
		uint16_t module = __atomic_load_n(&stack->module[i], __ATOMIC_RELAXED);

		entry->module[i] = module < entry->modules_count ? module : TRACE_NOWHERE;
		r->frames[i].address = stack->frames[i].pc;
		r->frames[i].offset = module < entry->modules_count ? stack->frames[i].offset : 0;
	}
}

static void copy_progress(struct brood_report *r, const struct trace_page *page, uint64_t sequence)
{
	uint32_t size = atomic_load(&page->progress_size);

	if (atomic_load(&page->progress_sequence) != sequence)
		return;
	size = MIN(size, (uint32_t)sizeof r->progress - 1);
	memcpy(r->progress, page->progress, size);
	r->progress[size] = '\0';
}

static uint64_t running_sequence(const struct slot *slot)
{
	uint64_t word = slot->facts.condemned ? slot->facts.word
					      : atomic_load(&slot_page(slot)->word);

	return SLOT_PAGE_SEQUENCE(word);
}

/*
 * True: the worker's handler wrote this trace for such a report: SLOW for a slow job, TOLD for a
 * job that was told to end.
 */
static bool fits(uint32_t kind, uint32_t cause)
{
	return cause == BROOD_REPORT_SLOW ? kind == TRACE_SLOW : kind == TRACE_TOLD;
}

static void copy_trace(struct slot *slot, struct reports_entry *entry)
{
	const struct trace_page *page = shared_trace_page(
		slot->pool->supervisor->config.shared, slot->number);
	struct brood_report *r = &entry->report;
	uint32_t kind = atomic_load(&page->kind);
	uint64_t sequence = running_sequence(slot);

	r->syscall = -1;
	copy_progress(r, page, sequence);
	if (kind != TRACE_CRASH &&
		(!fits(kind, r->cause) || atomic_load(&page->sequence) != sequence))
		return;
	r->tid = page->tid;
	if (kind == TRACE_CRASH && page->signal == r->signal) {
		r->code = page->code;
		r->address = page->address;
		r->syscall = page->syscall;
	}
	copy_frames(entry, &page->stack);
}

static enum brood_report_cause why_killed(const struct slot *slot)
{
	if (slot->facts.stuck || slot->facts.protocol)
		return BROOD_REPORT_STUCK;
	if (slot->facts.condemned)
		return slot->ladder.cause == LADDER_CAUSE_CANCEL  ? BROOD_REPORT_CANCELLED
			: slot->ladder.cause == LADDER_CAUSE_STOP ? BROOD_REPORT_STOPPED
								  : BROOD_REPORT_TIMED_OUT;
	return slot->pool->supervisor->halt.phase >= HALT_CANCEL ? BROOD_REPORT_STOPPED
								 : BROOD_REPORT_STUCK;
}

static enum brood_report_cause cause_of(const struct slot *slot, const struct process_exit *e)
{
	bool by_signal = e && (e->code == CLD_KILLED || e->code == CLD_DUMPED);
	int sent = slot->facts.kill_signal;

	if (!e || (sent && by_signal && (e->status == sent || e->status == SIGKILL)))
		return why_killed(slot);
	if (!by_signal)
		return BROOD_REPORT_EXITED;
	return e->status == SIGKILL ? BROOD_REPORT_KILLED : BROOD_REPORT_CRASHED;
}

static void put_end(struct brood_report *r, const struct process_exit *e)
{
	if (!e)
		return;
	if (e->code == CLD_KILLED || e->code == CLD_DUMPED)
		r->signal = e->status;
	else
		r->exit_code = e->status;
	r->core = e->code == CLD_DUMPED;
	r->cpu_us = (uint64_t)(e->usage.ru_utime.tv_sec + e->usage.ru_stime.tv_sec) * 1000000u +
		(uint64_t)(e->usage.ru_utime.tv_usec + e->usage.ru_stime.tv_usec);
	r->peak_kb = (uint64_t)e->usage.ru_maxrss;
}

static void put_report(struct slot *slot, struct brood_report *r, uint32_t cause)
{
	*r = (struct brood_report){ .size = sizeof *r,
		.cause = cause,
		.slot = slot->number,
		.generation = slot->generation,
		.pid = slot->pid };
	r->id = death_log_job(slot, r->name, r->tag);
	if (slot->pool->setup->named)
		snprintf(r->pool, sizeof r->pool, "%s", slot->pool->setup->name);
	if (r->cause >= BROOD_REPORT_TIMED_OUT)
		memcpy(r->waits, slot->end.waits, sizeof r->waits);
}

static void add(struct slot *slot, uint32_t cause, const struct process_exit *e)
{
	struct supervisor *s = slot->pool->supervisor;
	struct reports_page *page = s->config.shared->reports_page;
	struct reports_entry *entry = reports_entry(page, page->count);

	/*
	 * The entry's old report is not logged yet, and the resolver may be writing there: the new
	 * report is dropped. So many deaths at once are alike.
	 */
	if (s->resolver.pid > 0 && page->count >= s->resolver.told + BROOD_REPORTS)
		return;
	reports_begin(entry);
	entry->at_ns = now_ns();
	entry->pool = slot->pool->setup->number;
	entry->modules_count = 0;
	put_report(slot, &entry->report, cause);
	put_end(&entry->report, e);
	copy_trace(slot, entry);
	tails_put(slot, entry->report.stderr_text);
	atomic_store(&entry->state, entry->report.frames_count > 0 ? REPORTS_RAW : REPORTS_DONE);
	atomic_store(&entry->number, page->count + 1);
	reports_end(entry);
	atomic_fetch_add(&page->count, 1);
	note(s, NOTE_REPORT);
}

void reports_add(struct slot *slot, const struct process_exit *e)
{
	add(slot, cause_of(slot, e), e);
}

/* ---- a slow job ---- */

/*
 * Looks before it signals, for the signal may interrupt the call that the job waits in. Without the
 * library's handler SIGURG does nothing.
 */
void reports_sample(struct slot *slot, uint64_t sequence)
{
	struct trace_page *page = shared_trace_page(
		slot->pool->supervisor->config.shared, slot->number);

	reports_look(slot);
	atomic_store(&page->wanted, sequence);
	process_signal(slot->pidfd, slot->pid, SIGURG);
}

bool reports_answered(const struct slot *slot, uint64_t sequence)
{
	const struct trace_page *page = shared_trace_page(
		slot->pool->supervisor->config.shared, slot->number);

	return atomic_load(&page->kind) == TRACE_SLOW && atomic_load(&page->wanted) == 0 &&
		atomic_load(&page->sequence) == sequence;
}

/* Forgets what the slow job waits in: if the job is killed later, that is looked up anew. */
void reports_add_slow(struct slot *slot)
{
	add(slot, BROOD_REPORT_SLOW, NULL);
	slot->end.waits[0] = '\0';
}

/* ---- the log ---- */

/* True: the report says more than the line that the log has about the death anyway. */
static bool has_news(const struct brood_report *r)
{
	return r->frames_count > 0 || r->waits[0] || r->progress[0] || r->stderr_text[0] ||
		(r->cause == BROOD_REPORT_CRASHED && r->signal == SIGSEGV);
}

static const struct pool *pool_of(struct supervisor *s, uint32_t slot)
{
	for_each_pool(pool, s) if (slot - pool->setup->first_slot < pool->places) return pool;
	return NULL;
}

static void say(struct supervisor *s, const struct brood_report *r)
{
	char text[480];

	if (!has_news(r))
		return;
	report_text(r, text, sizeof text);
	logging_line(s,
		&(struct logging_about){
			.level = r->cause <= BROOD_REPORT_KILLED ? BROOD_WARNING : BROOD_NOTICE,
			.event = r->cause == BROOD_REPORT_SLOW ? BROOD_EVENT_SLOW_JOB
							       : BROOD_EVENT_REPORT,
			.pid = r->pid,
			.worker = r->slot + 1,
			.pool = pool_of(s, r->slot),
			.job = r->id,
			.function = r->name,
			.tag = r->tag,
			.stderr_text = r->stderr_text },
		"%s", text);
}

static void say_one(struct supervisor *s, struct reports_entry *entry)
{
	struct brood_report copy = entry->report;

	/* whatever the resolver did, each text ends within its field */
	copy.frames_count = MIN(copy.frames_count, (uint32_t)BROOD_REPORT_FRAMES);
	for (uint32_t i = 0; i < copy.frames_count; i++) {
		copy.frames[i].function[BROOD_REPORT_SYMBOL - 1] = '\0';
		copy.frames[i].module[BROOD_NAME_MAX - 1] = '\0';
	}
	say(s, &copy);
}

/* True: the report's names are still to come, so its line waits. */
static bool wants_names(struct supervisor *s, struct reports_entry *entry, uint64_t n)
{
	struct resolver_process *p = &s->resolver;

	if (atomic_load(&entry->state) != REPORTS_RAW || n < p->tried)
		return false;
	if (p->pid > 0)
		return true;
	if (s->halt.phase == HALT_NONE && now_ns() < p->next_ns) {
		timer_set(&s->loop, &p->timer, p->next_ns);
		return true;
	}
	if (s->halt.phase >= HALT_KILL || !resolver_start(s, n))
		return false;
	p->tried = s->config.shared->reports_page->count;
	return true;
}

void reports_step(struct supervisor *s)
{
	struct reports_page *page = s->config.shared->reports_page;
	struct resolver_process *p = &s->resolver;

	/* reports that newer ones have overwritten are not logged */
	if (page->count - p->told > BROOD_REPORTS)
		p->told = page->count - BROOD_REPORTS;
	for (; p->told < page->count; p->told++) {
		struct reports_entry *entry = reports_entry(page, p->told);

		if (wants_names(s, entry, p->told))
			return;
		if (atomic_load(&entry->version) % 2) /* a resolver was killed while it wrote */
			reports_end(entry);
		atomic_store(&entry->state, REPORTS_DONE);
		say_one(s, entry);
	}
}
