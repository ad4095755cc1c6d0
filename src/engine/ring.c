/* SPDX-License-Identifier: MIT */
/*
 * ring.c - jobs into a worker's ring, and what came of them out of it. wire/ring.h has the
 * protocol, this file the engine's half.
 *
 * Down is ours alone: what stands there is what we wrote. Up, the desk and the link are the
 * worker's, and hostile: each figure is copied, then checked against what can be; the first that
 * cannot ends the worker (settle_damaged). A completion is taken in order, one a sequence, so that
 * a job cannot be completed twice, nor one that was withdrawn.
 *
 * The bytes of a request stay in the ring until its job has its verdict: when the worker dies they
 * are taken from there for another one.
 */
#include "../pool/fate.h"
#include "lane.h"
#include "pipe.h"
#include "side.h"

#include "../os/futex.h"
#include "../os/shm.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SAY_EVERY 8 /* of jobs that say that more are to come */

/* ---- into it ---- */

static void copy_pieces(unsigned char *to, const struct given *order)
{
	for (size_t i = 0; i < order->request_count; i++) {
		if (order->request[i].iov_len)
			memcpy(to, order->request[i].iov_base, order->request[i].iov_len);
		to += order->request[i].iov_len;
	}
}

/* Room for argument and request, and both copied. */
static int put_bytes(struct lease *lease, const struct lane_job *job, const struct given *order,
	struct ring_entry *entry)
{
	struct ring_space *space = &lease->space, before = *space;
	uint32_t request = (uint32_t)lane_job_bytes(job);
	int64_t arg_at = 0, request_at = 0;
	uint64_t end;

	if (job->arg_size)
		arg_at = ring_space_take(space, job->arg_size, 64, &end);
	if (request && arg_at >= 0)
		request_at = ring_space_take(space, request, 64, &end);
	if (arg_at < 0 || request_at < 0) {
		*space = before;
		return -ENOBUFS;
	}
	entry->arg_at = (uint32_t)arg_at;
	entry->arg_size = (uint16_t)job->arg_size;
	entry->plugin_size = (uint16_t)job->plugin_size;
	entry->request_at = (uint32_t)request_at;
	if (job->arg_size)
		memcpy(lease->down->bytes + arg_at, order ? order->arg : job->bytes, job->arg_size);
	if (request && order)
		copy_pieces(lease->down->bytes + request_at, order);
	else if (request)
		memcpy(lease->down->bytes + request_at, job->bytes + job->arg_size, request);
	return 0;
}

static void put_entry(struct lease *lease, struct ring_entry *entry, const struct lane_job *job,
	uint64_t sequence)
{
	const struct function **named = &lease->named[sequence % RING_DEPTH];

	entry->sequence = sequence;
	entry->id = job->id;
	entry->fn = (uint64_t)(uintptr_t)job->function->fn;
	entry->request_size = job->request_size;
	entry->run_ms = job->run_ms;
	entry->job_flags = job->job_flags;
	entry->attempt = job->attempts;
	entry->flags = (job->waited ? RING_CALL : 0) | (job->piped ? RING_WITH | RING_STREAM : 0) |
		(job->memfd >= 0 ? RING_WITH | RING_MEMFD : 0) |
		(job->socket >= 0 ? RING_WITH | RING_SOCKET | (job->own_pair ? RING_OWN_PAIR : 0)
				  : 0) |
		(job->extra ? RING_WITH : 0) | (side_needed(job) ? RING_FDS : 0) |
		(lease->lane->kind == LANE_CALLERS ? RING_CALLER : 0);
	entry->extra = (uint16_t)(job->extra ? job->extra->count : 0);
	if (*named == job->function && !job->own_function)
		return;
	memcpy(entry->name, job->function->name, sizeof entry->name);
	*named = job->own_function ? NULL : job->function;
}

static void due_with(struct lease *lease, const struct lane_job *job)
{
	uint64_t due = time_after_ms(job->given_ns, job->run_ms);

	lease->look_due = MIN(lease->look_due, due);
}

static void publish(struct lease *lease, struct lane_job *job, uint64_t sequence)
{
	struct ledger_entry *said = &lease->ledger->entries[sequence % RING_DEPTH];
	struct lane *l = lease->lane;

	said->id = job->id;
	said->run_ms = job->run_ms;
	said->grace_ms = job->grace_ms;
	said->flags = job->job_flags;
	/* somebody sleeps who did not know of this one */
	if (l->leader && l->kind != LANE_CALLERS)
		atomic_store_explicit(&l->control->listening, 1, memory_order_relaxed);
	atomic_store_explicit(&lease->up->claims[sequence % RING_DEPTH],
		CLAIM_WORD(sequence, CLAIM_QUEUED), memory_order_relaxed);
	if (l->kind == LANE_CALLERS) {
		/* said with those of others, once the lock is free */
		caller_ringed(lease, job, sequence);
		return;
	}
	due_with(lease, job);
	if (!(job->job_flags & BROOD_JOB_MORE) || ++lease->unsaid >= SAY_EVERY)
		ring_say(lease);
}

