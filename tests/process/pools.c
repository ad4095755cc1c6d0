/* SPDX-License-Identifier: MIT */
/* pools.c - two pools in one brood: each way to give a job leads to a worker of its pool. */
#include "../helpers/pools.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(pools, .timeout = 120);

static struct brood *brood;

/* The slots of php stand behind main's, the spare ones included. */
static bool slot_is_of(const struct brood_verdict *v, const char *pool)
{
	return (v->slot >= POOLS_MAIN + 2) == (strcmp(pool, "php") == 0);
}

static void landed(const struct brood_verdict *v, const char *reply, ssize_t n, const char *pool)
{
	char line[512];

	brood_verdict_format(v, line, sizeof line);
	CHECK_MSG(v->outcome == BROOD_DONE, "%s", line);
	CHECK_STR(v->pool, pool);
	CHECK_MSG(slot_is_of(v, pool), "%s", line);
	CHECK_CONTAINS(line, pool);
	CHECK_MSG(n > 0 && (size_t)n > strlen(pool) && !memcmp(reply, pool, strlen(pool)), "%.*s",
		(int)(n > 0 ? n : 0), reply);
}

/* ---- calls ---- */

static uint32_t call(struct brood_job_options *o, const char *pool)
{
	struct brood_verdict v = { 0 };
	char reply[64];
	ssize_t n;

	o->size = sizeof *o;
	n = brood_call(brood, pools_who, NULL, 0, reply, sizeof reply, o, &v);
	landed(&v, reply, n, pool);
	return v.path;
}

static void calls(void)
{
	struct brood_pool *php, *first;

	brood = pools_start(NULL, NULL);
	php = brood_pool(brood, "php");
	first = brood_pool(brood, NULL);
	CHECK(php && first && php != first);
	CHECK(brood_pool(brood, "main") == first);
	for (int i = 0; i < 50; i++) {
		call(&(struct brood_job_options){ .pool = php }, "php");
		call(&(struct brood_job_options){ .pool = first }, "main");
		call(&(struct brood_job_options){ 0 }, "main");
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(call(&(struct brood_job_options){ .pool = php,
				      .dispatch = BROOD_PATH_HANDOFF },
				 "php"),
			BROOD_PATH_HANDOFF);
		CHECK_EQ(call(&(struct brood_job_options){ .pool = php,
				      .dispatch = BROOD_PATH_LEASE },
				 "php"),
			BROOD_PATH_LEASE);
	}
	CHECK_EQ(call(&(struct brood_job_options){ .pool = php }, "php"), BROOD_PATH_LEASE);
	pool_stop(brood);
}
Test(pools, calls) { case_run(calls, 30000); }

/* ---- conversations ---- */

static void talk(int fd, struct brood_handle *handle, const char *pool)
{
	struct brood_verdict v;
	char reply[64];
	ssize_t n = read(fd, reply, sizeof reply);

	CHECK_EQ(brood_wait(handle, 10000, &v), 0);
	landed(&v, reply, n, pool);
	brood_release(handle);
	close(fd);
}

static void open_and_give(const struct brood_job_options *o, const char *pool)
{
	struct brood_handle *handle;
	int fd, pair[2];

	CHECK_EQ(brood_open(brood, pools_who, o, &fd, &handle), 0);
	talk(fd, handle, pool);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_EQ(brood_give(brood, pools_who, pair[1], o, &handle), 0);
	talk(pair[0], handle, pool);
}

static void conversations(void)
{
	struct brood_job_options o = { .size = sizeof o };

	brood = pools_start(NULL, NULL);
	o.pool = brood_pool(brood, "php");
	for (uint32_t path = BROOD_PATH_AUTO; path <= BROOD_PATH_LEASE; path++) {
		o.dispatch = path;
		open_and_give(&o, "php");
	}
	/* for a program with an event loop they go by leases, too */
	CHECK_GE(brood_fd(brood), 0);
	o.dispatch = BROOD_PATH_AUTO;
	for (int i = 0; i < 20; i++) {
		open_and_give(&o, "php");
		brood_dispatch(brood);
	}
	o.pool = NULL;
	open_and_give(&o, "main");
	pool_stop(brood);
}
Test(pools, conversations) { case_run(conversations, 30000); }

