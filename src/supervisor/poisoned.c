/* SPDX-License-Identifier: MIT */
/* poisoned.c - see poisoned.h. */
#include "poisoned.h"
#include "logging.h"

#include <inttypes.h>

static void fault(struct pool *pool, uint64_t key, uint64_t id, const char *name)
{
	const struct brood_pool_options *own = &pool->setup->own;
	const struct poison_rule rule = poison_rule_of(own);

	if (!poison_fault(&pool->poison, &rule, key, now_ns()))
		return;
	logging_line(pool->supervisor,
		&(struct logging_about){ .level = BROOD_WARNING,
			.event = BROOD_EVENT_KEY_POISONED,
			.job = id,
			.pool = pool },
		"key %#" PRIx64 " is on the poison list: its jobs crashed or hung %u worker%s "
		"within %u ms, the last one was job %" PRIu64 " %s; its jobs are refused for %u ms",
		key, own->poison_after, own->poison_after == 1 ? "" : "s", own->poison_within_ms,
		id, name, own->poison_forget_ms);
}

bool poisoned_count(struct job *job)
{
	if (job->pool->setup->own.poison_after == 0 || !poison_is_fault(&job->verdict))
		return false;
	job->faults++;
	fault(job->pool, job->message.key, job->link.id, job->message.name);
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
		fault(pool, m->key, m->id, m->name);
}