/*
 * Of callers' jobs few are said at a time, so that the queue is here, where who came first is
 * first. Else the worker does all jobs that it finds, and wakes as many threads at once; which of
 * them run first is the kernel's choice, and some wait for milliseconds while others call again and
 * again.
 */
static uint64_t may_say(struct lease *lease)
{
	uint64_t to = MIN(lease->published, lease->harvested + CALLERS_AHEAD);

	if (lease->said <= lease->harvested && to > lease->said)
		lease->head_since = now_ns(); /* it could not begin before */
	for (uint64_t q = lease->said + 1; q <= to; q++)
		if (lease->jobs[q % RING_DEPTH])
			due_with(lease, lease->jobs[q % RING_DEPTH]);
	return to;
}

/*
 * What is in the ring is said to the worker. One store, and one look at two words that others
 * write, for several jobs when more are to come.
 */
void ring_say(struct lease *lease)
{
	uint64_t look_at,
		to = lease->lane->kind == LANE_CALLERS ? may_say(lease) : lease->published;

	if (lease->said >= to || lease->damaged)
		return;
	lease->said = to;
	lease->unsaid = 0;
	atomic_store_explicit(&lease->ledger->published, to, memory_order_release);
	atomic_store(&lease->down->published, to);
	lease->to_wake |= atomic_load(&lease->desk->asleep) != 0;
	look_at = atomic_load(&lease->ledger->look_at);
	if (lease->look_due < look_at)
		loan_look(lease);
	lease->look_due = TIME_NEVER;
}

int ring_publish(struct lease *lease, struct lane_job *job, const struct given *order)
{
	uint64_t sequence = lease->published + 1;
	struct ring_entry *entry = &lease->down->entries[sequence % RING_DEPTH];
	struct lane *l = lease->lane;
	uint32_t cost = pick_estimate(job->function->est_ns);
	struct ring_space before = lease->space;
	int r;

	if (ring_used(lease) >= RING_DEPTH)
		return -ENOBUFS;
	if (!job->piped)
		pipe_free(l, job); /* that for the reply of an attempt before */
	r = put_bytes(lease, job, order, entry);
	if (r < 0)
		return r;
	job->attempts++;
	put_entry(lease, entry, job, sequence);
	if ((entry->flags & RING_WITH) && (r = side_send(lease, job, sequence)) < 0) {
		lease->space = before;
		job->attempts--;
		return r;
	}
	if (ring_used(lease) == 0) {
		/* one of the queue may have waited for long */
		lease->head_since = order ? job->given_ns : now_ns();
		list_remove(&lease->idle);
		l->busy++;
	}
	job->state = JOB_RINGED;
	lane_out_of_backlog(l, job);
	job->lease = lease;
	job->sequence = sequence;
	lease->published = sequence;
	lease->jobs[sequence % RING_DEPTH] = job;
	lease->ends[sequence % RING_DEPTH] = lease->space.head;
	lease->costs[sequence % RING_DEPTH] = cost;
	lease->cost_ns += cost;
	l->ringed++;
	if (job->piped)
		pipe_begin(l, job);
	publish(lease, job, sequence);
	side_sent(lease, job);
	return 0;
}

void ring_wake(struct lease *lease)
{
	lease->to_wake = false;
	atomic_fetch_add(&lease->desk->bell, 1);
	futex_wake(&lease->desk->bell, 1);
}

/* ---- back out of it ---- */

/* The bytes that only the ring has. */
static int take_bytes(struct lane_job *job, const struct lease *lease)
{
	const struct ring_entry *entry = &lease->down->entries[job->sequence % RING_DEPTH];
	size_t request = lane_job_bytes(job);

	if (job->bytes || job->arg_size + request == 0)
		return 0;
	job->bytes = malloc(job->arg_size + request);
	if (!job->bytes)
		return -ENOMEM;
	memcpy(job->bytes, lease->down->bytes + entry->arg_at, job->arg_size);
	memcpy(job->bytes + job->arg_size, lease->down->bytes + entry->request_at, request);
	return 0;
}