/* ---- submitted jobs ---- */

static uint32_t submit(struct brood_queue *queue, struct brood_job_options *o, const char *pool)
{
	const struct brood_result *r;
	uint32_t path;

	o->size = sizeof *o;
	CHECK_MSG(brood_submit(brood, pools_who, NULL, 0, o, NULL) == 0, "%s", brood_error());
	CHECK_EQ(brood_queue_wait(queue, 10000), 1);
	CHECK_EQ(brood_take(queue, &r, 1), 1);
	landed(&r->verdict, r->reply, (ssize_t)r->reply_size, pool);
	path = r->verdict.path;
	return path;
}

static void submits(void)
{
	struct brood_queue_options q = { .size = sizeof q };
	struct brood_pool *php, *first;
	struct brood_queue *of_php, *of_main, *own;

	brood = pools_start(NULL, NULL);
	php = brood_pool(brood, "php");
	first = brood_pool(brood, "main");
	own = brood_own_queue(brood);
	CHECK_EQ(brood_queue_new(brood, &q, &of_main), 0);
	q.pool = php;
	CHECK_EQ(brood_queue_new(brood, &q, &of_php), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(submit(of_php, &(struct brood_job_options){ .queue = of_php }, "php"),
			BROOD_PATH_LEASE);
		submit(of_php, &(struct brood_job_options){ .queue = of_php, .pool = php }, "php");
		submit(of_main, &(struct brood_job_options){ .queue = of_main }, "main");
		submit(own, &(struct brood_job_options){ 0 }, "main");
		/* for another pool than the queue's */
		CHECK_EQ(submit(own, &(struct brood_job_options){ .pool = php }, "php"),
			BROOD_PATH_HANDOFF);
		submit(of_php, &(struct brood_job_options){ .queue = of_php, .pool = first },
			"main");
	}
	brood_queue_free(of_php);
	brood_queue_free(of_main);
	pool_stop(brood);
}
Test(pools, submits) { case_run(submits, 30000); }

/* ---- pinned leases, maps ---- */

static void leases(void)
{
	struct brood_lease_options l = { .size = sizeof l };
	struct brood_job_options o = { .size = sizeof o };
	struct brood_lease *lease;
	uint32_t slot;

	brood = pools_start(NULL, NULL);
	l.pool = brood_pool(brood, "php");
	CHECK_EQ(brood_lease(brood, &l, &lease), 0);
	CHECK_EQ(brood_lease_worker(lease, NULL, &slot, NULL), 0);
	CHECK_GE(slot, POOLS_MAIN + 2);
	o.lease = lease;
	call(&o, "php");
	open_and_give(&o, "php");
	o.pool = l.pool;
	call(&o, "php");
	o.pool = brood_pool(brood, "main");
	CHECK_EQ(brood_call(brood, pools_who, NULL, 0, NULL, 0, &o, NULL), -EINVAL);
	CHECK_CONTAINS(
		brood_error(), "pool is main, but the worker of options.lease is of pool php");
	brood_lease_end(lease);
	pool_stop(brood);
}
Test(pools, leases) { case_run(leases, 30000); }

static int on_item(void *context, size_t index, const struct brood_result *result)
{
	(void)index;
	landed(&result->verdict, result->reply, (ssize_t)result->reply_size, context);
	return 0;
}

static void maps(void)
{
	struct brood_job_options job = { .size = sizeof job };
	struct brood_map_options o = { .size = sizeof o, .job = &job };
	struct iovec items[20] = { { NULL, 0 } };

	brood = pools_start(NULL, NULL);
	job.pool = brood_pool(brood, "php");
	CHECK_EQ(
		brood_map(brood, pools_who, items, 20, &o, on_item, (void *)(uintptr_t) "php"), 20);
	CHECK_EQ(brood_map(brood, pools_who, items, 20, NULL, on_item, (void *)(uintptr_t) "main"),
		20);
	pool_stop(brood);
}
Test(pools, maps) { case_run(maps, 30000); }

/* ---- init data ---- */

static void asks(const char *pool, const char *expected)
{
	struct brood_job_options o = { .size = sizeof o, .pool = brood_pool(brood, pool) };
	char reply[64] = "";
	ssize_t n = brood_call(brood, pools_who, NULL, 0, reply, sizeof reply - 1, &o, NULL);

	CHECK_GE(n, 0);
	reply[n] = '\0';
	CHECK_STR(reply, expected);
}

