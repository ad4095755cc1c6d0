/*
 * inline.c - BROOD_INLINE: the same program without processes, for gdb, sanitizers and fuzzers. A job runs in the thread that gives it (brood_open(): in a thread of its own, because the caller talks
 * to it), through the worker's own code, so that a job sees the same struct brood_job. A crash is a crash of the caller; limits are not enforced; there is nobody to kill.
 *
 * brood_call() runs the job in the calling thread while a helper thread moves the bytes: the job may reply before it has read all, and neither fits a socket's buffer.
 *
 * The lock guards what several threads change: ids, counters, open jobs, verdicts. No job and no callback runs under it.
 */
#define _GNU_SOURCE
#include "inline.h"

#include "base/base.h"
#include "base/list.h"
#include "base/options.h"
#include "os/sockets.h"
#include "os/text.h"
#include "worker/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct init_version { struct init_version *older; struct brood_init_data data; int fds[BROOD_INIT_FDS_MAX]; unsigned char bytes[]; };

struct inline_brood {
	const struct brood_options *options;
	pthread_mutex_t lock, log_lock;
	pthread_cond_t changed;
	bool stopped;
	int news_fd;
	uint64_t last_id;
	uint32_t news;                         /* verdicts that brood_dispatch() has not counted */
	struct list open;                      /* jobs that run in threads of their own */
	struct brood_stats stats;
	struct init_version *init;
};

struct inline_handle {
	struct inline_brood *brood;
	unsigned holders;                      /* the caller, and the thread that runs the job */
	bool closed;
	struct brood_verdict verdict;
};

struct run {
	struct list link;                      /* in brood.open */
	struct inline_brood *brood;
	struct inline_handle *handle;          /* NULL: nobody wants the verdict */
	struct brood_verdict verdict;
	brood_fn *fn;
	int fd;
	size_t request_size, arg_size;
	uint64_t *ret_id;
	_Alignas(16) unsigned char arg[BROOD_ARG_MAX];
};

static struct inline_brood *mine(struct brood *b) { return (struct inline_brood *)b; }

static int fail(int r, const char *call, const char *why)
{
	engine_error("%s: %s", call, why);
	return r;
}

static int cancellation_off(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}
static void cancellation_back(int *old) { pthread_setcancelstate(*old, NULL); }
#define NO_CANCELLATION int cancellation_ __attribute__((cleanup(cancellation_back), unused)) = cancellation_off()

/* A thread of ours takes no signal of the program's. */
static int thread_start(pthread_t *ret, void *(*main)(void *), void *arg)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static void log_one_at_a_time(void *context, const struct brood_log *line)
{
	struct inline_brood *b = context;

	/* Recursive: a callback may run a job that logs. */
	pthread_mutex_lock(&b->log_lock);
	if (b->options->log)
		b->options->log(b->options->log_context, line);
	else
		dprintf(2, "%s\n", line->text);
	pthread_mutex_unlock(&b->log_lock);
}

static void locks_init(struct inline_brood *b)
{
	pthread_mutexattr_t recursive;
	pthread_condattr_t monotonic;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->log_lock, &recursive);
	pthread_cond_init(&b->changed, &monotonic);
	pthread_mutexattr_destroy(&recursive);
	pthread_condattr_destroy(&monotonic);
}

int inline_start(const struct brood_options *options, struct brood **ret_brood)
{
	struct inline_brood *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return fail(-ENOMEM, "brood_start", "out of memory");
	b->options = options;
	b->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->news_fd < 0) {
		r = -errno;
		free(b);
		return fail(r, "brood_start", "no eventfd could be made");
	}
	list_init(&b->open);
	locks_init(b);
	r = options->worker_init ? options->worker_init(options->hook_context) : 0;
	if (r != 0) {
		close_fd(b->news_fd);
		free(b);
		engine_error("brood_start: worker_init returned %d, and in inline mode it runs here", r);
		return -ECANCELED;
	}
	*ret_brood = (struct brood *)b;
	return 0;
}

static int check_open(struct inline_brood *b, const char *call)
{
	bool stopped;

	pthread_mutex_lock(&b->lock);
	stopped = b->stopped;
	pthread_mutex_unlock(&b->lock);
	return stopped ? fail(-ESHUTDOWN, call, "brood_stop() was called before") : 0;
}

/* ---- One job ---- */

