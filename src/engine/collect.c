/* SPDX-License-Identifier: MIT */
/*
 * collect.c - what came of the jobs in a worker's ring. The ring's way up, the slot page and the
 * side socket are the worker's, and hostile: each figure is copied, then checked. The first
 * impossible figure ends the worker (leasing_distrust()). Completions are taken in order, one a
 * sequence, so a job cannot be completed twice, and a withdrawn job cannot be completed at all.
 */
#include "collect.h"

#include "leasing.h"
#include "lease_state.h"
#include "pipe.h"
#include "ring_in.h"
#include "ring_out.h"
#include "queue_jobs.h"
#include "sums.h"

#include "../pool/fate.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

static bool within(uint64_t at, uint64_t size, uint64_t bytes)
{
	return size <= bytes && at <= bytes - size;
}

int collect_completion(const struct ring_up *up, uint64_t sequence, struct ring_done *ret)
{
	struct ring_done d;

	memcpy(&d, &up->dones[sequence % RING_DEPTH], sizeof d);
	/* Keeps the compiler from reading the worker's memory again: the copy is checked. */
	__asm__ volatile("" : : "r"(&d) : "memory");
	if (d.sequence != sequence || (d.flags & ~DONE_FLAGS) || d.extra > BROOD_JOB_FDS_MAX ||
		d.ended_ns < d.began_ns)
		return -EBADMSG;
	if ((d.flags & (DONE_MEMFD | DONE_STREAM | DONE_NO_ROOM))
			? d.reply_size > (uint64_t)SSIZE_MAX
			: !within(d.reply_at, d.reply_size, RING_UP_BYTES))
		return -EBADMSG;
	if ((d.extra || (d.flags & DONE_MEMFD)) && !(d.flags & DONE_BACK))
		return -EBADMSG;
	*ret = d;
	return 0;
}

/*
 * For a job that did not come to its end: how many bytes of its reply stand in `up`, from *ret_at
 * on. 0: none, or the worker's figures are impossible.
 */
static uint32_t done_so_far(const struct ring_up *up, uint64_t sequence, uint32_t *ret_at)
{
	struct ring_done d;

	memcpy(&d, &up->dones[sequence % RING_DEPTH], sizeof d);
	__asm__ volatile("" : : "r"(&d) : "memory");
	if (d.sequence != sequence || d.flags & (DONE_MEMFD | DONE_STREAM | DONE_NO_ROOM) ||
		d.reply_size > RING_INLINE_MAX || !within(d.reply_at, d.reply_size, RING_UP_BYTES))
		return 0;
	*ret_at = d.reply_at;
	return (uint32_t)d.reply_size;
}

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

/* The reply is in a sealed memfd: it can neither shrink nor change. Unread pages cost nothing. */
static int take_memfd(struct queue_job *job, uint64_t size)
{
	if (job->reply.memfd < 0)
		return -EIO; /* the engine's limit on open files kept the fd away */
	if (!memfd_good(job->reply.memfd, size))
		return -EBADMSG;
	if (job->call && !job->call->in_place)
		return read_whole(job->reply.memfd, job->call->room,
			       MIN((size_t)size, job->call->room_size))
			? 0
			: -EIO;
	if (size == 0)
		return 0;
	job->reply.mapped = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, job->reply.memfd, 0);
	if (job->reply.mapped == MAP_FAILED) {
		job->reply.mapped = NULL;
		return -ENOMEM;
	}
	job->reply.mapped_size = (size_t)size;
	job->result.reply = job->reply.mapped;
	return 0;
}

static int take_bytes_back(struct queue_job *job, const unsigned char *from, size_t size)
{
	if (job->call && !job->call->in_place) {
		if (job->call->room_size)
			memcpy(job->call->room, from, MIN(size, job->call->room_size));
		return 0;
	}
	if (size > job->reply.buffer_size) {
		size_t want = MAX(size, (size_t)256);
		char *buffer = malloc(want);

		if (!buffer)
			return -ENOMEM;
		free(job->reply.buffer);
		job->reply.buffer = buffer;
		job->reply.buffer_size = want;
	}
	memcpy(job->reply.buffer, from, size);
	job->result.reply = job->reply.buffer;
	return 0;
}

