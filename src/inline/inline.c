/* SPDX-License-Identifier: MIT */
/*
 * inline.c - BROOD_INLINE: the same program without processes, for gdb, sanitizers and fuzzers. The
 * engine is as ever, but jobs run here (inline_run.c), and no supervisor is at the other end of its
 * channel: this file has that end, and only says there that all has stopped.
 */
#include "inline.h"

#include "../engine/queues.h"
#include "../wire/frame.h"
#include "../worker/init_data.h"
#include "inline_run.h"

#include <stdlib.h>
#include <sys/socket.h>

#define SLACK_MS 1000 /* brood_stop() waits at most this much beyond drain_ms + stop_ms */

struct init_version {
	struct init_version *older;
	struct brood_init_data data;
	int fds[BROOD_INIT_FDS_MAX];
	unsigned char bytes[];
};

static struct {
	struct pool_setups pools;  /* the pools of the program */
	struct pool_setup *setups; /* the pools for the engine: each has one worker, the caller */
	struct shared shared;
	int channel[2]; /* [0] is the engine's end */
} mode;

static const struct brood_init_data nothing = { .size = sizeof nothing };
/* The versions of each pool's init data, the newest first. Under brood.lock. */
static struct init_version *versions[BROOD_POOLS_MAX];

/* ---- start and stop ---- */

static int make_setups(void)
{
	const struct brood_options *first = &mode.pools.list[0].options;
	uint64_t stop_ms = (uint64_t)first->drain_ms + first->stop_ms + SLACK_MS;

	mode.setups = calloc(mode.pools.count, sizeof *mode.setups);
	if (!mode.setups)
		return -ENOMEM;
	for_each_setup(from, &mode.pools)
	{
		struct pool_setup *setup = &mode.setups[from->number];

		*setup = *from;
		setup->submit_queue_ms = BROOD_FOREVER;
		setup->options.workers = 1;
		setup->options.log = NULL; /* inline_run.c calls the log callback itself */
		setup->options.drain_ms = (uint32_t)MIN(stop_ms, (uint64_t)BROOD_FOREVER);
	}
	return 0;
}

static int make(const struct kept *kept, struct brood **ret_brood)
{
	struct engine_config config = { .shared = &mode.shared,
		.log_fd = -1,
		.records = 1,
		.supervisor_pid = getpid(),
		.kept = *kept,
		.run_here = inline_run };
	struct brood *b;
	int r;

	if ((r = make_setups()) < 0 || (r = shared_create(1, mode.pools.count, &mode.shared)) < 0 ||
		(r = sockets_pair(SOCK_SEQPACKET, mode.channel)) < 0)
		return r;
	config.options = &mode.setups[0].options;
	config.pools = (struct pool_setups){ .list = mode.setups, .count = mode.pools.count };
	config.channel_fd = mode.channel[0];
	r = engine_prepare(&config, ret_brood);
	if (r < 0)
		return r;
	b = *ret_brood;
	atomic_store(b->alive, ENGINE_ALIVE);
	/* the caller is the worker of each pool */
	for (uint32_t i = 0; i < b->pools_count; i++) {
		struct stats_page *page = shared_stats_page(&mode.shared, i);
		struct brood_status_pool *told = shared_record(&mode.shared, BROOD_STATUS_POOLS, i);

		/* brood_metrics() shows the pool's name; inline mode fills in nothing else there */
		memcpy(told->name, b->pools[i].setup->name, sizeof told->name);
		atomic_store(&page->workers, b->pools[i].options->workers);
		atomic_store(&page->ready, 1);
		atomic_store(&page->idle, 1);
		b->pools[i].ready = true;
	}
	return queues_own(b->pools) ? 0 : -errno;
}

static void unmake(struct brood *b)
{
	if (b && atomic_load(&b->pools[0].own))
		queues_free(b->pools[0].own);
	engine_free(b);
	shared_free(&mode.shared);
	free(mode.setups);
	mode.setups = NULL;
	close_fdp(&mode.channel[0]);
	close_fdp(&mode.channel[1]);
}

/* Calls worker_init for each pool, since the caller is the worker of each. */
static int call_inits(void)
{
	for_each_setup(setup, &mode.pools)
	{
		const struct brood_options *o = &setup->options;
		int r = o->worker_init ? o->worker_init(o->hook_context) : 0;

		if (r != 0)
			return fail_with(r,
				"brood_start: worker_init returned %d, and in inline mode it runs "
				"here",
				r);
	}
	return 0;
}

int inline_start(const struct pool_setups *pools, const struct kept *kept, struct brood **ret_brood)
{
	struct brood *b = NULL;
	int r;

	mode.pools = *pools;
	mode.setups = NULL;
	mode.channel[0] = mode.channel[1] = -1;
	inline_run_options(&pools->list[0].options);
	init_data_set(&nothing);
	r = make(kept, &b);
	if (r < 0)
		fail_system(r, "brood_start");
	else if (call_inits() != 0)
		r = -ECANCELED;
	if (r == 0) {
		*ret_brood = b;
		return 0;
	}
	init_data_set(NULL);
	unmake(b);
	return r;
}

