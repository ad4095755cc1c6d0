/* SPDX-License-Identifier: MIT */
/* map_wrong.c - brood_map() where it cannot be called, and with arguments that make no sense. */
#include "map.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(map, .timeout = 120);

/* A job, and a child of the engine, cannot map. */
static struct brood *pool;
static int job_maps(struct brood_job *job)
{
	ssize_t r = brood_map(pool, job_number, NULL, 0, NULL, on_number, NULL);

	return r == -EPERM && strstr(brood_error(), "brood_map: this is a worker") ? job_number(job)
										   : 1;
}

static void refused_elsewhere(void)
{
	struct work w;
	int status;
	pid_t pid;

	work_start(&w, 1, (struct brood_options){ 0 });
	pool = w.brood;
	CHECK_EQ(WORK_MAP(&w, job_maps), 1);
	CHECK_EQ(w.outcomes[BROOD_DONE], 1);
	pid = fork();
	if (pid == 0)
		_exit(WORK_MAP(&w, job_number) == -EPERM ? 7 : 8);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 7);
	work_end(&w);
}
ONCE(refused_elsewhere)

/* ---- wrong arguments ---- */

static int nobody(void *context, size_t index, const struct brood_result *result)
{
	(void)context, (void)index, (void)result;
	FAIL("an item was given");
}

static void some_done(void *context, const struct brood_result *result)
{
	(void)context, (void)result;
}

static void some_progress(void *context, uint64_t id, const void *data, size_t size)
{
	(void)context, (void)id, (void)data, (void)size;
}

#define MAP(items, count, on_item) brood_map(w.brood, job_number, items, count, o, on_item, NULL)
#define WRONG(change, words)                                                       \
	do {                                                                       \
		job = (struct brood_job_options){ .size = sizeof job };            \
		*o = (struct brood_map_options){ .size = sizeof *o, .job = &job }; \
		change;                                                            \
		REFUSES(MAP(w.items, 4, nobody), -EINVAL, words);                  \
	} while (0)

static void wrong_options(void)
{
	struct brood_job_options job;
	struct brood_map_options options, *o = &options;
	struct brood_lease *lease;
	struct brood_reply *reply;
	struct work w;
	uint64_t id;
	size_t n;
	int fds[1];

	work_start(&w, 4, (struct brood_options){ 0 });
	CHECK_EQ(brood_lease(w.brood, NULL, &lease), 0);
	WRONG(o->size = 0, "options.size is wrong");
	WRONG(o->size = sizeof *o - 8, "options.size is wrong");
	WRONG(o->flags = 2, "options.flags 0x2 has bits that this library does not know");
	WRONG(o->at_once = 65537, "options.at_once is 65537: at most 65536");
	WRONG(o->window = 9, "set BROOD_MAP_ORDERED, too");
	WRONG(o->window_bytes = 9, "set BROOD_MAP_ORDERED, too");
	WRONG(o->reserved[7] = 1, "options.reserved is not zero");
	WRONG(job.size = 3, "options.job->size is wrong");
	w.fds += 4; /* the brood's own queue */
	WRONG(job.queue = brood_own_queue(w.brood), "options.job->queue is set");
	WRONG(job.lease = lease, "options.job->lease is set");
	WRONG(job.on_done = some_done, "on_done, on_progress or context is set");
	WRONG(job.on_progress = some_progress, "on_done, on_progress or context is set");
	WRONG(job.context = o, "on_done, on_progress or context is set");
	WRONG(job.ret_id = &id, "options.job->ret_id, ret_fds or ret_fds_count is set");
	WRONG(job.ret_fds = fds, "options.job->ret_id, ret_fds or ret_fds_count is set");
	WRONG(job.ret_reply = &reply, "options.job->ret_reply is set");
	WRONG(job.ret_fds_count = &n, "options.job->ret_id, ret_fds or ret_fds_count is set");
	WRONG(job.flags = 1u << 31, "bits that this library does not know");
	WRONG(job.arg_size = 4, "arg");
	brood_lease_end(lease);
	work_end(&w);
}
TWICE(wrong_options)

static void wrong_arguments(void)
{
	struct brood_job_options job = { .size = sizeof job };
	struct brood_map_options *o = NULL;
	struct iovec items[3] = { { NULL, 0 }, { NULL, 0 }, { NULL, 7 } };
	char stack_code[64] = { 0 };
	struct work w;

	work_start(&w, 4, (struct brood_options){ 0 });
	REFUSES(brood_map(NULL, job_number, w.items, 4, NULL, nobody, NULL), -EINVAL,
		"brood_map: its first argument is NULL");
	REFUSES(MAP(NULL, 4, nobody), -EINVAL, "brood_map: items is NULL, but count is 4");
	REFUSES(MAP(items, 3, nobody), -EINVAL, "brood_map: item 2 is NULL, but its size is 7");
	items[2] = (struct iovec){ items, SIZE_MAX };
	REFUSES(MAP(items, 3, nobody), -EINVAL, "brood_map: item 2: its size is larger");
	REFUSES(MAP(w.items, 4, NULL), -EINVAL, "brood_map: on_item is NULL");
	REFUSES(brood_map(w.brood, NULL, w.items, 4, NULL, nobody, NULL), -EFAULT,
		"brood_start() and still is");
	REFUSES(brood_map(
			w.brood, (brood_fn *)(uintptr_t)stack_code, w.items, 4, NULL, nobody, NULL),
		-EFAULT, "brood_start() and still is");
	o = &(struct brood_map_options){ .size = sizeof *o, .job = &job };
	job.fds = (int[]){ 999 };
	job.fds_count = 1;
	REFUSES(MAP(w.items, 4, nobody), -EBADF, "");
	work_end(&w);
}
TWICE(wrong_arguments)

/* A program with an older, shorter struct: none is shorter yet. With a newer one: zeros. */
static void newer_caller(void)
{
	struct {
		struct brood_map_options options;
		uint64_t more;
	} newer = { .options = { .size = sizeof newer } };
	struct work w;

	work_start(&w, 4, (struct brood_options){ 0 });
	CHECK_EQ(brood_map(w.brood, job_number, w.items, 4, &newer.options, on_number, &w), 4);
	newer.more = 1;
	REFUSES(brood_map(w.brood, job_number, w.items, 4, &newer.options, on_number, &w), -EINVAL,
		"a newer header's option");
	work_end(&w);
}
TWICE(newer_caller)
