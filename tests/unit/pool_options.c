/* SPDX-License-Identifier: MIT */
/* pool_options.c - the options of pools: what they inherit, and what is refused, in which words. */
#include "front/resolve.h"
#include "engine/engine.h"
#include "wire/shared.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

TestSuite(unit_pool_options, .timeout = 20);

static int hook_one(void *context) { return context != NULL; }
static void hook_end(void *context) { (void)context; }

#define POOL(...) \
	(&(struct brood_pool_options){ .size = sizeof(struct brood_pool_options), __VA_ARGS__ })
#define LIST(...)    ((const struct brood_pool_options *const[]){ __VA_ARGS__ })
#define OPTIONS(...) (&(struct brood_options){ .size = sizeof(struct brood_options), __VA_ARGS__ })

static struct resolved resolve(const struct brood_options *o)
{
	struct resolved r;
	int result = resolve_options(o, &r);

	cr_assert_eq(result, 0, "%s", engine_error_text());
	return r;
}

static void refused(const struct brood_options *o, const char *words)
{
	struct resolved r;

	cr_assert_eq(resolve_options(o, &r), -EINVAL);
	cr_assert(strstr(engine_error_text(), words), "%s", engine_error_text());
}
#define REFUSED(words, ...) refused(OPTIONS(__VA_ARGS__), words)
#define REFUSED_POOL(words, ...) \
	refused(OPTIONS(.workers = 2, .pools = LIST(POOL(__VA_ARGS__)), .pools_count = 1), words)

Test(unit_pool_options, alone)
{
	struct resolved r = resolve(OPTIONS(.workers = 3));

	cr_assert_eq(r.pools.count, 1);
	cr_assert_str_eq(r.setups[0].name, "main");
	cr_assert_eq(r.setups[0].options.workers, 3);
	cr_assert_eq(r.setups[0].options.leases, 3);
	cr_assert_eq(r.setups[0].first_slot, 0);
	cr_assert_eq(r.setups[0].places, 3 + SLOTS_SPARE(3));
	cr_assert_eq(r.setups[0].submit_queue_ms, BROOD_FOREVER);
	cr_assert_eq(r.setups[0].own.size, 0);
	resolve_free(&r);
}

/* A program of before has a shorter struct: what stands behind it is nothing of ours. */
Test(unit_pool_options, older_struct)
{
	struct resolved r = resolve(&(struct brood_options){
		.size = offsetof(struct brood_options, pool_name),
		.workers = 1,
		.pool_name = "no name!",
		.pools_count = 9,
	});

	cr_assert_eq(r.pools.count, 1);
	cr_assert_str_eq(r.setups[0].name, "main");
	resolve_free(&r);
}

/* An entry with the first pool's name: what it sets wins. */
Test(unit_pool_options, first_pool)
{
	struct resolved r = resolve(OPTIONS(.workers = 3, .run_ms = 70, .queue_ms = 500,
		.worker_init = hook_one, .worker_exit = hook_end, .pool_name = "web",
		.pools = LIST(
			POOL(.name = "web", .workers = 5, .flags = BROOD_NO_CORE, .queue_ms = 900)),
		.pools_count = 1));
	const struct brood_options *o = &r.setups[0].options;

	cr_assert_eq(r.pools.count, 1);
	cr_assert_str_eq(r.setups[0].name, "web");
	cr_assert_eq(o->workers, 5);
	cr_assert_eq(r.options.workers, 5);
	cr_assert_eq(o->leases, 5);
	cr_assert_eq(o->run_ms, 70);
	cr_assert_eq(r.setups[0].submit_queue_ms, 900);
	cr_assert_eq(o->flags, BROOD_NO_CORE);
	cr_assert(o->worker_init == hook_one && o->worker_exit == hook_end);
	cr_assert_str_eq(r.setups[0].own.name, "web");
	resolve_free(&r);
}