static int take_stream(struct queue_job *job, uint64_t size)
{
	if (!job->pipe)
		/* the engine's limit on open files kept the socket away */
		return job->call ? -EIO : -EBADMSG;
	return pipe_finish(job, size) ? 0 : -EBADMSG;
}

/*
 * 0: the reply was taken, or there was no memory for it (then only its size is known). -EBADMSG:
 * the reply is nothing that an honest worker would send.
 */
static int take_reply(
	const struct lease *lease, struct queue_job *job, const struct ring_done *done)
{
	int r;

	job->result.reply = NULL;
	job->result.reply_size = (size_t)done->reply_size;
	if (done->flags & DONE_BACK && !job->reply.came)
		return -EBADMSG;
	if (job->reply.fds && job->reply.fds->count) {
		if (job->reply.fds->count != done->extra)
			return -EBADMSG;
		job->result.fds = job->reply.fds->fds;
		job->result.fds_count = job->reply.fds->count;
	}
	if (done->flags & DONE_NO_ROOM)
		r = -ENOMEM;
	else if (done->flags & DONE_STREAM)
		r = take_stream(job, done->reply_size);
	else if (done->flags & DONE_MEMFD)
		r = take_memfd(job, done->reply_size);
	else
		r = done->reply_size || (job->call && !job->call->in_place)
			? take_bytes_back(
				  job, lease->up->bytes + done->reply_at, (size_t)done->reply_size)
			: 0;
	job->reply.lost = r == -ENOMEM || r == -EIO;
	return r == -EBADMSG ? r : 0;
}

void collect_so_far(const struct lease *lease, struct queue_job *job)
{
	uint32_t at, size = done_so_far(lease->up, job->sequence, &at);
	uint64_t piped = pipe_so_far(job);

	if (piped > 0)
		job->result.reply_size = (size_t)piped;
	else if (size > 0 && take_bytes_back(job, lease->up->bytes + at, size) == 0)
		job->result.reply_size = size;
}

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
		.word = SLOT_PAGE_WORD(done->sequence, SLOT_PAGE_DONE) };

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (done->flags & refusals[i][0])
			said.flags |= refusals[i][1];
	fate_decide(&facts, v);
}

void collect_worker(const struct lease *lease, struct brood_verdict *v)
{
	v->pid = lease->pid;
	v->slot = lease->slot;
	v->generation = lease->generation;
	v->path = BROOD_PATH_LEASE;
}

/* A worker may lie about times: they are bounded by what the engine knows. */
static void times(struct queue *l, const struct queue_job *job, const struct ring_done *done,
	uint64_t now, struct brood_verdict *v)
{
	uint64_t given = MIN(job->given_ns, now), began = MIN(MAX(done->began_ns, given), now),
		 ended = MIN(MAX(done->ended_ns, began), now);

	v->queue_us = (began - given) / NS_PER_US;
	v->run_us = (ended - began) / NS_PER_US;
	if (v->started)
		status_times(SUMS_PLACE(l, job->pool), began - given, ended - began);
}

/* A running mean. One run without a CPU must not make a function long; several runs do. */
uint32_t collect_learn(uint32_t est_ns, uint64_t ran_ns)
{
	uint64_t ran = MIN(ran_ns, (uint64_t)PICK_UNKNOWN - 1);

	if (est_ns != PICK_UNKNOWN)
		ran = MIN(ran, (uint64_t)est_ns * 4 + 10000);
	return est_ns == PICK_UNKNOWN ? (uint32_t)ran : (uint32_t)(est_ns - est_ns / 8 + ran / 8);
}

static void learn(struct queue_job *job, const struct ring_done *done)
{
	struct function *f = (struct function *)(uintptr_t)job->function;
	const uint64_t ran_ns = done->ended_ns - done->began_ns;

	f->est_ns = collect_learn(f->seen ? f->est_ns : PICK_UNKNOWN, ran_ns);
	f->seen = true;
}

/*
 * The worker had too little memory. True: the job has another attempt, without the reply of this
 * one; or its verdict, if there is no memory for another attempt.
 */
