/* SPDX-License-Identifier: MIT */
/*
 * job_message.c - a handed-off job on its way to the supervisor: the messages JOB and CANCEL, and
 * the reasons not to send them.
 */
#include "job_message.h"

#include "engine_root.h"
#include "faults.h"
#include "job_files.h"
#include "out.h"
#include "retries.h"
#include "sums.h"
#include "wait.h"

#include <sys/socket.h>

static size_t jobs_room(const struct brood_pool *pool)
{
	return (size_t)pool->options->workers + pool->options->backlog;
}

static int fail_full(const struct brood_pool *pool)
{
	return fail_with(-EAGAIN,
		"%zu jobs are out, as many as the pool has room for (workers + backlog): wait for "
		"a verdict, or raise options.backlog",
		jobs_room(pool));
}

int job_message_full(const struct brood_pool *pool)
{
	size_t out = atomic_load_explicit(&pool->out_count, memory_order_relaxed),
	       leases = atomic_load_explicit(&pool->leases_out, memory_order_relaxed);

	return out >= jobs_room(pool) + leases ? fail_full(pool) : 0;
}

void job_message_handle(struct brood_handle *handle, struct brood *b, const struct given *given)
{
	memset(handle, 0, sizeof *handle);
	handle->brood = b;
	handle->pool = given->pool;
	handle->given_ns = given->given_ns;
	handle->on_progress = given->options.on_progress;
	handle->progress_context = given->options.context;
	list_init(&handle->calls);
	list_init(&handle->inbox);
	list_init(&handle->kept);
	progress_init(&handle->progress);
	handle->socket.fd = -1;
	handle->tag = given_tag(given);
	given_name(handle->name, given_text(given));
}

static int job_frame(struct frame *f, const struct given *given, uint64_t id)
{
	const struct brood_job_options *o = &given->options;
	struct message_job *m = &frame_begin(f, MESSAGE_JOB)->job;

	m->id = id;
	m->fn = (uint64_t)(uintptr_t)given->job->fn;
	m->request_size = given->request_size;
	m->given_ns = given->given_ns;
	m->flags = o->flags;
	m->queue_ms = o->queue_ms;
	m->run_ms = o->run_ms;
	m->grace_ms = o->grace_ms;
	/* The supervisor retries open and give. The engine has the requests and retries calls. */
	m->retries = given->request_size == BROOD_SIZE_UNKNOWN ? o->retries : 0;
	m->retry_on = o->retry_on;
	m->pause_ms = o->retry_pause_ms;
	m->priority = o->priority;
	m->key = o->key;
	m->attempt = given->attempt;
	m->plugin_size = given->plugin_size;
	m->tag_size = given->tag_size;
	m->own_pair = given->own_pair;
	m->carried = given->carried;
	m->pool = given->pool->setup->number;
	given_name(m->name, given_text(given));
	if (!given->carried)
		f->fds[f->fds_count++] = given->fd;
	for (size_t i = 0; i < o->fds_count; i++)
		f->fds[f->fds_count++] = o->fds[i];
	if (given->carried)
		frame_append(f, given->carried_request, (size_t)given->request_size);
	return given->arg_size ? frame_append(f, given->arg, given->arg_size) : 0;
}

/*
 * A brood_cancel() that came between two attempts found no record to send CANCEL for, and only set
 * handle->cancelled. So CANCEL is sent now, for the new attempt.
 */
static void cancel_again(struct brood *b, const struct brood_handle *handle)
{
	struct record *record = handle->cancelled ? job_record_find(b, handle->id) : NULL;

	if (record)
		job_message_cancel(b, record);
}

static uint32_t files_of(const struct given *given)
{
	return !given->carried + (uint32_t)given->options.fds_count;
}

/* How many of the frame's fds are the library's: the job's socket. */
static size_t owned(const struct given *given) { return given->carried ? 0 : 1; }

/* Accepts the job. 0: the job has its record and its id from now on; -errno: refused. */
static int admit(
	struct brood *b, const struct given *given, struct brood_handle *handle, uint64_t *inout_id)
{
	int r;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	if (b->lost)
		return fail_gone();
	r = job_message_full(given->pool);
	if (r < 0)
		return r;
	r = given->options.key ? faults_refuse_locked(given->pool, given->options.key) : 0;
	if (r < 0)
		return r;
	r = job_record_claim(given->pool, handle, inout_id);
	if (r < 0)
		return r == -EEXIST ? r : fail_full(given->pool);
	job_record_find(b, *inout_id)->bytes = given->request_size != BROOD_SIZE_UNKNOWN;
	if (handle && !given->attempt)
		handle->public_id = *inout_id;
	if (given->options.ret_id && !given->attempt)
		__atomic_store_n(given->options.ret_id, *inout_id, __ATOMIC_RELEASE);
	return 0;
}