/* What a further pool does not set is the first one's; defaults and hooks are its own. */
Test(unit_pool_options, further_pools)
{
	struct resolved r = resolve(
		OPTIONS(.workers = 3, .run_ms = 70, .backlog = 9, .worker_init = hook_one,
			.hook_context = &r, .flags = BROOD_ACCOUNT_CPU, .tolerate = BROOD_LEFT_FDS,
			.pools = LIST(POOL(.name = "a", .workers = 5, .run_ms = 90, .queue_ms = 10),
				POOL(.name = "main", .workers = 4, .grace_ms = 6),
				POOL(.name = "b", .worker_exit = hook_end, .backoff_max_ms = 40)),
			.pools_count = 3));
	const struct pool_setup *first = &r.setups[0], *a = &r.setups[1], *b = &r.setups[2];

	cr_assert_eq(r.pools.count, 3);
	cr_assert_str_eq(a->name, "a");
	cr_assert_str_eq(b->name, "b");
	cr_assert(first->named && a->named && b->named);
	cr_assert_eq(first->options.workers, 4);
	cr_assert_eq(first->options.grace_ms, 6);
	cr_assert_eq(a->options.workers, 5);
	cr_assert_eq(a->options.leases, 5);
	cr_assert_eq(a->options.run_ms, 90);
	cr_assert_eq(a->options.backlog, 9);
	cr_assert_eq(a->submit_queue_ms, 10);
	cr_assert_eq(a->options.flags, BROOD_ACCOUNT_CPU);
	cr_assert_eq(a->options.tolerate, BROOD_LEFT_FDS);
	cr_assert(!a->options.worker_init && !a->options.hook_context);
	cr_assert_eq(b->options.workers, 3);
	cr_assert_eq(b->options.grace_ms, 50);
	cr_assert_eq(b->options.backoff_min_ms, 40);
	cr_assert_eq(b->submit_queue_ms, BROOD_FOREVER);
	cr_assert(!b->options.worker_init && b->options.worker_exit == hook_end);
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert_eq(r.setups[i].number, i);
		cr_assert_eq(r.setups[i].first_slot,
			i ? r.setups[i - 1].first_slot + r.setups[i - 1].places : 0);
	}
	resolve_free(&r);
}

Test(unit_pool_options, together)
{
	const struct brood_pool_options *list[BROOD_POOLS_MAX];
	static struct brood_pool_options many[BROOD_POOLS_MAX];
	static char names[BROOD_POOLS_MAX][8];

	REFUSED("pool a has 2 workers: with it all pools have 10001", .workers = 9999,
		.pools = LIST(POOL(.name = "a", .workers = 2)), .pools_count = 1);
	REFUSED("pools[1]->name is a, which another pool has", .workers = 1,
		.pools = LIST(POOL(.name = "a"), POOL(.name = "a")), .pools_count = 2);
	REFUSED("pools[1]->name is main, which another pool has", .workers = 1,
		.pools = LIST(POOL(.name = "main"), POOL(.name = "main")), .pools_count = 2);
	REFUSED("pool a (options.pools[1]): workers is 10001", .workers = 1,
		.pools = LIST(POOL(.name = "main"), POOL(.name = "a", .workers = 10001)),
		.pools_count = 2);
	for (int i = 0; i < BROOD_POOLS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "p%d", i);
		many[i] = (struct brood_pool_options){ .size = sizeof many[i], .name = names[i] };
		list[i] = &many[i];
	}
	REFUSED("more than 64", .workers = 1, .pools = list, .pools_count = BROOD_POOLS_MAX);
}

Test(unit_pool_options, size_has_its_defaults)
{
	struct resolved r = resolve(OPTIONS(.workers = 3,
		.pools = LIST(POOL(.name = "main", .scaling = BROOD_ELASTIC)), .pools_count = 1));

	cr_assert_eq(r.setups[0].own.workers_min, 1);
	cr_assert_eq(r.setups[0].own.spare, 1);
	cr_assert_eq(r.setups[0].own.idle_ms, 10000);
	resolve_free(&r);
	r = resolve(OPTIONS(.workers = 3,
		.pools = LIST(POOL(.name = "main", .scaling = BROOD_ON_DEMAND, .idle_ms = 5)),
		.pools_count = 1));
	cr_assert_eq(r.setups[0].own.workers_min, 0);
	cr_assert_eq(r.setups[0].own.spare, 0);
	cr_assert_eq(r.setups[0].own.idle_ms, 5);
	resolve_free(&r);
}

