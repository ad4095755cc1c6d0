/* SPDX-License-Identifier: MIT */
/* given.c - a job as the program gave it: checks its options and its function. */
#include "given.h"

#include "engine_root.h"
#include "faults.h"
#include "queue_state.h"

#include "../base/intern.h"
#include "../base/options.h"
#include "../os/cpu.h"
#include "../os/text.h"

#include <limits.h>

#define PIECES_MAX   1024u /* the same bound as the kernel's IOV_MAX */
#define RECENT_TICKS 4096u /* 1 to 2 us on a CPU of 2 to 4 GHz */

#define RETRY_KNOWN \
	(BROOD_RETRY_OUTSIDE | BROOD_RETRY_CRASH | BROOD_RETRY_TIMEOUT | BROOD_RETRY_MEMORY)

static int options_check(const struct brood_job_options *o)
{
	if (o->flags &
		~(uint32_t)(BROOD_JOB_ONCE | BROOD_JOB_ABORT | BROOD_JOB_TRUSTED | BROOD_JOB_MORE))
		return fail_with(-EINVAL,
			"job options: flags %#x has bits that this library does not know",
			o->flags);
	if (o->arg_size > BROOD_ARG_MAX)
		return fail_with(-EINVAL,
			"job options: arg_size %zu is above BROOD_ARG_MAX (%d): send it as the "
			"request",
			o->arg_size, BROOD_ARG_MAX);
	if (o->arg_size && !o->arg)
		return fail_with(
			-EINVAL, "job options: arg_size is %zu but arg is NULL", o->arg_size);
	if (o->dispatch > BROOD_PATH_LEASE)
		return fail_with(-EINVAL, "job options: dispatch is %u: one of enum brood_path",
			o->dispatch);
	if (o->fds_count > BROOD_JOB_FDS_MAX || (o->fds_count && !o->fds))
		return fail_with(-EINVAL, "job options: fds_count is %u: at most %d, with fds",
			o->fds_count, BROOD_JOB_FDS_MAX);
	if (o->tag && strnlen(o->tag, BROOD_TAG_MAX) == BROOD_TAG_MAX)
		return fail_with(-EINVAL,
			"job options: tag is longer than %d bytes (BROOD_TAG_MAX with its NUL): "
			"cut it, or send the rest as arg",
			BROOD_TAG_MAX - 1);
	if (o->retry_on & ~(uint32_t)RETRY_KNOWN)
		return fail_with(-EINVAL,
			"job options: retry_on %#x has bits that this library does not know: a set "
			"of enum brood_retry",
			o->retry_on);
	if (o->priority > BROOD_BACKGROUND)
		return fail_with(-EINVAL, "job options: priority is %u: one of enum brood_priority",
			o->priority);
	if (o->retry_pause_ms == BROOD_FOREVER)
		return fail_with(-EINVAL,
			"job options: retry_pause_ms must not be BROOD_FOREVER: the retry would "
			"never come");
	for (size_t i = 0; i < ARRAY_SIZE(o->reserved); i++)
		if (o->reserved[i] || o->reserved32)
			return fail_with(-EINVAL,
				"job options: reserved fields must be zero: initialise the struct "
				"with { .size = sizeof options }");
	return 0;
}

/* Options of a program that was built with this very header are just copied. */
static int options_take(struct brood_job_options *o, const struct brood_job_options *from)
{
	int r = 0;

	if (from->size == sizeof *o)
		*o = *from;
	else
		r = options_copy(o, sizeof *o, from,
			offsetof(struct brood_job_options, ret_id) + sizeof o->ret_id);
	if (r < 0)
		return fail_with(r,
			"job options: size is wrong, or a newer header's option is set: use { "
			".size = sizeof options }");
	return options_check(o);
}

static void options_resolve(
	const struct brood_pool *pool, bool submitted, struct brood_job_options *o)
{
	const struct brood_options *defaults = pool->options;

	if (!o->queue_ms)
		o->queue_ms = submitted ? pool->setup->submit_queue_ms : defaults->queue_ms;
	if (!o->run_ms)
		o->run_ms = defaults->run_ms;
	if (!o->grace_ms)
		o->grace_ms = defaults->grace_ms;
	if (!o->retry_on)
		o->retry_on = BROOD_RETRY_OUTSIDE;
	if (!o->dispatch)
		o->dispatch = o->lease ? BROOD_PATH_LEASE : defaults->dispatch;
}

