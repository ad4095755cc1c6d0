/* SPDX-License-Identifier: MIT */
/* poisoned.c - see poisoned.h. */
#include "poisoned.h"
#include "logging.h"
#include "outbox.h"

#include <inttypes.h>

static void fault(struct pool *pool, uint64_t key, uint64_t at, uint64_t id, const char *name)
{
	const struct brood_pool_options *own = &pool->setup->own;
	const struct poison_rule rule = poison_rule_of(own);

	if (!poison_fault(&pool->poison, &rule, key, at))
		return;
	logging_line(pool->supervisor,
		&(struct logging_about){ .level = BROOD_WARNING,
			.event = BROOD_EVENT_KEY_POISONED,
			.job = id,
			.function = name,
			.pool = pool },
		"key %#" PRIx64 " is on the poison list: its jobs crashed or hung %u worker%s "
		"within %u ms, the last one was job %" PRIu64 " %s; its jobs are refused for %u ms",
		key, own->poison_after, own->poison_after == 1 ? "" : "s", own->poison_within_ms,
		id, name, own->poison_forget_ms);
}

/*
 * Tells the engine of a fault. The engine refuses poisoned keys at its door, so it counts faults,
 * too, by the time of each. If its socket is full, it misses this fault; then the supervisor still
 * refuses the key's jobs by handoff.
 */
static void tell(const struct job *job, uint64_t at)
{
	struct frame f;

	frame_begin(&f, MESSAGE_KEY_FAULT)->job = (struct message_job){
		.key = job->message.key, .given_ns = at, .pool = job->pool->setup->number
	};
	(void)outbox_send(job->pool->supervisor, &f);
}

bool poisoned_count(struct job *job)
{
	uint64_t now;

	if (job->pool->setup->own.poison_after == 0 || !poison_is_fault(&job->verdict))
		return false;
	now = now_ns();
	tell(job, now);
	fault(job->pool, job->message.key, now, job->link.id, job->message.name);
	return poisoned_has(job);
}

bool poisoned_has(const struct job *job)
{
	struct poison *p = &job->pool->poison;

	return p->listed > 0 && poison_has(p, job->message.key, now_ns());
}

void poisoned_hear(struct supervisor *s, const struct message_job *m)
{
	struct pool *pool = pool_addressed(s, m->pool);

	if (pool && m->key)
		fault(pool, m->key, MIN(m->given_ns, now_ns()), m->id, m->name);
}
