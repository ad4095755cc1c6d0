/* SPDX-License-Identifier: MIT */
/*
 * pool_options.c - see pool_options.h. A pool's options are a copy of struct brood_options in which
 * each field that the pool sets itself replaces the common one. Defaults are set after that. So the
 * default of `leases` is this pool's number of workers, and the default of backoff_max_ms depends
 * on this pool's backoff_min_ms.
 *
 * Each refusal says which pool, which field, what it holds, and what may stand there.
 */
#include "pool_options.h"
#include "pool_values.h"
#include "rights_options.h"

#include "../base/base.h"
#include "../base/options.h"
#include "../engine/engine.h"
#include "../pool/budget.h"
#include "../pool/poison.h"
#include "../wire/shared.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_FIRST "main"
/* The size in the first released version: a caller's struct is never smaller. */
#define SIZE_FIRST                                       \
	(offsetof(struct brood_pool_options, reserved) + \
		sizeof((struct brood_pool_options *)0)->reserved)
#define POOL_FLAGS                                                                      \
	(BROOD_NO_CORE | BROOD_ACCOUNT_CPU | BROOD_ACCOUNT_MEMORY | BROOD_LEASE_REUSE | \
		BROOD_OLD_FIRST | BROOD_WORKER_CGROUPS)

#define INVALID(...) (engine_error("brood_start: " __VA_ARGS__), -EINVAL)

/* ---- one element of options.pools, as the program gave it ---- */

static bool good_name(const char *name)
{
	size_t size = strnlen(name, BROOD_POOL_NAME_MAX);

	for (size_t i = 0; i < size; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '.' || c == '_' || c == '-'))
			return false;
	}
	return size > 0 && size < BROOD_POOL_NAME_MAX;
}

static int take_name(const char *name, const char *field, char dst[BROOD_POOL_NAME_MAX])
{
	if (!good_name(name))
		return INVALID("%s is \"%.64s\": 1 to %d letters, digits, '.', '_' and '-'", field,
			name, BROOD_POOL_NAME_MAX - 1);
	memcpy(dst, name, strlen(name) + 1);
	return 0;
}

static int take(const struct brood_pool_options *from, size_t index, struct brood_pool_options *ret)
{
	if (!from)
		return INVALID("options.pools[%zu] is NULL, but pools_count is larger", index);
	if (options_copy(ret, sizeof *ret, from, SIZE_FIRST) < 0)
		return INVALID("options.pools[%zu]->size is %zu, and this library (%s) knows %zu "
			       "of it: use { .size = sizeof(struct brood_pool_options) }",
			index, from->size, brood_version(), sizeof *ret);
	for (size_t i = 0; i < ARRAY_SIZE(ret->reserved); i++)
		if (ret->reserved[i] || ret->reserved32)
			return INVALID("options.pools[%zu]->reserved is not zero: clear the struct "
				       "before you fill it",
				index);
	if (!ret->name)
		return INVALID("options.pools[%zu]->name is NULL: each pool needs a name", index);
	return 0;
}

static int check_flags(const struct brood_pool_options *own, const char *where)
{
	uint32_t whole = own->flags &
		(BROOD_INLINE | BROOD_DEBUGGING | BROOD_NO_CGROUPS | BROOD_START_OR_FAIL |
			BROOD_NO_SPIN);

	if (whole)
		return INVALID("%sflags has %s, which is for all pools: set it in options.flags",
			where,
			whole & BROOD_INLINE               ? "BROOD_INLINE"
				: whole & BROOD_DEBUGGING  ? "BROOD_DEBUGGING"
				: whole & BROOD_NO_CGROUPS ? "BROOD_NO_CGROUPS"
				: whole & BROOD_NO_SPIN    ? "BROOD_NO_SPIN"
							   : "BROOD_START_OR_FAIL");
	if (own->flags & ~(uint32_t)POOL_FLAGS)
		return INVALID("%sflags has unknown bits: 0x%x", where,
			own->flags & ~(uint32_t)POOL_FLAGS);
	return 0;
}

/* ---- the entry laid over struct brood_options ---- */

#define LAY(field)                             \
	do {                                   \
		if (own->field)                \
			o->field = own->field; \
	} while (0)