static int send_job(
	struct brood *b, const struct given *given, struct brood_handle *handle, uint64_t id)
{
	struct frame f;
	int r = job_frame(&f, given, id);

	if (r >= 0)
		r = out_send(b, &f, id, owned(given));
	if (r < 0) {
		job_record_unclaim(b, id);
		return out_failed(b, r, "giving a job to the supervisor");
	}
	job_files_sent(job_record_find(b, id), files_of(given));
	if (handle) {
		handle->id = id;
		cancel_again(b, handle);
	}
	return r;
}

static void count(const struct given *given, const struct brood_handle *handle)
{
	if (!given->attempt && !(handle && handle->to)) /* else its queue counts it */
		given->pool->counts.submitted++;
}

int job_message_send(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	uint64_t id = given->id;
	int r;

	/* A pool that stops has no room later either: admit() says so. */
	if (b->state == ENGINE_RUNNING && !job_files_may_send(given->pool, files_of(given)))
		return -EXFULL;
	r = admit(b, given, handle, &id);
	if (r == 0)
		r = send_job(b, given, handle, id);
	if (r >= 0)
		count(given, handle);
	return r;
}

/*
 * Keeps the job if the supervisor has no room for its files: JOB_MESSAGE_KEPT. 0: there is room, so
 * the caller sends the job; -errno.
 */
static int keep_if_short(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	uint64_t id = given->id;
	int r;

	if (job_files_fit(given->pool, files_of(given)))
		return 0;
	r = admit(b, given, handle, &id);
	if (r < 0)
		return r;
	handle->id = id;
	handle->files = files_of(given);
	job_files_keep(handle, time_after_ms(given->given_ns, given->options.queue_ms));
	count(given, handle);
	cancel_again(b, handle);
	return JOB_MESSAGE_KEPT;
}

/*
 * Sends a job that was kept until the supervisor had room for its files. If that fails, the record
 * stays in use: job_message_go() gives the job up.
 */
static int send_kept(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	struct frame f;
	int r = job_frame(&f, given, handle->id);

	if (r >= 0)
		r = out_send(b, &f, handle->id, owned(given));
	if (r < 0)
		return out_failed(b, r, "giving a job to the supervisor");
	job_record_unkeep(handle);
	job_files_sent(job_record_find(b, handle->id), handle->files);
	return r;
}

static int send_now(
	struct brood *b, const struct given *given, struct brood_handle *handle, bool kept)
{
	int r;

	engine_lock(b);
	if (!kept)
		r = job_message_send(b, given, handle);
	else if (!handle->is_kept)
		r = -ECANCELED;
	else if (!job_files_room(given->pool, handle->files))
		r = -EXFULL;
	else
		r = send_kept(b, given, handle);
	engine_unlock(b);
	return r;
}

static int attempt_with_socket(struct brood *b, struct given *given, struct brood_handle *handle,
	const struct engine_bytes *bytes, struct transfer *t, bool kept)
{
	int fds[2], r = sockets_pair(SOCK_STREAM, fds);

	t->reading = false;
	if (r < 0)
		return fail_system(r, "a job's socket pair");
	transfer_begin(t, fds[0], bytes);
	given->fd = fds[1];
	given->own_pair = true;
	if (t->error) {
		r = fail_system(t->error, "reading the request");
	} else {
		r = send_now(b, given, handle, kept);
	}
	if (r != 1) /* 1: the frame waits to be sent, and has the fd (unsent.c) */
		close_fd(fds[1]);
	if (r < 0) {
		t->reading = t->writing = false;
		t->fd = closing_pair_end(t->fd);
	}
	return MIN(r, 0);
}

/* A request that fits into JOB goes there, and the job gets no socket, unless it asks. */
static void choose_way(struct given *given, const struct engine_bytes *bytes)
{
	given->carried = bytes->request_size <= MESSAGE_ARG_MAX - given->arg_size;
	given->carried_request = bytes->request;
}