static bool again(struct lease *lease, struct queue_job *job, struct brood_verdict *v)
{
	struct queue *l = lease->queue;

	if (job->socket_job || !queue_jobs_may_retry(l, job, v))
		return false;
	job->result.reply = NULL;
	job->result.reply_size = 0;
	if (ring_out_rescue(lease, job) == 0) {
		queue_jobs_retry(l, job, v);
		ring_out_again(l, job);
		return true;
	}
	job->reply.lost = true;
	queue_jobs_close(l, job, v);
	return true;
}

/* Gives the job its verdict, or another attempt. False: what the worker wrote makes no sense. */
static bool complete(
	struct lease *lease, struct queue_job *job, const struct ring_done *done, uint64_t now)
{
	struct queue *l = lease->queue;
	struct brood_verdict *v = &job->result.verdict;

	*v = (struct brood_verdict){
		.outcome = BROOD_DONE, .started = 1, .flags = DONE_TOLD(done->flags)
	};
	collect_worker(lease, v);
	if (done->code != 0 || done->left != 0 ||
		done->flags & (DONE_REFUSED_POINTER | DONE_NO_FD | DONE_NO_PLUGIN))
		decide(done, v);
	times(l, job, done, now, v);
	v->cpu_us = done->cpu_us;
	v->peak_kb = done->peak_kb;
	if (v->detail == BROOD_DETAIL_MEMORY && again(lease, job, v))
		return true;
	if (take_reply(lease, job, done) < 0)
		return false;
	if (done->flags & DONE_NO_FD && !(job->limits.flags & BROOD_JOB_ONCE) &&
		job->tries.moved++ < QUEUE_TAKEN_MAX && ring_out_rescue(lease, job) == 0) {
		/* This worker's limit on open files kept the fds away: another can do the job. */
		ring_out_again(l, job);
		return true;
	}
	learn(job, done);
	queue_jobs_close(l, job, v);
	return true;
}

/* NULL: no job in the ring has this sequence. */
static struct queue_job *job_of(const struct lease *lease, uint64_t sequence)
{
	return sequence - lease->collected - 1 < lease->published - lease->collected
		? lease->entries[sequence % RING_DEPTH].job
		: NULL;
}

/*
 * BACK with a socket for a large reply. If the limit on open files kept the socket away, the worker
 * cannot write, and the reply is lost.
 */
static int hear_stream(struct lease *lease, struct queue_job *job, struct frame *f)
{
	int fd;

	if (!job || f->side.extra || f->header.fds != 1)
		return -EBADMSG;
	fd = frame_take_fd(f, 0);
	return fd >= 0 && pipe_take(lease->queue, job, fd) == -EBADMSG ? -EBADMSG : 0;
}

static int hear_back(struct lease *lease, struct frame *f)
{
	struct queue_job *job = job_of(lease, f->side.sequence);
	size_t first = f->side.flags & SIDE_MEMFD ? 1 : 0;

	if (f->side.flags & SIDE_STREAM)
		return hear_stream(lease, job, f);
	if (!job || job->reply.came || f->side.extra > BROOD_JOB_FDS_MAX ||
		f->header.fds != first + f->side.extra)
		return -EBADMSG;
	job->reply.came = true;
	if (first)
		job->reply.memfd = frame_take_fd(f, 0);
	if (!f->side.extra || f->fds_lost)
		return 0; /* the limit on open files may have kept some fds away: then keep none */
	job->reply.fds = calloc(1, sizeof *job->reply.fds);
	for (size_t i = 0; job->reply.fds && i < f->side.extra; i++)
		job->reply.fds->fds[job->reply.fds->count++] = frame_take_fd(f, first + i);
	return 0;
}

static int hear(struct lease *lease, struct frame *f)
{
	struct queue_job *job;

	switch (f->header.type) {
	case MESSAGE_BACK: return hear_back(lease, f);
	case MESSAGE_PROGRESS:
		job = job_of(lease, f->progress.sequence);
		if (f->progress.size > BROOD_PROGRESS_MAX)
			return -EBADMSG;
		if (job)
			queue_jobs_progress(lease->queue, job, &f->progress);
		return 0;
	default: return -EBADMSG;
	}
}

/*
 * The side socket has ended: the worker died, left, or a job shut the socket down. In the last case
 * the worker is well, and does not know that it gets no more jobs.
 */
static void side_ended(struct lease *lease)
{
	ring_out_all(lease);
	if (!lease->news.has_over && !atomic_load(&lease->lease_page->leaving))
		leasing_end(lease);
}