static void lay_over(struct brood_options *o, const struct brood_pool_options *own)
{
	o->flags |= own->flags;
	LAY(workers);
	LAY(backlog);
	LAY(queue_ms);
	LAY(run_ms);
	LAY(grace_ms);
	LAY(init_ms);
	LAY(core_ms);
	LAY(cores_per_minute);
	LAY(backoff_min_ms);
	LAY(backoff_max_ms);
	LAY(start_limit);
	LAY(healthy_ms);
	LAY(dispatch);
	LAY(leases);
	LAY(lease_idle_ms);
	LAY(tolerate);
	LAY(worker_memory);
	LAY(stack_size);
	LAY(worker_init);
	LAY(worker_exit);
	LAY(hook_context);
	LAY(tasks_max);
	LAY(memory_max);
	LAY(stderr_lines);
}

static void without_hooks(struct brood_options *o)
{
	o->worker_init = NULL;
	o->worker_exit = NULL;
	o->hook_context = NULL;
}

static int finish(struct pool_setup *setup, const char *where)
{
	struct brood_options *o = &setup->options;

	setup->submit_queue_ms = o->queue_ms ? o->queue_ms : BROOD_FOREVER;
	/* A worker that does only one job gets the job by handoff: a lease would be a detour. */
	if (setup->own.retire_jobs == 1 && o->dispatch == BROOD_PATH_AUTO)
		o->dispatch = BROOD_PATH_HANDOFF;
	pool_values_default(o);
	return pool_values_check(o, where);
}

/*
 * Checks the first pool as if it had its defaults. These are set last (fill()): the other pools
 * inherit what the program gave, not the first pool's defaults.
 */
static int check_first(const struct pool_setup *setup, const char *where)
{
	struct brood_options o = setup->options;

	pool_values_default(&o);
	return pool_values_check(&o, where);
}

/* ---- the pool's size at run time ---- */

static int check_size(const struct pool_setup *setup)
{
	const struct brood_pool_options *own = &setup->own;
	uint32_t workers = setup->options.workers;
	char where[64];

	snprintf(where, sizeof where, "pool %s: ", setup->name);
	if (own->scaling > BROOD_ON_DEMAND)
		return INVALID("%sscaling is %u: one of enum brood_scaling", where, own->scaling);
	if (own->scaling != BROOD_ELASTIC && (own->workers_min || own->spare))
		return INVALID("%s%s is %u: only a pool with scaling BROOD_ELASTIC has it", where,
			own->workers_min ? "workers_min" : "spare",
			own->workers_min ? own->workers_min : own->spare);
	if (own->scaling == BROOD_FIXED && own->idle_ms)
		return INVALID("%sidle_ms is %u: workers of a fixed pool stay; set scaling", where,
			own->idle_ms);
	if (own->workers_min > workers)
		return INVALID("%sworkers_min is %u: at most workers, which is %u", where,
			own->workers_min, workers);
	if (own->spare > workers)
		return INVALID(
			"%sspare is %u: at most workers, which is %u", where, own->spare, workers);
	return 0;
}

static void default_size(struct brood_pool_options *own)
{
	if (own->scaling == BROOD_ELASTIC) {
		own->workers_min = MAX(own->workers_min, 1u);
		own->spare = MAX(own->spare, 1u);
	}
	if (own->idle_ms == 0)
		own->idle_ms = 10000;
}

/* ---- the poison list, and the cap on retries ---- */

static int check_faults(const struct pool_setup *setup)
{
	const struct brood_pool_options *own = &setup->own;
	uint32_t within = own->poison_within_ms, forgets = own->poison_forget_ms;
	char where[64];

	snprintf(where, sizeof where, "pool %s: ", setup->name);
	if (own->poison_after > POISON_AFTER_MAX)
		return INVALID("%spoison_after is %u: at most %u, or 0 for no poison list", where,
			own->poison_after, POISON_AFTER_MAX);
	if (own->poison_after == 0 && (within || forgets))
		return INVALID("%spoison_%s_ms is %u: only a pool with poison_after has it", where,
			within ? "within" : "forget", within ? within : forgets);
	if (within == BROOD_FOREVER || forgets == BROOD_FOREVER)
		return INVALID("%spoison_%s_ms must not be BROOD_FOREVER: the list forgets", where,
			within == BROOD_FOREVER ? "within" : "forget");
	if (own->retry_percent > BUDGET_MOST)
		return INVALID("%sretry_percent is %u: at most %u, or 0 for %u", where,
			own->retry_percent, BUDGET_MOST, BUDGET_PERCENT);
	return 0;
}

static void default_faults(struct brood_pool_options *own)
{
	if (own->poison_within_ms == 0)
		own->poison_within_ms = 60000;
	if (own->poison_forget_ms == 0)
		own->poison_forget_ms = 600000;
	if (own->retry_percent == 0)
		own->retry_percent = BUDGET_PERCENT;
}