static int job_dies(struct brood_job *job)
{
	(void)job;
	return raise(SIGKILL);
}

static void renew(const char *pool)
{
	struct brood_job_options o = {
		.size = sizeof o, .pool = brood_pool(brood, pool), .dispatch = BROOD_PATH_HANDOFF
	};

	brood_call(brood, job_dies, NULL, 0, NULL, 0, &o, NULL);
	CHECK(WAIT_UNTIL(pools_stats(brood, pool).died == 1, 10000));
	pools_full(brood, pool);
}

static void init_data(void)
{
	struct brood_pool *php;

	brood = pools_start(&(struct brood_options){ .workers = 1, .log = note_log },
		&(struct brood_pool_options){ .workers = 1 });
	php = brood_pool(brood, "php");
	asks("php", "php:");
	CHECK_EQ(brood_pool_set_init_data(php, "old", 3, NULL, 0), 1);
	CHECK_EQ(brood_pool_set_init_data(php, "new", 3, NULL, 0), 2);
	CHECK_EQ(brood_set_init_data(brood, "first", 5, NULL, 0), 1);
	renew("php");
	renew("main");
	asks("php", "php:new");
	asks("main", "main:first");
	pool_stop(brood);
}
Test(pools, init_data) { case_run(init_data, 30000); }

/* ---- a program of before ---- */

/* Its structs are shorter: what stands behind them is not looked at. */
static void shorter(void)
{
	struct brood_pool *strange = (struct brood_pool *)&strange;
	struct brood_job_options o = { .size = offsetof(struct brood_job_options, pool),
		.pool = strange };
	struct brood_queue_options q = { .size = offsetof(struct brood_queue_options, pool),
		.pool = strange };
	struct brood_lease_options l = { .size = offsetof(struct brood_lease_options, pool),
		.pool = strange };
	struct brood_queue *queue;
	struct brood_lease *lease;

	brood = pool_start_workers(1);
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, NULL), 0);
	CHECK_EQ(brood_queue_new(brood, &q, &queue), 0);
	brood_queue_free(queue);
	CHECK_EQ(brood_lease(brood, &l, &lease), 0);
	brood_lease_end(lease);
	pool_stop(brood);
}
Test(pools, shorter_structs) { case_run(shorter, 30000); }

/* ---- called wrongly ---- */

static void wrong(void)
{
	struct brood_job_options o = { .size = sizeof o };
	struct brood_queue_options q = { .size = sizeof q };
	struct brood_lease_options l = { .size = sizeof l };
	struct brood_queue *queue;
	struct brood_lease *lease;
	struct brood_pool *strange = (struct brood_pool *)&o;

	brood = pools_start(NULL, NULL);
	errno = 0;
	CHECK(!brood_pool(brood, "perl"));
	CHECK_EQ(errno, ENOENT);
	CHECK_CONTAINS(brood_error(), "there is no pool \"perl\"");
	CHECK(!brood_pool(NULL, "php"));
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(brood_pool_stats(NULL, NULL), -EINVAL);
	CHECK_EQ(brood_pool_stats(brood_pool(brood, NULL), NULL), -EINVAL);
	CHECK_EQ(brood_pool_set_init_data(NULL, NULL, 0, NULL, 0), -EINVAL);
	o.pool = q.pool = l.pool = strange;
	CHECK_EQ(brood_call(brood, pools_who, NULL, 0, NULL, 0, &o, NULL), -EINVAL);
	CHECK_CONTAINS(brood_error(), "brood_pool()");
	CHECK_EQ(brood_queue_new(brood, &q, &queue), -EINVAL);
	CHECK_EQ(brood_lease(brood, &l, &lease), -EINVAL);
	o.pool = brood_pool(brood, "php");
	o.dispatch = BROOD_PATH_LEASE;
	CHECK_EQ(brood_submit(brood, pools_who, NULL, 0, &o, NULL), -EINVAL);
	CHECK_CONTAINS(brood_error(), "make a queue of that pool");
	pool_stop(brood);
}
Test(pools, wrong) { case_run(wrong, 30000); }