/* What came over the link of an attempt that is not its last. */
static void forget_back(struct lane_job *job)
{
	job->back_came = false;
	job->back_memfd = close_fd(job->back_memfd);
	job->back = job->back ? lane_fds_free(job->back) : NULL;
	job->result.fds = NULL;
	job->result.fds_count = 0;
}

static void forget(struct lease *lease, struct lane_job *job)
{
	uint64_t at = job->sequence % RING_DEPTH;

	lease->jobs[at] = NULL;
	lease->cost_ns -= lease->costs[at];
	lease->costs[at] = 0;
	lease->lane->ringed--;
	job->lease = NULL;
	job->state = JOB_NEW;
}

int ring_withdraw(struct lease *lease, struct lane_job *job)
{
	int r = take_bytes(job, lease);

	if (r < 0)
		return r;
	if (!claim_swap(lease->up, job->sequence, CLAIM_WITHDRAWN))
		return -EBUSY;
	side_take_back(lease, job);
	if (lease->lane->kind == LANE_CALLERS)
		caller_unringed(lease, job);
	forget(lease, job);
	forget_back(job);
	job->attempts--; /* no worker has seen it */
	return 0;
}

int ring_rescue(struct lease *lease, struct lane_job *job)
{
	int r = take_bytes(job, lease);

	side_take_back(lease, job);
	if (lease->lane->kind == LANE_CALLERS)
		caller_unringed(lease, job);
	forget(lease, job);
	forget_back(job);
	return r;
}

/* ---- replies ---- */

static bool memfd_good(int fd, uint64_t size)
{
	const int need = F_SEAL_SHRINK | F_SEAL_WRITE;
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & need) == need && fstat(fd, &st) == 0 && st.st_size >= 0 &&
		(uint64_t)st.st_size == size;
}