/* ---- all pools ---- */

static struct pool_setup *find(struct pool_setup *list, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

static int take_rights(
	struct pool_setup *setup, const struct brood_rights *rights, const char *where)
{
	char field[112];

	if (!rights)
		return 0;
	snprintf(field, sizeof field, "%srights->", where);
	return rights_options_take(rights, field, &setup->rights);
}

/* The entry number `index`: a further pool, or more options of the first one. */
static int add(
	const struct brood_options *o, struct pool_setup *list, uint32_t *count, size_t index)
{
	struct pool_setup *setup;
	struct brood_pool_options own;
	char where[96], field[48];
	int r = take(o->pools[index], index, &own);

	if (r < 0)
		return r;
	snprintf(field, sizeof field, "options.pools[%zu]->name", index);
	setup = &list[*count];
	if ((r = take_name(own.name, field, setup->name)) < 0)
		return r;
	snprintf(where, sizeof where, "pool %s (options.pools[%zu]): ", setup->name, index);
	if ((r = check_flags(&own, where)) < 0)
		return r;
	setup = find(list, *count, setup->name);
	if (setup && (setup != list || setup->own.size))
		return INVALID("options.pools[%zu]->name is %s, which another pool has: names are "
			       "unique",
			index, setup->name);
	if (!setup) {
		setup = &list[(*count)++];
		setup->options = *o;
		without_hooks(&setup->options);
	}
	lay_over(&setup->options, &own);
	setup->own = own;
	setup->own.name = setup->name;
	setup->own.rights = NULL;
	r = setup == list ? check_first(setup, where) : finish(setup, where);
	return r < 0 ? r : take_rights(setup, own.rights, where);
}

static int check_count(const struct brood_options *o)
{
	if (o->pools_count > 0 && !o->pools)
		return INVALID("options.pools is NULL, but pools_count is %zu", o->pools_count);
	if (o->pools_count > BROOD_POOLS_MAX)
		return INVALID(
			"options.pools_count is %zu: at most %d", o->pools_count, BROOD_POOLS_MAX);
	return 0;
}

static int number(struct pool_setup *list, uint32_t count)
{
	uint32_t workers = 0, first = 0;

	if (count > BROOD_POOLS_MAX)
		return INVALID("options.pools has %u pools beside the first: with it there are "
			       "more than %d",
			count - 1, BROOD_POOLS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		struct brood_options *o = &list[i].options;

		workers += o->workers;
		if (workers > POOL_WORKERS_MAX)
			return INVALID("pool %s has %u workers: with it all pools have %u, and may "
				       "have %u",
				list[i].name, o->workers, workers, POOL_WORKERS_MAX);
		o->pool_name = list[i].name;
		o->pools = NULL; /* the array is the program's memory */
		o->pools_count = 0;
		list[i].number = i;
		list[i].named = count > 1;
		list[i].first_slot = first;
		list[i].places = o->workers + SLOTS_SPARE(o->workers);
		first += list[i].places;
	}
	return 0;
}

static int fill(const struct brood_options *o, struct pool_setup *list, uint32_t *count)
{
	int r = take_name(
		o->pool_name ? o->pool_name : NAME_FIRST, "options.pool_name", list[0].name);

	list[0].options = *o;
	*count = 1;
	for (size_t i = 0; r == 0 && i < o->pools_count; i++)
		r = add(o, list, count, i);
	if (r == 0)
		r = finish(&list[0], "options.");
	/* Sizes are checked at the end, when each pool has its number of workers. */
	for (uint32_t i = 0; r == 0 && i < *count; i++) {
		r = check_size(&list[i]);
		if (r == 0)
			r = check_faults(&list[i]);
		default_size(&list[i].own);
		default_faults(&list[i].own);
	}
	return r < 0 ? r : number(list, *count);
}

void pool_options_free(struct pool_setup *list, uint32_t count)
{
	for (uint32_t i = 0; list && i < count; i++)
		free(list[i].rights);
	free(list);
}

int pool_options_resolve(
	const struct brood_options *o, struct pool_setup **ret_list, uint32_t *ret_count)
{
	struct pool_setup *list;
	uint32_t count = 0;
	int r = check_count(o);

	if (r < 0)
		return r;
	list = calloc(o->pools_count + 1, sizeof *list);
	if (!list) {
		engine_error("brood_start: out of memory");
		return -ENOMEM;
	}
	r = fill(o, list, &count);
	if (r < 0) {
		pool_options_free(list, count);
		return r;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}
