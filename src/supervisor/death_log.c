/* SPDX-License-Identifier: MIT */
/* death_log.c - puts into words how a worker ended, and what it did then. */
#include "death_log.h"
#include "record.h"
#include "../base/printable.h"

#include <inttypes.h>
#include <stdio.h>

bool death_log_gave_up(const struct slot *slot, const struct process_exit *e)
{
	uint32_t said = atomic_load(&slot_page(slot)->gave_up);

	return e->code == CLD_EXITED && said != 0 && e->status == (int)said;
}

static const char *why_gave_up(const struct slot *slot, const struct process_exit *e)
{
	switch (e->status) {
	case WORKER_EXIT_BIRTH: return "it could not begin";
	case WORKER_EXIT_INIT: return "worker_init did not succeed";
	case WORKER_EXIT_CHANNEL:
		return slot->ready_ns ? "a job closed or replaced descriptors of the library's"
				      : "worker_init closed or replaced its channel";
	case WORKER_EXIT_ESCAPED: return "a job left its function by longjmp() or pthread_exit()";
	default: return "memory that it shares with the library was written over";
	}
}

/* The id of the job that runs on the lease, as the engine published it; 0: none. */
static uint64_t job_on_lease(const struct slot *slot)
{
	const struct lease_page *lease_page = slot_lease_page(slot);
	uint64_t word = slot->facts.condemned ? slot->facts.word
					      : atomic_load(&slot_page(slot)->word);
	uint64_t sequence = SLOT_PAGE_SEQUENCE(word);

	if (SLOT_PAGE_STATE(word) != SLOT_PAGE_RUNNING || sequence <= slot->lease.watch.base ||
		sequence > atomic_load(&lease_page->published))
		return 0;
	return lease_page->entries[sequence % RING_DEPTH].id;
}

/* Copies the function's name as the worker wrote it, with '?' for what cannot be printed. */
static void name_on_lease(const struct slot *slot, char name[BROOD_NAME_MAX])
{
	const struct slot_page *page = slot_page(slot);

	memcpy(name, page->name, BROOD_NAME_MAX);
	name[BROOD_NAME_MAX - 1] = '\0';
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

uint64_t death_log_job(const struct slot *slot, char name[BROOD_NAME_MAX], char tag[BROOD_TAG_MAX])
{
	name[0] = tag[0] = '\0';
	if (!slot->job)
		return 0;
	if (!slot->job->is_lease) {
		printable_copy(name, BROOD_NAME_MAX, slot->job->message.name);
		printable_copy(tag, BROOD_TAG_MAX, record_tag(slot->job));
		return slot->job->link.id;
	}
	name_on_lease(slot, name);
	printable_copy(tag, BROOD_TAG_MAX, slot_page(slot)->tag);
	return job_on_lease(slot);
}

/* What the worker was doing. */
struct doing {
	uint64_t id; /* the job's; 0: the worker ran no job */
	char name[BROOD_NAME_MAX], tag[BROOD_TAG_MAX];
	char what[PRINTABLE_JOB_MAX + 64];
};

static void find_out(const struct slot *slot, struct doing *d)
{
	char shown[PRINTABLE_JOB_MAX];

	d->id = death_log_job(slot, d->name, d->tag);
	if (!slot->job)
		snprintf(d->what, sizeof d->what,
			slot->ready_ns ? " while idle" : " before it was ready");
	else if (d->id)
		snprintf(d->what, sizeof d->what, " in %s, job %" PRIu64 ", %s",
			printable_job(shown, d->name, d->tag), d->id,
			slot->job->is_lease ? "on lease" : "by handoff");
	else
		snprintf(d->what, sizeof d->what, " on lease, between jobs");
}

const char *death_log_how(
	const struct slot *slot, const struct process_exit *e, char *text, size_t size)
{
	char name[16];

	if (e->code == CLD_KILLED || e->code == CLD_DUMPED)
		snprintf(text, size, "by %s%s", signals_name(e->status, name),
			e->code == CLD_DUMPED ? " (core dumped)" : "");
	else if (death_log_gave_up(slot, e))
		return "itself";
	else
		snprintf(text, size, "with exit code %d", e->status);
	return text;
}

bool death_log_say(struct slot *slot, const struct process_exit *e, bool planned)
{
	bool by_signal = e->code == CLD_KILLED || e->code == CLD_DUMPED;
	bool as_planned = planned &&
		(by_signal ? e->status == slot->facts.kill_signal : e->status == 0);
	struct doing doing;
	char how[64];

	if (as_planned)
		/* a normal stop is silent; a retirement was logged when it began */
		return false;
	if (!by_signal && e->status == 0 && slot->channel_ended && !slot->end.reason)
		slot->end.reason = "a job shut its channel down";
	if (death_log_gave_up(slot, e) && !slot->end.reason)
		slot->end.reason = why_gave_up(slot, e);
	if (slot->facts.oom && !slot->end.reason)
		slot->end.reason = "the kernel killed it for want of memory (memory_max, or a "
				   "limit above: MemoryMax=)";
	find_out(slot, &doing);
	logging_line(slot->pool->supervisor,
		&(struct logging_about){
			.level = slot->facts.kill_signal ? BROOD_NOTICE : BROOD_WARNING,
			.event = slot->facts.oom ? BROOD_EVENT_WORKER_OOM : BROOD_EVENT_WORKER_DIED,
			.pid = slot->pid,
			.worker = slot->number + 1,
			.pool = slot->pool,
			.job = doing.id,
			.function = doing.id ? doing.name : NULL,
			.tag = doing.id ? doing.tag : NULL },
		"worker %u (pid %d) ended %s%s%s%s", slot->number, slot->pid,
		death_log_how(slot, e, how, sizeof how), doing.what, slot->end.reason ? ": " : "",
		slot->end.reason ? slot->end.reason : "");
	return true;
}