bool given_pool_known(const struct brood *b, const struct brood_pool *pool)
{
	return pool >= b->pools && pool < b->pools + b->pools_count;
}

/* Chooses the pool that the options name, else that of the lease or queue, else the first one. */
static int pool_choose(const struct brood *b, struct given *given)
{
	const struct brood_job_options *o = &given->options;
	const struct queue *lease = (const struct queue *)o->lease,
			   *queue = (const struct queue *)o->queue;

	given->pool = o->pool ? o->pool : lease ? lease->pool : queue ? queue->pool : b->pools;
	if (o->pool && !given_pool_known(b, o->pool))
		return fail_with(-EINVAL,
			"job options: pool is none that brood_pool() gave: it has all there are");
	if (o->pool && lease && lease->pool != o->pool)
		return fail_with(-EINVAL,
			"job options: pool is %s, but the worker of options.lease is of pool %s: "
			"set one of the two",
			o->pool->setup->name, lease->pool->setup->name);
	return 0;
}

/* The job is a plugin's function: the text is the argument, then "path\0symbol\0". */
static int plugin_check(struct given *given)
{
	const struct brood_job_options *o = &given->options;
	size_t path, symbol;

	if (given->job->fn)
		return fail_with(-EINVAL,
			"job options: a plugin's job has no function of its own: fn must be NULL");
	if (!o->plugin || !o->symbol || o->plugin[0] != '/' || !o->symbol[0])
		return fail_with(-EINVAL,
			"job options: plugin is an absolute path, and symbol the function's name; "
			"both or none");
	path = strnlen(o->plugin, BROOD_ARG_MAX) + 1;
	symbol = strnlen(o->symbol, BROOD_ARG_MAX) + 1;
	if (o->arg_size + path + symbol > BROOD_ARG_MAX)
		return fail_with(-EINVAL,
			"job options: arg, plugin and symbol together are above BROOD_ARG_MAX (%d)",
			BROOD_ARG_MAX);
	memcpy(given->text, o->arg ? o->arg : "", o->arg_size);
	memcpy(given->text + o->arg_size, o->plugin, path);
	memcpy(given->text + o->arg_size + path, o->symbol, symbol);
	given->arg = given->text;
	given->plugin_size = (uint32_t)(path + symbol);
	given->arg_size += given->plugin_size;
	return 0;
}

/* Puts the tag behind the argument and the plugin's text. */
static void take_tag(struct given *given)
{
	uint32_t size = (uint32_t)strlen(given->options.tag) + 1;

	if (given->arg != given->text && given->arg_size > 0)
		memcpy(given->text, given->arg, given->arg_size);
	memcpy(given->text + given->arg_size, given->options.tag, size);
	given->arg = given->text;
	given->tag_size = size;
	given->arg_size += size;
}

int given_options(void *dst, size_t known_size, const void *src, const uint64_t *reserved,
	size_t reserved_count, const char *what)
{
	/* the size of the first version: later fields stand behind `reserved` */
	size_t minimal = (size_t)((const char *)(reserved + reserved_count) - (const char *)dst);
	int r = options_copy(dst, known_size, src, minimal);

	for (size_t i = 0; r == 0 && i < reserved_count; i++)
		r = reserved[i] ? -EINVAL : 0;
	return r == 0 ? 0
		      : fail_with(r,
				"%s options: size is wrong, or reserved is not zero: use { .size = "
				"sizeof options }",
				what);
}

int given_pieces(const char *call, const struct iovec *pieces, size_t count, size_t *ret_size)
{
	size_t size = 0;

	if (count > 0 && !pieces)
		return fail_with(-EINVAL, "%s: request is NULL, but request_count is not 0", call);
	if (count > PIECES_MAX)
		return fail_with(-EINVAL, "%s: request_count is more than 1024: join pieces", call);
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].iov_len > 0 && !pieces[i].iov_base)
			return fail_with(
				-EINVAL, "%s: request is NULL, but its size is not 0", call);
		if (pieces[i].iov_len > (size_t)SSIZE_MAX - size)
			return fail_with(
				-EINVAL, "%s: the request's size is larger than any memory", call);
		size += pieces[i].iov_len;
	}
	*ret_size = size;
	return 0;
}