void collect_side(struct lease *lease)
{
	struct frame f;
	int r = 1;

	if (!identity_is(lease->side.fd, &lease->side.identity))
		return;
	while (r > 0 && !lease->damaged) {
		r = frame_receive(lease->side.fd, &f, MSG_DONTWAIT);
		if (r == 1) {
			r = hear(lease, &f) < 0 ? -EBADMSG : 1;
			frame_done(&f);
		}
		if (r == -EBADMSG)
			leasing_distrust(lease);
		else if (r == 0)
			side_ended(lease);
	}
}

/*
 * The worker sends a job's fds and progress before it completes the job, so both are read from the
 * side socket first. If that socket has ended, reading it takes jobs out of the ring: if the worker
 * lies, even this job. Returns the job, or NULL.
 */
static struct queue_job *heard_out(struct lease *lease, const struct ring_done *done)
{
	struct queue_job **at = &lease->entries[done->sequence % RING_DEPTH].job;

	if ((*at)->tell.on_progress || (done->flags & DONE_BACK && !(*at)->reply.came) ||
		(done->flags & DONE_STREAM && !(*at)->pipe))
		collect_side(lease);
	return *at;
}

/* retiring: the worker leaves now, and takes no other job. */
static bool collect_one(struct lease *lease, uint64_t sequence, uint64_t now, bool *retiring)
{
	struct queue_job *job = lease->entries[sequence % RING_DEPTH].job;
	struct ring_done done;

	if (!job)
		return true; /* the job was withdrawn: the worker passed it by */
	if (collect_completion(lease->up, sequence, &done) < 0)
		return false;
	job = heard_out(lease, &done);
	if (lease->damaged || (job && !complete(lease, job, &done, now)))
		return false;
	*retiring |= done.flags & DONE_RETIRING;
	lease->stand.head_since = MIN(done.ended_ns, now);
	return true;
}

void collect_done(struct lease *lease)
{
	struct queue *l = lease->queue;
	bool retiring = false;
	uint64_t done, now;

	if (lease->state == LEASE_ASKED || lease->damaged)
		return;
	done = atomic_load_explicit(&lease->up->done, memory_order_acquire);
	if (done == lease->collected || (done == 0 && lease->collected == lease->base))
		return;
	/* the worker's count went back, or beyond the jobs that it was given */
	if (done - lease->collected > lease->published - lease->collected) {
		leasing_distrust(lease);
		return;
	}
	now = now_ns();
	l->leases.stalled -= lease->stand.stalled;
	lease->stand.stalled = false;
	while (lease->collected != done) {
		uint64_t sequence = lease->collected + 1;

		if (sequence != done)
			lease_fetch(lease, sequence + 1);
		if (!collect_one(lease, sequence, now, &retiring)) {
			leasing_distrust(lease);
			return;
		}
		lease->collected = sequence;
	}
	atomic_store_explicit(&lease->down->collected, done, memory_order_release);
	if (l->kind == QUEUE_CALLERS)
		ring_in_to_tell(lease);
	if (lease->published == lease->collected && lease->state == LEASE_ACTIVE &&
		list_empty(&lease->idle)) {
		list_insert(&lease->idle, &l->leases.idle);
		l->leases.busy--;
	}
	/*
	 * Only after the lease was counted as idle: ring_out_all() takes a lease with an empty ring
	 * off the idle ones, not off the busy ones.
	 */
	if (retiring)
		ring_out_all(lease);
}

void collect_told(struct lease *lease)
{
	collect_done(lease);
	if (!lease->queue->sleep.all_tell || lease->state == LEASE_ASKED || lease->damaged)
		return;
	atomic_store(&lease->down->collected, lease->collected);
	if (atomic_load(&lease->up->done) != lease->collected)
		collect_done(lease);
}

void collect_event(struct queue *l, uint64_t data)
{
	uint32_t index = (uint32_t)data >> 4;
	struct lease *lease = index < l->leases.table_size ? l->leases.table[index] : NULL;

	if (!lease || lease->serial != (uint32_t)(data >> 32))
		return;
	if (QUEUE_EVENT_KIND(data) == QUEUE_EVENT_DONE)
		collect_told(lease);
	else
		collect_side(lease);
}