static int run_init(struct run *run, struct inline_brood *b, const struct engine_job *job, const char *call)
{
	struct brood_job_options o;
	int r = check_open(b, call);

	memset(run, 0, sizeof *run);
	if (r < 0)
		return r;
	if (options_copy(&o, sizeof o, job->options, offsetof(struct brood_job_options, reserved)) < 0)
		return fail(-EINVAL, call, "options.size is wrong: set it, { .size = sizeof options }");
	if (o.arg_size > BROOD_ARG_MAX || (o.arg_size > 0 && !o.arg))
		return fail(-EINVAL, call, "options.arg_size is more than BROOD_ARG_MAX, or arg is NULL: send larger arguments as the request");
	list_init(&run->link);
	run->brood = b;
	run->fn = job->fn;
	run->fd = -1;
	run->request_size = BROOD_SIZE_UNKNOWN;
	run->arg_size = o.arg_size;
	run->ret_id = o.ret_id;
	if (o.arg_size > 0)
		memcpy(run->arg, o.arg, o.arg_size);
	run->verdict = (struct brood_verdict){ .size = sizeof run->verdict, .pid = getpid(), .generation = 1, .attempts = 1, .started = 1 };
	snprintf(run->verdict.name, sizeof run->verdict.name, "%s", job->name ? job->name : "");
	return text_callable((const void *)job->fn) ? 0 : fail(-EFAULT, call, "fn does not lie in code that was mapped at brood_start() and still is");
}

static void run_accept(struct run *run)
{
	struct inline_brood *b = run->brood;

	pthread_mutex_lock(&b->lock);
	run->verdict.id = ++b->last_id;
	if (run->ret_id)
		__atomic_store_n(run->ret_id, run->verdict.id, __ATOMIC_RELEASE);
	b->stats.submitted++;
	b->stats.busy++;
	if (run->handle) {
		run->handle->verdict = run->verdict;
		list_append(&run->link, &b->open);
	}
	pthread_mutex_unlock(&b->lock);
}

/* Under the lock. */
static void handle_drop(struct inline_handle *h)
{
	if (--h->holders == 0)
		free(h);
}

static void handle_close(struct inline_handle *h, const struct brood_verdict *verdict)
{
	struct inline_brood *b = h->brood;
	uint64_t one = 1;

	h->verdict = *verdict;
	h->closed = true;
	b->stats.verdicts[verdict->outcome]++;
	b->news++;
	if (write(b->news_fd, &one, sizeof one) < 0)
		return;                /* it is readable already */
}