static bool read_whole(int fd, char *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, to + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* A reply in a memfd of the worker's, sealed, so that it can neither shrink nor change under us. */
static int take_memfd(struct lane_job *job, uint64_t size)
{
	if (job->back_memfd < 0)
		return -EIO; /* lost on the way: our limit on open files */
	if (!memfd_good(job->back_memfd, size))
		return -EBADMSG;
	if (job->waited)
		return read_whole(job->back_memfd, job->room, MIN((size_t)size, job->room_size))
			? 0
			: -EIO;
	if (size == 0)
		return 0;
	job->mapped = mmap(
		NULL, (size_t)size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, job->back_memfd, 0);
	if (job->mapped == MAP_FAILED) {
		job->mapped = NULL;
		return -ENOMEM;
	}
	job->mapped_size = (size_t)size;
	job->result.reply = job->mapped;
	return 0;
}

static int take_bytes_back(struct lane_job *job, const unsigned char *from, size_t size)
{
	if (job->waited) {
		if (job->room_size)
			memcpy(job->room, from, MIN(size, job->room_size));
		return 0;
	}
	if (size > job->buffer_size) {
		size_t want = MAX(size, (size_t)256);
		char *buffer = malloc(want);

		if (!buffer)
			return -ENOMEM;
		free(job->buffer);
		job->buffer = buffer;
		job->buffer_size = want;
	}
	memcpy(job->buffer, from, size);
	job->result.reply = job->buffer;
	return 0;
}

static int take_stream(struct lane_job *job, uint64_t size)
{
	if (!job->pipe)
		/* lost on the way: our limit on open files */
		return job->waited ? -EIO : -EBADMSG;
	return pipe_finish(job, size) ? 0 : -EBADMSG;
}

/*
 * 0, also when there was no memory for it (then the reply is not there, but its size is); -EBADMSG:
 * no worker of ours would.
 */
static int take_reply(const struct lease *lease, struct lane_job *job, const struct ring_done *done)
{
	int r;

	job->result.reply = NULL;
	job->result.reply_size = (size_t)done->reply_size;
	if (done->flags & DONE_BACK && !job->back_came)
		return -EBADMSG;
	if (job->back && job->back->count) {
		if (job->back->count != done->extra)
			return -EBADMSG;
		job->result.fds = job->back->fds;
		job->result.fds_count = job->back->count;
	}
	if (done->flags & DONE_NO_ROOM)
		r = -ENOMEM;
	else if (done->flags & DONE_STREAM)
		r = take_stream(job, done->reply_size);
	else if (done->flags & DONE_MEMFD)
		r = take_memfd(job, done->reply_size);
	else
		r = done->reply_size || job->waited
			? take_bytes_back(
				  job, lease->up->bytes + done->reply_at, (size_t)done->reply_size)
			: 0;
	job->reply_lost = r == -ENOMEM || r == -EIO;
	return r == -EBADMSG ? r : 0;
}

void ring_so_far(const struct lease *lease, struct lane_job *job)
{
	uint32_t at, size = ring_done_so_far(lease->up, job->sequence, &at);
	uint64_t piped = pipe_so_far(job);

	if (piped > 0)
		job->result.reply_size = (size_t)piped;
	else if (size > 0 && take_bytes_back(job, lease->up->bytes + at, size) == 0)
		job->result.reply_size = size;
}

/* ---- verdicts ---- */

static const uint32_t refusals[][2] = {
	{ DONE_REFUSED_POINTER, FINISHED_REFUSED_POINTER },
	{ DONE_NO_FD, FINISHED_NO_FD },
	{ DONE_NO_PLUGIN, FINISHED_NO_PLUGIN },
	{ DONE_MEMORY, FINISHED_MEMORY },
};

static void decide(const struct ring_done *done, struct brood_verdict *v)
{
	struct message_finished said = {
		.code = done->code, .left = done->left, .told = DONE_TOLD(done->flags)
	};
	struct fate_facts facts = { .finished = &said,
		.sequence = done->sequence,
		.word = DESK_WORD(done->sequence, DESK_DONE) };

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (done->flags & refusals[i][0])
			said.flags |= refusals[i][1];
	fate_decide(&facts, v);
}

void ring_verdict_of(const struct lease *lease, struct brood_verdict *v)
{
	v->pid = lease->pid;
	v->slot = lease->slot;
	v->generation = lease->generation;
	v->path = BROOD_PATH_LEASE;
}

/* A worker's times are its own word: bounded by what we know. */
static void times(const struct lane_job *job, const struct ring_done *done, uint64_t now,
	struct brood_verdict *v)
{
	uint64_t given = MIN(job->given_ns, now), began = MIN(MAX(done->began_ns, given), now),
		 ended = MIN(MAX(done->ended_ns, began), now);

	v->queue_us = (began - given) / NS_PER_US;
	v->run_us = (ended - began) / NS_PER_US;
}

static void learn(struct lane_job *job, const struct ring_done *done)
{
	struct function *f = (struct function *)(uintptr_t)job->function;

	f->est_ns = pick_learn(f->est_ns, done->ended_ns - done->began_ns);
}

/* false: damaged. */
static bool complete(
	struct lease *lease, struct lane_job *job, const struct ring_done *done, uint64_t now)
{
	struct lane *l = lease->lane;
	struct brood_verdict *v = &job->result.verdict;

	if (take_reply(lease, job, done) < 0)
		return false;
	*v = (struct brood_verdict){ .outcome = BROOD_DONE,
		.started = 1,
		.pid = lease->pid,
		.slot = lease->slot,
		.generation = lease->generation,
		.path = BROOD_PATH_LEASE,
		.flags = DONE_TOLD(done->flags) };
	if (done->code != 0 || done->left != 0 ||
		done->flags & (DONE_REFUSED_POINTER | DONE_NO_FD | DONE_NO_PLUGIN))
		decide(done, v);
	times(job, done, now, v);
	v->cpu_us = done->cpu_us;
	v->peak_kb = done->peak_kb;
	if (done->flags & DONE_NO_FD && !(job->job_flags & BROOD_JOB_ONCE) &&
		job->moved++ < LANE_TAKEN_MAX && ring_rescue(lease, job) == 0) {
		lane_wait_for(l, job, true); /* this worker's trouble: another one can */
		return true;
	}
	learn(job, done);
	if (job->lease)
		forget(lease, job);
	lane_close(l, job, v);
	return true;
}

/*
 * What it sent over the link it sent before its end. A link that has ended may take jobs out of the
 * ring, of a worker that lies even this one.
 */
static struct lane_job *heard_out(struct lease *lease, const struct ring_done *done)
{
	struct lane_job **at = &lease->jobs[done->sequence % RING_DEPTH];

	if ((*at)->on_progress || (done->flags & DONE_BACK && !(*at)->back_came) ||
		(done->flags & DONE_STREAM && !(*at)->pipe))
		ring_hear(lease);
	return *at;
}

/* retiring: its worker leaves now, and takes no other job. */
static bool harvest_one(struct lease *lease, uint64_t sequence, uint64_t now, bool *retiring)
{
	struct lane_job *job = lease->jobs[sequence % RING_DEPTH];
	struct ring_done done;

	if (!job)
		return true; /* withdrawn: passed by */
	if (ring_done_get(lease->up, sequence, &done) < 0)
		return false;
	job = heard_out(lease, &done);
	if (lease->damaged || (job && !complete(lease, job, &done, now)))
		return false;
	*retiring |= done.flags & DONE_RETIRING;
	lease->head_since = MIN(done.ended_ns, now);
	return true;
}

void ring_harvest(struct lease *lease)
{
	struct lane *l = lease->lane;
	bool retiring = false;
	uint64_t done, now;

	if (lease->state == LEASE_ASKED || lease->damaged)
		return;
	done = atomic_load_explicit(&lease->up->done, memory_order_acquire);
	if (done == lease->harvested || (done == 0 && lease->harvested == lease->base))
		return;
	/* back, or beyond what it was given */
	if (done - lease->harvested > ring_used(lease)) {
		settle_damaged(lease);
		return;
	}
	now = now_ns();
	l->stalled -= lease->stalled;
	lease->stalled = false;
	while (lease->harvested != done) {
		uint64_t sequence = lease->harvested + 1;

		if (!harvest_one(lease, sequence, now, &retiring)) {
			settle_damaged(lease);
			return;
		}
		lease->harvested = sequence;
		ring_space_release(&lease->space, lease->ends[sequence % RING_DEPTH]);
	}
	atomic_store_explicit(&lease->down->harvested, done, memory_order_release);
	l->wakes |= l->kind == LANE_CALLERS;
	if (retiring)
		settle_dying(lease);
	if (ring_used(lease) == 0 && lease->state == LEASE_ACTIVE && list_empty(&lease->idle)) {
		list_insert(&lease->idle, &l->idle);
		l->busy--;
	}
}

/* ---- the link ---- */

static bool in_ring(const struct lease *lease, uint64_t sequence)
{
	return sequence - lease->harvested - 1 < ring_used(lease);
}

/* Its fd may have been lost: then the worker's writing fails, or there is no reply. */
static int hear_stream(struct lease *lease, struct lane_job *job, struct frame *f)
{
	int fd;

	if (!job || f->link.extra || f->header.fds != 1)
		return -EBADMSG;
	fd = frame_take_fd(f, 0);
	return fd >= 0 && pipe_take(lease->lane, job, fd) == -EBADMSG ? -EBADMSG : 0;
}

static int hear_back(struct lease *lease, struct frame *f)
{
	struct lane_job *job = in_ring(lease, f->link.sequence)
		? lease->jobs[f->link.sequence % RING_DEPTH]
		: NULL;
	size_t first = f->link.flags & LINK_MEMFD ? 1 : 0;

	if (f->link.flags & LINK_STREAM)
		return hear_stream(lease, job, f);
	if (!job || job->back_came || f->link.extra > BROOD_JOB_FDS_MAX ||
		f->header.fds != first + f->link.extra)
		return -EBADMSG;
	job->back_came = true;
	if (first)
		job->back_memfd = frame_take_fd(f, 0);
	if (!f->link.extra)
		return 0;
	job->back = calloc(1, sizeof *job->back);
	for (size_t i = 0; job->back && i < f->link.extra; i++)
		job->back->fds[job->back->count++] = frame_take_fd(f, first + i);
	return 0;
}

static int hear(struct lease *lease, struct frame *f)
{
	struct lane_job *job;

	switch (f->header.type) {
	case MESSAGE_BACK: return hear_back(lease, f);
	case MESSAGE_PROGRESS:
		job = in_ring(lease, f->progress.sequence)
			? lease->jobs[f->progress.sequence % RING_DEPTH]
			: NULL;
		if (f->progress.size > BROOD_PROGRESS_MAX)
			return -EBADMSG;
		if (job)
			lane_progress(lease->lane, job, &f->progress);
		return 0;
	default: return -EBADMSG;
	}
}

/*
 * The worker has died, has left, or a job shut the link down: then the worker is well, and does not
 * know that it gets no more jobs.
 */
static void link_ended(struct lease *lease)
{
	settle_dying(lease);
	if (!lease->has_over && !atomic_load(&lease->ledger->leaving))
		loan_end(lease);
}

void ring_hear(struct lease *lease)
{
	struct frame f;
	int r = 1;

	if (!identity_is(lease->link_fd, &lease->link_identity))
		return;
	while (r > 0 && !lease->damaged) {
		r = frame_receive(lease->link_fd, &f, MSG_DONTWAIT);
		if (r == 1) {
			r = hear(lease, &f) < 0 ? -EBADMSG : 1;
			frame_done(&f);
		}
		if (r == -EBADMSG)
			settle_damaged(lease);
		else if (r == 0)
			link_ended(lease);
	}
}