/*
 * Each number that a pool may have of its own: F(member, the brood's, the pool's own, the default
 * of brood_start(3)).
 */
#define NUMBERS(F)                                                         \
	F(workers, 3, 4, 0)                                                \
	F(backlog, 5, 6, 1024)                                             \
	F(queue_ms, 7, 8, 10000)                                           \
	F(run_ms, 9, 10, 60000)                                            \
	F(grace_ms, 11, 12, 50)                                            \
	F(init_ms, 13, 14, 10000)                                          \
	F(core_ms, 15, 16, 5000)                                           \
	F(cores_per_minute, 17, 18, 6)                                     \
	F(backoff_min_ms, 19, 20, 100)                                     \
	F(backoff_max_ms, 21, 22, 30000)                                   \
	F(start_limit, 23, 24, 10)                                         \
	F(healthy_ms, 25, 26, 1000)                                        \
	F(dispatch, BROOD_PATH_HANDOFF, BROOD_PATH_LEASE, BROOD_PATH_AUTO) \
	F(leases, 2, 1, 0)                                                 \
	F(lease_idle_ms, 27, 28, 1000)                                     \
	F(tolerate, BROOD_LEFT_FDS, BROOD_LEFT_CWD, 0)                     \
	F(worker_memory, 29, 30, 0)                                        \
	F(stack_size, 1 << 16, 1 << 17, 8 << 20)