/* Does the work of job_message_attempt(). kept: the job was kept, and has its record already. */
static int attempt(struct brood *b, struct given *given, struct brood_handle *handle,
	const struct engine_bytes *bytes, struct transfer *t, bool kept)
{
	handle->carried = given->carried ? t : NULL;
	handle->socket = (struct transfer_news){ .fd = -1 };
	if (!given->carried)
		return attempt_with_socket(b, given, handle, bytes, t, kept);
	transfer_carry(t, bytes);
	return MIN(send_now(b, given, handle, kept), 0);
}

int job_message_attempt(struct brood *b, struct given *given, struct brood_handle *handle,
	const struct engine_bytes *bytes, struct transfer *t)
{
	int r;

	choose_way(given, bytes);
	do {
		*t = (struct transfer){
			.fd = -1, .reply = bytes->reply, .room = bytes->reply_size
		};
		engine_lock(b);
		r = keep_if_short(b, given, handle);
		engine_unlock(b);
		if (r == 0)
			r = attempt(b, given, handle, bytes, t, false);
	} while (r == -EXFULL); /* another thread took the room meanwhile */
	return r;
}

/*
 * The engine itself has no file left now. A submitted job waits on while others are out: the next
 * verdict frees a file here, too, and has the queue look again.
 */
static bool waits_on(const struct brood_handle *handle, int error)
{
	return (error == -EMFILE || error == -ENFILE) && handle->to && handle->is_kept &&
		handle->pool->files.held > 0;
}

int job_message_go(struct brood *b, struct given *given, struct brood_handle *handle,
	const struct engine_bytes *bytes, struct transfer *t)
{
	int r;

	choose_way(given, bytes);
	r = attempt(b, given, handle, bytes, t, true);
	if (r == -EXFULL)
		return JOB_MESSAGE_KEPT;
	if (r < 0 && r != -ECANCELED) {
		bool on;

		engine_lock(b);
		on = waits_on(handle, r);
		if (handle->is_kept && !on)
			job_record_give_up(
				b, handle->id, BROOD_REFUSED, BROOD_DETAIL_FD_LOST, false);
		engine_unlock(b);
		if (on)
			return JOB_MESSAGE_KEPT;
	}
	return 0;
}

/* Takes brood.lock, so that a cancel meets either this attempt or the next. */
bool job_message_again(
	struct brood *b, struct brood_handle *handle, struct queue *l, struct tries *t)
{
	bool again;

	if (!t->left)
		return false;
	engine_lock(b);
	again = !handle->cancelled && !b->lost && b->state == ENGINE_RUNNING &&
		outcome_may_again(t, &handle->verdict) &&
		retries_allow_locked(handle->pool, l, &handle->verdict);
	if (again)
		outcome_again(t, &handle->verdict);
	if (again)
		handle->closed = false;
	handle->pool->counts.retried += again;
	engine_unlock(b);
	/* the job is tried again, so the fds of this attempt's reply go to nobody */
	while (again && handle->reply_fds_count)
		closing_fd(handle->reply_fds[--handle->reply_fds_count]);
	return again;
}

/* If the last attempt did not run, but an earlier one did, the earlier attempt's verdict stands. */
void job_message_over(const struct brood_handle *handle, const struct tries *t, int r,
	struct brood_verdict *inout_verdict)
{
	if (t->ran && (r < 0 || inout_verdict->outcome == BROOD_REFUSED)) {
		engine_lock(handle->brood);
		handle->pool->counts.retried--;
		engine_unlock(handle->brood);
		*inout_verdict = t->before;
	}
	inout_verdict->started |= t->ran;
	if (r >= 0 || t->ran)
		sums_elsewhere(handle->pool, inout_verdict->outcome, inout_verdict->detail);
}

int job_message_cancel(struct brood *b, struct record *record)
{
	struct frame f;
	int r;

	if (record->cancel_sent)
		return 0;
	if (record->handle && record->handle->is_kept) {
		job_record_give_up(b, record->id, BROOD_CANCELLED, BROOD_DETAIL_NONE, false);
		job_files_gone(b);
		return 0;
	}
	frame_begin(&f, MESSAGE_CANCEL);
	f.about.id = record->id;
	r = out_send(b, &f, 0, 0);
	if (r < 0)
		return out_failed(b, r, "cancelling a job");
	record->cancel_sent = true;
	return r;
}