void given_request(struct given *given, const struct iovec *request, size_t count)
{
	given->request = request;
	given->request_count = count;
	given->request_size = 0;
	for (size_t i = 0; i < count; i++)
		given->request_size += request[i].iov_len;
}

void given_name(char dst[BROOD_NAME_MAX], const char *name)
{
	size_t n = 0;

	memset(dst, 0, BROOD_NAME_MAX);
	for (; name && name[n] && n < BROOD_NAME_MAX - 1; n++)
		dst[n] = (unsigned char)name[n] < ' ' ? ' ' : name[n];
	if (!n)
		dst[0] = '?';
}

struct engine_job engine_job_of(
	brood_fn *fn, const char *text, const struct brood_job_options *options)
{
	static __thread struct engine_job last;

	if (!last.name || last.fn != fn)
		last.name = intern_function((uintptr_t)fn, text);
	last.fn = fn;
	return (struct engine_job){ .fn = fn, .name = last.name, .options = options };
}

/*
 * What a thread knows of its last jobs. In a shared library each function that looks at a thread's
 * variable makes a call to find it, so the functions below hand this on.
 */
struct mine {
	/*
	 * Functions of the program itself. The program is never unloaded, so they need not be
	 * looked up again.
	 */
	brood_fn *known[8];
	/* When the thread read the clock last, and what the CPU's counter was then. */
	uint64_t ns, ticks;
};
static __thread struct mine mine;

static int function_check(const struct engine_job *job, struct mine *m)
{
	brood_fn **place = &m->known[(uintptr_t)job->fn / 16 % ARRAY_SIZE(m->known)];

	if (*place == job->fn && job->fn)
		return 0;
	if (text_callable((const void *)(uintptr_t)job->fn)) {
		if (text_in_program((const void *)(uintptr_t)job->fn))
			*place = job->fn;
		return 0;
	}
	return fail_with(-EFAULT,
		"job %s: %p is not a function that workers have: " FAIL_NO_FUNCTION,
		job->name ? job->name : "?", (void *)(uintptr_t)job->fn);
}

static int check(const struct brood *b, const struct engine_job *job, bool submitted, uint64_t now,
	struct mine *m, struct given *ret)
{
	struct brood_job_options *o = &ret->options;
	int r = 0;

	/* all that stands behind the options, which are copied as a whole */
	memset(&ret->path, 0, offsetof(struct given, text) - offsetof(struct given, path));
	ret->pool = NULL;
	if (job->options)
		r = options_take(o, job->options);
	else
		*o = (struct brood_job_options){ .size = sizeof *o };
	if (r < 0 || (r = pool_choose(b, ret)) < 0)
		return r;
	options_resolve(ret->pool, submitted, o);
	ret->path = o->lease ? BROOD_PATH_LEASE : o->dispatch;
	if (b->run_here)
		o->dispatch = BROOD_PATH_LEASE; /* no supervisor is there to hand the job off to */
	ret->job = job;
	ret->request_size = BROOD_SIZE_UNKNOWN;
	ret->given_ns = now;
	ret->fd = -1;
	ret->arg = o->arg;
	ret->arg_size = (uint32_t)o->arg_size;
	r = o->plugin || o->symbol ? plugin_check(ret) : function_check(job, m);
	if (r == 0 && o->tag && o->tag[0])
		take_tag(ret);
	return r == 0 && o->key ? faults_refuse(ret->pool, o->key) : r;
}

/*
 * When the job is given, or up to RECENT_TICKS before. To read the clock takes a tenth of the time
 * that a small job takes the engine. So a thread that gives one job right after another reads the
 * clock once for some of them.
 */
static uint64_t recent_ns(const struct brood *b, struct mine *m)
{
	uint64_t ticks = b->ticks ? cpu_ticks() : 0;

	if (ticks == 0 || ticks - m->ticks >= RECENT_TICKS) {
		m->ticks = ticks;
		m->ns = now_ns();
	}
	return m->ns;
}

int given_check(
	const struct brood *b, const struct engine_job *job, bool submitted, struct given *ret)
{
	struct mine *m = &mine;

	return check(b, job, submitted, submitted ? recent_ns(b, m) : now_ns(), m, ret);
}

int given_check_at(const struct brood *b, const struct engine_job *job, bool submitted,
	uint64_t now, struct given *ret)
{
	return check(b, job, submitted, now, &mine, ret);
}