#define IN_BROOD(member, brood, own, none)  .member = brood,
#define IN_POOL(member, brood, own, none)   .member = own,
#define IS_BROODS(member, brood, own, none) cr_assert_eq(o->member, brood, #member);
#define IS_OWN(member, brood, own, none)    cr_assert_eq(o->member, own, #member);
#define IS_DEFAULT(member, brood, own, none) \
	if ((none) > 0)                      \
		cr_assert_eq(o->member, none, #member);

/* A member that the entry does not set is the brood's; one that it sets is its own. */
Test(unit_pool_options, each_member_is_inherited)
{
	struct resolved r = resolve(OPTIONS(NUMBERS(IN_BROOD).flags = BROOD_ACCOUNT_CPU,
		.pools = LIST(POOL(.name = "a"),
			POOL(.name = "b", NUMBERS(IN_POOL).flags = BROOD_NO_CORE)),
		.pools_count = 2));
	const struct brood_options *o = &r.setups[0].options;

	NUMBERS(IS_BROODS)
	o = &r.setups[1].options;
	NUMBERS(IS_BROODS)
	cr_assert_eq(o->flags, BROOD_ACCOUNT_CPU);
	o = &r.setups[2].options;
	NUMBERS(IS_OWN)
	cr_assert_eq(o->flags, BROOD_ACCOUNT_CPU | BROOD_NO_CORE);
	resolve_free(&r);
}

/* Where nobody sets anything, a further pool has the same defaults as the first one. */
Test(unit_pool_options, each_member_has_its_default)
{
	struct resolved r = resolve(OPTIONS(.pools = LIST(POOL(.name = "a")), .pools_count = 1));

	cr_assert_eq(r.pools.count, 2);
	for (uint32_t i = 0; i < r.pools.count; i++) {
		const struct pool_setup *setup = &r.setups[i];
		const struct brood_options *o = &setup->options;

		NUMBERS(IS_DEFAULT)
		cr_assert_geq(o->workers, 1);
		cr_assert_eq(o->leases, o->workers);
		cr_assert_eq(o->flags, 0);
		cr_assert_eq(o->tolerate, 0);
		cr_assert_eq(o->worker_memory, 0);
		cr_assert_eq(o->dispatch, BROOD_PATH_AUTO);
		cr_assert(!o->worker_init && !o->worker_exit && !o->hook_context);
		cr_assert_eq(setup->own.scaling, BROOD_FIXED);
		cr_assert_eq(setup->own.retire_jobs, 0);
		cr_assert_eq(setup->own.retire_age_ms, 0);
		cr_assert_eq(setup->own.retire_memory, 0);
		cr_assert_eq(setup->own.surge, 0);
		cr_assert(!setup->rights);
	}
	cr_assert_str_eq(r.setups[0].name, "main");
	resolve_free(&r);
}

/* A newer program's entry is longer, and may say nothing that this library does not know. */
Test(unit_pool_options, newer_entry)
{
	struct {
		struct brood_pool_options known;
		uint64_t later;
	} newer = { .known = { .size = sizeof newer, .name = "a", .workers = 2 } };
	struct resolved r = resolve(
		OPTIONS(.workers = 1, .pools = LIST(&newer.known), .pools_count = 1));

	cr_assert_eq(r.setups[1].options.workers, 2);
	resolve_free(&r);
	newer.later = 1;
	refused(OPTIONS(.pools = LIST(&newer.known), .pools_count = 1), "pools[0]->size is");
}

/* The entry of the first version ends with `reserved`. A shorter one never was. */
Test(unit_pool_options, oldest_entry)
{
	struct brood_pool_options old = { .size = offsetof(struct brood_pool_options, reserved) +
			8 * sizeof(uint64_t),
		.name = "a",
		.surge = 3 };
	struct resolved r = resolve(OPTIONS(.pools = LIST(&old), .pools_count = 1));

	cr_assert_eq(r.setups[1].own.surge, 3);
	resolve_free(&r);
	old.size--;
	refused(OPTIONS(.pools = LIST(&old), .pools_count = 1), "pools[0]->size is");
}

/* The arrays of the program may be gone after the start. */
Test(unit_pool_options, rights_are_copied)
{
	uint32_t groups[] = { 4, 5 };
	int cpus[] = { 0 };
	struct brood_limit limits[] = { { .resource = RLIMIT_NPROC, .soft = 1, .hard = 2 } };
	struct brood_rights rights = { .size = sizeof rights,
		.set = BROOD_RIGHTS_GROUPS,
		.groups = groups,
		.groups_count = 2,
		.limits = limits,
		.limits_count = 1,
		.cpus = cpus,
		.cpus_count = 1 };
	struct resolved r = resolve(
		OPTIONS(.pools = LIST(POOL(.name = "main", .rights = &rights)), .pools_count = 1));
	const struct brood_rights *own = r.setups[0].rights;

	memset(groups, 0, sizeof groups);
	memset(limits, 0, sizeof limits);
	memset(cpus, 1, sizeof cpus);
	memset(&rights, 1, sizeof rights);
	cr_assert_eq(own->groups[1], 5);
	cr_assert_eq(own->limits[0].hard, 2);
	cr_assert_eq(own->cpus[0], 0);
	resolve_free(&r);
}

Test(unit_pool_options, refused)
{
	char longest[BROOD_POOL_NAME_MAX + 1];

	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	REFUSED("pools is NULL", .pools_count = 1);
	REFUSED("pools_count is 65: at most 64", .pools = LIST(NULL), .pools_count = 65);
	REFUSED("pools[0] is NULL", .pools = LIST(NULL), .pools_count = 1);
	REFUSED("pool_name is \"a b\"", .pool_name = "a b");
	REFUSED("pool_name is \"\"", .pool_name = "");
	REFUSED("1 to 31", .pool_name = longest);
	REFUSED_POOL("pools[0]->name is NULL", .workers = 1);
	REFUSED_POOL("pools[0]->name is \"a/b\"", .name = "a/b");
	refused(OPTIONS(.pools = LIST(&(struct brood_pool_options){ .size = 8 }), .pools_count = 1),
		"pools[0]->size is 8");
	REFUSED_POOL("reserved", .name = "main", .reserved = { [3] = 1 });
	REFUSED_POOL("reserved", .name = "main", .reserved32 = 1);
	REFUSED_POOL(
		"pool main (options.pools[0]): workers is 10001", .name = "main", .workers = 10001);
	REFUSED_POOL(
		"pool main (options.pools[0]): backlog is 65537", .name = "main", .backlog = 65537);
	REFUSED_POOL("flags has BROOD_INLINE", .name = "main", .flags = BROOD_INLINE);
	REFUSED_POOL("flags has BROOD_DEBUGGING", .name = "main", .flags = BROOD_DEBUGGING);
	REFUSED_POOL("flags has BROOD_START_OR_FAIL", .name = "main", .flags = BROOD_START_OR_FAIL);
	REFUSED_POOL("flags has BROOD_NO_SPIN", .name = "main", .flags = BROOD_NO_SPIN);
	REFUSED_POOL("flags has unknown bits", .name = "main", .flags = 1u << 30);
	REFUSED_POOL("dispatch is 3", .name = "main", .dispatch = 3);
	REFUSED_POOL("tolerate", .name = "main", .tolerate = 1u << 30);
	REFUSED_POOL("stack_size is 100", .name = "main", .stack_size = 100);
	REFUSED_POOL("pool main: scaling is 3", .name = "main", .scaling = 3);
	REFUSED_POOL("workers_min is 2: only a pool with scaling BROOD_ELASTIC", .name = "main",
		.workers_min = 2);
	REFUSED_POOL("spare is 1: only", .name = "main", .scaling = BROOD_ON_DEMAND, .spare = 1);
	REFUSED_POOL("idle_ms is 9: workers of a fixed pool stay", .name = "main", .idle_ms = 9);
	REFUSED_POOL("workers_min is 3: at most workers, which is 2", .name = "main",
		.scaling = BROOD_ELASTIC, .workers_min = 3);
	REFUSED_POOL("spare is 3: at most", .name = "main", .scaling = BROOD_ELASTIC, .spare = 3);
	REFUSED_POOL(
		"rights->size is 8", .name = "main", .rights = &(struct brood_rights){ .size = 8 });
	REFUSED_POOL("backoff_max_ms 4294967295: the first must not be larger", .name = "main",
		.backoff_max_ms = BROOD_FOREVER);
	REFUSED_POOL("backoff_min_ms is 2000", .name = "main", .backoff_min_ms = 2000,
		.backoff_max_ms = 1000);
}

Test(unit_pool_options, poison_list)
{
	struct resolved r = resolve(OPTIONS(.workers = 2,
		.pools = LIST(POOL(.name = "main", .poison_after = 3),
			POOL(.name = "b", .poison_after = 16, .poison_within_ms = 5,
				.poison_forget_ms = 6),
			POOL(.name = "c")),
		.pools_count = 3));

	cr_assert_eq(r.setups[0].own.poison_after, 3);
	cr_assert_eq(r.setups[0].own.poison_within_ms, 60000, "the default");
	cr_assert_eq(r.setups[0].own.poison_forget_ms, 600000);
	cr_assert_eq(r.setups[1].own.poison_within_ms, 5);
	cr_assert_eq(r.setups[1].own.poison_forget_ms, 6);
	cr_assert_eq(r.setups[2].own.poison_after, 0, "off");
	resolve_free(&r);
	REFUSED_POOL("pool a: poison_after is 17: at most 16", .name = "a", .poison_after = 17);
	REFUSED_POOL("pool a: poison_within_ms is 5: only a pool with poison_after has it",
		.name = "a", .poison_within_ms = 5);
	REFUSED_POOL("pool a: poison_forget_ms is 6: only a pool with poison_after has it",
		.name = "a", .poison_forget_ms = 6);
	REFUSED_POOL("pool a: poison_within_ms must not be BROOD_FOREVER", .name = "a",
		.poison_after = 1, .poison_within_ms = BROOD_FOREVER);
	REFUSED_POOL("pool a: poison_forget_ms must not be BROOD_FOREVER", .name = "a",
		.poison_after = 1, .poison_forget_ms = BROOD_FOREVER);
}

Test(unit_pool_options, cap_on_retries)
{
	struct resolved r = resolve(OPTIONS(.workers = 2,
		.pools = LIST(POOL(.name = "b", .retry_percent = 10000)), .pools_count = 1));

	cr_assert_eq(r.setups[0].own.retry_percent, 20, "the default");
	cr_assert_eq(r.setups[1].own.retry_percent, 10000);
	resolve_free(&r);
	REFUSED_POOL("pool a: retry_percent is 10001: at most 10000, or 0 for 20", .name = "a",
		.retry_percent = 10001);
}