static void run_finish(struct run *run)
{
	struct inline_brood *b = run->brood;

	pthread_mutex_lock(&b->lock);
	list_remove(&run->link);
	b->stats.busy--;
	if (!run->handle)
		b->stats.verdicts[run->verdict.outcome]++;
	else if (!run->handle->closed)
		handle_close(run->handle, &run->verdict);
	if (run->handle && run->handle->holders == 1)
		b->stats.dropped++;
	if (run->handle)
		handle_drop(run->handle);
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* Runs it here and now. The fd is shut down and closed unless the job took it: true. */
static bool run_now(struct run *run)
{
	struct job_inline job = {
		.fd = run->fd, .id = run->verdict.id, .request_size = run->request_size, .arg = run->arg, .arg_size = run->arg_size,
		.name = run->verdict.name, .log = log_one_at_a_time, .log_context = run->brood,
	};
	uint64_t began = now_ns();
	bool took = false;

	run->verdict.code = worker_run_inline(run->fn, &job, &took);
	run->verdict.outcome = run->verdict.code ? BROOD_FAILED : BROOD_DONE;
	run->verdict.run_us = (now_ns() - began) / NS_PER_US;
	if (!took) {
		shutdown(run->fd, SHUT_RDWR);
		run->fd = close_fd(run->fd);
	}
	return took;
}

/* ---- open, give, call ---- */

static void run_free(struct run *run)
{
	free(run->handle);
	free(run);
}

static int run_new(struct inline_brood *b, const struct engine_job *job, const char *call, bool with_handle, struct run **ret_run)
{
	struct run *run = aligned_alloc(_Alignof(struct run), sizeof *run);
	int r;

	if (!run)
		return fail(-ENOMEM, call, "out of memory");
	r = run_init(run, b, job, call);
	if (r == 0 && with_handle) {
		run->handle = calloc(1, sizeof *run->handle);
		if (!run->handle)
			r = fail(-ENOMEM, call, "out of memory");
		else
			*run->handle = (struct inline_handle){ .brood = b, .holders = 2 };
	}
	if (r < 0)
		run_free(run);
	else
		*ret_run = run;
	return r;
}

static void *open_main(void *arg)
{
	struct run *run = arg;

	run_now(run);
	run_finish(run);
	free(run);
	return NULL;
}

static void run_unaccept(struct run *run)
{
	struct inline_brood *b = run->brood;

	pthread_mutex_lock(&b->lock);
	list_remove(&run->link);
	b->stats.busy--;
	b->stats.submitted--;
	pthread_mutex_unlock(&b->lock);
}

static int open_start(struct run *run, int *ret_fd)
{
	pthread_t thread;
	int pair[2], r;

	r = sockets_pair(SOCK_STREAM, pair);
	if (r < 0)
		return fail(r, "brood_open", "no socketpair could be made");
	run->fd = pair[1];
	run_accept(run);
	r = thread_start(&thread, open_main, run);
	if (r < 0) {
		run_unaccept(run);
		close_fd(pair[0]);
		close_fd(pair[1]);
		return fail(r, "brood_open", "no thread could be started");
	}
	pthread_detach(thread);
	*ret_fd = pair[0];
	return 0;
}

int inline_open(struct brood *b, const struct engine_job *job, int *ret_fd, struct brood_handle **ret_handle)
{
	struct inline_handle *handle;
	struct run *run;
	int r;

	if (!ret_fd)
		return fail(-EINVAL, "brood_open", "ret_fd is NULL");
	r = run_new(mine(b), job, "brood_open", ret_handle != NULL, &run);
	if (r < 0)
		return r;
	handle = run->handle;
	r = open_start(run, ret_fd);
	if (r < 0) {
		run_free(run);
		return r;
	}
	if (ret_handle)
		*ret_handle = (struct brood_handle *)handle;
	return 0;
}

int inline_give(struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle)
{
	NO_CANCELLATION;
	struct inline_handle *handle;
	struct run *run;
	int r = sockets_is_stream_socket(fd);

	if (r < 0)
		return fail(r == -EPROTOTYPE ? -ENOTSOCK : r, "brood_give", "fd is no connected stream socket");
	r = run_new(mine(b), job, "brood_give", ret_handle != NULL, &run);
	if (r < 0)
		return r;
	handle = run->handle;
	run->fd = fd;
	run_accept(run);
	run_now(run);
	run_finish(run);
	free(run);
	if (ret_handle)
		*ret_handle = (struct brood_handle *)handle;
	return 0;
}

struct pump { int fd; const char *request; size_t left; char *reply; size_t room, received; };

static bool pump_read(struct pump *p)
{
	char spill[16384];
	ssize_t n = p->room > 0 ? recv(p->fd, p->reply, p->room, MSG_DONTWAIT) : recv(p->fd, spill, sizeof spill, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0 && p->room > 0) {
		p->reply += n;
		p->room -= (size_t)n;
	}
	p->received += (size_t)n;
	return n > 0;
}

/* What the job does not want to read is no error. */
static void pump_write(struct pump *p)
{
	ssize_t n = p->left > 0 ? send(p->fd, p->request, p->left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	p->left = n < 0 ? 0 : p->left - (size_t)n;
	p->request += n < 0 ? 0 : n;
	if (p->left == 0)
		shutdown(p->fd, SHUT_WR);
}

/* Until the reply's end: then nobody waits for the rest of the request either. */
static void *pump_main(void *arg)
{
	struct pump *p = arg;
	struct pollfd poll_fd = { .fd = p->fd };

	if (p->left == 0)
		shutdown(p->fd, SHUT_WR);
	for (;;) {
		poll_fd.events = (short)(POLLIN | (p->left > 0 ? POLLOUT : 0));
		if (poll(&poll_fd, 1, -1) < 0)
			continue;
		if (p->left > 0 && (poll_fd.revents & (POLLOUT | POLLHUP | POLLERR)))
			pump_write(p);
		if ((poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) && !pump_read(p))
			return NULL;
	}
}

static int call_run(struct run *run, const struct engine_bytes *bytes)
{
	struct pump pump = { .request = bytes->request, .left = bytes->request_size, .reply = bytes->reply, .room = bytes->reply_size };
	pthread_t thread;
	int pair[2], r = sockets_pair(SOCK_STREAM, pair);

	if (r < 0)
		return fail(r, "brood_call", "no socketpair could be made");
	pump.fd = pair[0];
	run->fd = pair[1];
	run->request_size = bytes->request_size;
	r = thread_start(&thread, pump_main, &pump);
	if (r < 0) {
		close_fd(pair[0]);
		close_fd(pair[1]);
		return fail(r, "brood_call", "no thread could be started");
	}
	run_accept(run);
	if (run_now(run))
		shutdown(pair[0], SHUT_RD);     /* taken over: no end will come by itself. What is there is read before the end */
	pthread_join(thread, NULL);
	close_fd(pair[0]);
	run->verdict.reply_size = pump.received;
	run_finish(run);
	return 0;
}

ssize_t inline_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes, struct brood_verdict *ret_verdict)
{
	NO_CANCELLATION;
	struct run run;
	int r;

	if ((bytes->request_size > 0 && !bytes->request) || (bytes->reply_size > 0 && !bytes->reply))
		return fail(-EINVAL, "brood_call", "request or reply is NULL, but its size is not 0");
	r = run_init(&run, mine(b), job, "brood_call");
	if (r == 0) {
		r = call_run(&run, bytes);
	} else if (r == -EFAULT) {
		run.verdict.outcome = BROOD_REFUSED;
		run.verdict.detail = BROOD_DETAIL_BAD_POINTER;
		run.verdict.attempts = run.verdict.generation = 0;
		run.verdict.pid = run.verdict.started = 0;
	}
	if (ret_verdict && (r == 0 || r == -EFAULT))
		*ret_verdict = run.verdict;
	if (r < 0)
		return r;
	if (run.verdict.reply_size > bytes->reply_size)
		return fail(-EMSGSIZE, "brood_call", "the reply was larger than reply_size: verdict.reply_size has the whole size");
	return (ssize_t)run.verdict.reply_size;
}

/* ---- Verdicts ---- */

uint64_t inline_id(const struct brood_handle *h)
{
	return ((const struct inline_handle *)h)->verdict.id;
}

int inline_fetch(struct brood_handle *handle, struct brood_verdict *ret)
{
	struct inline_handle *h = (struct inline_handle *)handle;
	int r = 0;

	pthread_mutex_lock(&h->brood->lock);
	if (!h->closed)
		r = fail(-EAGAIN, "brood_fetch", "the verdict is not there yet");
	else if (ret)
		*ret = h->verdict;
	pthread_mutex_unlock(&h->brood->lock);
	return r;
}

static struct timespec deadline(uint32_t timeout_ms)
{
	uint64_t when = time_after_ms(now_ns(), timeout_ms);

	return (struct timespec){ .tv_sec = (time_t)(when / NS_PER_S), .tv_nsec = (long)(when % NS_PER_S) };
}

int inline_wait(struct brood_handle *handle, uint32_t timeout_ms, struct brood_verdict *ret)
{
	NO_CANCELLATION;
	struct inline_handle *h = (struct inline_handle *)handle;
	struct timespec end = deadline(timeout_ms);
	int r = 0;

	pthread_mutex_lock(&h->brood->lock);
	while (!h->closed && r == 0)
		r = timeout_ms == BROOD_FOREVER ? pthread_cond_wait(&h->brood->changed, &h->brood->lock) :
		                                  pthread_cond_timedwait(&h->brood->changed, &h->brood->lock, &end);
	r = h->closed ? 0 : fail(-ETIMEDOUT, "brood_wait", "no verdict in that time");
	if (r == 0 && ret)
		*ret = h->verdict;
	pthread_mutex_unlock(&h->brood->lock);
	return r;
}

void inline_release(struct brood_handle *handle)
{
	struct inline_handle *h = (struct inline_handle *)handle;
	struct inline_brood *b = h->brood;

	pthread_mutex_lock(&b->lock);
	handle_drop(h);
	pthread_mutex_unlock(&b->lock);
}

int inline_cancel(struct brood *brood, uint64_t id)
{
	struct inline_brood *b = mine(brood);
	int r = check_open(b, "brood_cancel");

	if (r < 0)
		return r;
	r = fail(-ENOENT, "brood_cancel", "no such job is out");
	pthread_mutex_lock(&b->lock);
	list_for_each_safe(link, next, &b->open)
		if (container_of(link, struct run, link)->verdict.id == id)
			r = 0;         /* the wish: nobody here can end it */
	pthread_mutex_unlock(&b->lock);
	return r;
}

int inline_fd(struct brood *b)
{
	int r = check_open(mine(b), "brood_fd");

	return r < 0 ? r : mine(b)->news_fd;
}

int inline_dispatch(struct brood *brood)
{
	struct inline_brood *b = mine(brood);
	uint64_t value;
	int r = check_open(b, "brood_dispatch");

	if (r < 0)
		return r;
	pthread_mutex_lock(&b->lock);
	if (read(b->news_fd, &value, sizeof value) < 0 && b->news == 0)
		r = 0;
	else
		r = (int)b->news;
	b->news = 0;
	pthread_mutex_unlock(&b->lock);
	return r;
}

/* ---- The rest ---- */

int inline_wait_ready(struct brood *b)
{
	return check_open(mine(b), "brood_wait_ready");
}

/* Under the lock: what still runs is lost; its thread goes on, and what it brings is dropped. */
static int give_up(struct inline_brood *b)
{
	int r = 0;

	list_for_each_safe(link, next, &b->open) {
		struct run *run = container_of(link, struct run, link);
		struct brood_verdict verdict = run->handle->verdict;

		verdict.outcome = BROOD_LOST;
		verdict.detail = BROOD_DETAIL_STOP_TIME;
		if (!run->handle->closed)
			handle_close(run->handle, &verdict);
		r = -ETIMEDOUT;
	}
	pthread_cond_broadcast(&b->changed);
	return r;
}

static void init_free(struct inline_brood *b)
{
	worker_inline_init_data(NULL);
	while (b->init) {
		struct init_version *older = b->init->older;

		for (size_t i = 0; i < b->init->data.fds_count; i++)
			close_fd(b->init->fds[i]);
		free(b->init);
		b->init = older;
	}
}

int inline_stop(struct brood *brood)
{
	NO_CANCELLATION;
	struct inline_brood *b = mine(brood);
	const struct brood_options *o = b->options;
	struct timespec end;
	int r = check_open(b, "brood_stop"), waited = 0;

	if (r < 0)
		return r;
	end = deadline((uint32_t)MIN((uint64_t)o->drain_ms + o->stop_ms + 1000, (uint64_t)BROOD_FOREVER));
	pthread_mutex_lock(&b->lock);
	b->stopped = true;
	while (b->stats.busy > 0 && waited == 0)
		waited = pthread_cond_timedwait(&b->changed, &b->lock, &end);
	r = give_up(b);
	pthread_mutex_unlock(&b->lock);
	if (o->worker_exit)
		o->worker_exit(o->hook_context);
	if (r == 0) {
		init_free(b);
		b->news_fd = close_fd(b->news_fd);
	}
	return r < 0 ? fail(r, "brood_stop", "jobs were still running; their verdict is lost") : 0;
}

static struct init_version *init_new(const void *data, size_t size, const int *fds, size_t fds_count)
{
	struct init_version *v = calloc(1, sizeof *v + size + 1);

	if (!v)
		return NULL;
	if (size > 0)
		memcpy(v->bytes, data, size);
	for (size_t i = 0; i < fds_count; i++) {
		v->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (v->fds[i] < 0) {
			while (i > 0)
				close_fd(v->fds[--i]);
			free(v);
			return NULL;
		}
	}
	v->data = (struct brood_init_data){ .size = sizeof v->data, .data = v->bytes, .data_size = size, .fds = v->fds, .fds_count = fds_count };
	return v;
}

int inline_set_init_data(struct brood *brood, const void *data, size_t size, const int *fds, size_t fds_count)
{
	struct inline_brood *b = mine(brood);
	struct init_version *v;
	int r = check_open(b, "brood_set_init_data");

	if (r < 0)
		return r;
	if ((size > 0 && !data) || (fds_count > 0 && !fds))
		return fail(-EINVAL, "brood_set_init_data", "data or fds is NULL, but its count is not 0");
	if (fds_count > BROOD_INIT_FDS_MAX || size > (size_t)1 << 30)
		return fail(-E2BIG, "brood_set_init_data", "at most BROOD_INIT_FDS_MAX fds and 1 GiB");
	v = init_new(data, size, fds, fds_count);
	if (!v) {
		r = errno ? -errno : -ENOMEM;
		return fail(r, "brood_set_init_data", "no memory, or an fd could not be copied");
	}
	/* Former versions stay: a job may use them, "the worker's for life". */
	pthread_mutex_lock(&b->lock);
	v->older = b->init;
	v->data.version = b->init ? b->init->data.version + 1 : 1;
	b->init = v;
	r = (int)v->data.version;
	worker_inline_init_data(&v->data);
	pthread_mutex_unlock(&b->lock);
	return r;
}

/* In inline mode the program is its own main process: it may talk to systemd itself. */
int inline_notify(struct brood *b)
{
	return check_open(mine(b), "brood_notify");
}

int inline_stats(struct brood *brood, struct brood_stats *ret)
{
	struct inline_brood *b = mine(brood);
	int r = check_open(b, "brood_stats");

	if (r < 0)
		return r;
	if (!ret)
		return fail(-EINVAL, "brood_stats", "ret_stats is NULL");
	pthread_mutex_lock(&b->lock);
	*ret = b->stats;
	pthread_mutex_unlock(&b->lock);
	ret->size = sizeof *ret;
	ret->workers = ret->ready = 1;
	ret->idle = ret->busy == 0;
	return 0;
}