static void init_free(struct init_version *v)
{
	for (size_t i = 0; i < v->data.fds_count; i++)
		close_fd(v->fds[i]);
	free(v);
}

static void call_exits(void)
{
	for_each_setup(setup, &mode.pools) if (setup->options.worker_exit)
		setup->options.worker_exit(setup->options.hook_context);
}

static void free_versions(uint32_t pool)
{
	inline_run_init_data(pool, NULL);
	while (versions[pool]) {
		struct init_version *v = versions[pool];

		versions[pool] = v->older;
		init_free(v);
	}
}

static bool is_busy(const struct brood *b)
{
	for (uint32_t i = 0; i < b->pools_count; i++)
		if (atomic_load(&shared_stats_page(&mode.shared, i)->busy) > 0)
			return true;
	return false;
}

int inline_stop(struct brood *b)
{
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_STOPPED);
	frame_send(mode.channel[1], &f);
	r = engine_stop(b);
	if (r == -ESHUTDOWN)
		return r;
	call_exits();
	if (is_busy(b))
		return fail_with(
			-ETIMEDOUT, "brood_stop: jobs were still running; their verdict is lost");
	init_data_set(NULL);
	for (uint32_t i = 0; i < b->pools_count; i++)
		free_versions(i);
	return r;
}

/* ---- calls in which the mode shows ---- */

/* brood_fd(): all jobs go by the brood's own queue, so the queue's fd is the brood's. */
int inline_fd(struct brood *b) { return engine_queue_fd(engine_own_queue(b)); }

/* 0; -ESHUTDOWN: brood_stop() was called. There is no wait: inline mode is ready from the start. */
int inline_check(struct brood *b) { return engine_wait_ready(b, 0); }

int inline_has_no_workers(struct brood *b, const char *call)
{
	int r = inline_check(b);

	return r < 0 ? r : fail_with(-ENOTSUP, "%s: inline mode has no workers", call);
}

/* The stats page of the lease's pool. */
static struct stats_page *page_of(const struct brood_lease *lease)
{
	const struct queue *l = (const struct queue *)lease;

	return shared_stats_page(&mode.shared, l->pool->setup->number);
}

/* There is one worker, the caller, and it is always free: so all leases may have it at once. */
int inline_lease(
	struct brood *b, const struct brood_lease_options *options, struct brood_lease **ret)
{
	int r = engine_lease(b, options, ret);

	if (r == 0) {
		atomic_fetch_add(&page_of(*ret)->leased, 1);
		atomic_fetch_add(&page_of(*ret)->leases, 1);
	}
	return r;
}

void inline_lease_end(struct brood_lease *l)
{
	struct stats_page *page = page_of(l);

	engine_lease_end(l);
	atomic_fetch_sub(&page->leased, 1);
}

/* ---- init data ---- */

static int init_new(
	const void *data, size_t size, const int *fds, size_t fds_count, struct init_version **ret)
{
	struct init_version *v = calloc(1, sizeof *v + size + 1);

	if (!v)
		return fail_system(-ENOMEM, "brood_set_init_data");
	v->data = (struct brood_init_data){ .size = sizeof v->data,
		.data = size > 0 ? v->bytes : NULL,
		.data_size = size,
		.fds = fds_count > 0 ? v->fds : NULL };
	if (size > 0)
		memcpy(v->bytes, data, size);
	while (v->data.fds_count < fds_count) {
		int fd = fds_dup_above(fds[v->data.fds_count], 3);

		if (fd < 0) {
			init_free(v);
			return fail_system(fd, "brood_set_init_data: an fd");
		}
		v->fds[v->data.fds_count++] = fd;
	}
	*ret = v;
	return 0;
}

/* Earlier versions stay until brood_stop(): brood.h promises a job its init data for so long. */
int inline_set_init_data(
	struct brood_pool *pool, const void *data, size_t size, const int *fds, size_t fds_count)
{
	struct brood *b = pool->brood;
	uint32_t number = pool->setup->number;
	struct init_version *v = NULL;
	int r = engine_check_init_data(data, size, fds, fds_count);

	if (r == 0)
		r = inline_check(b);
	if (r == 0)
		r = init_new(data, size, fds, fds_count, &v);
	if (r < 0)
		return r;
	engine_lock(b);
	v->older = versions[number];
	v->data.version = ++pool->init_version;
	versions[number] = v;
	r = (int)v->data.version;
	if (number == 0)
		init_data_set(&v->data); /* code outside of jobs sees this init data, too */
	inline_run_init_data(number, &v->data);
	engine_unlock(b);
	return r;
}
