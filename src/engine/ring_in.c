/* SPDX-License-Identifier: MIT */
/*
 * ring_in.c - jobs into a worker's ring. wire/ring.h has the protocol, this file the engine's half
 * of the way down. Only the engine can write to that half.
 *
 * The bytes of a request stay in the ring until its job has its verdict: when the worker dies,
 * another worker gets them from there.
 */
#include "ring_in.h"

#include "caller.h"
#include "given.h"
#include "leasing.h"
#include "lease_loans.h"
#include "lease_state.h"
#include "pipe.h"
#include "engine_root.h"
#include "queue_waiting.h"
#include "side.h"

#include "../os/futex.h"

/* how many callers' jobs a worker may know of before one of them has run */
#define CALLERS_AHEAD         6
#define CALLERS_AHEAD_ONE_CPU 4 /* with one CPU no thread runs beside the worker */

#define SAY_EVERY 8 /* jobs with BROOD_JOB_MORE are told in groups of this many */
#define WAKES     8 /* how many workers are woken in one go */

#define ROUND_UP(n, to) (((n) + ((to)-1)) & ~(uint64_t)((to)-1)) /* to: a power of two */
_Static_assert(MESSAGE_ARG_MAX + 64 + RING_INLINE_MAX <= RING_DOWN_BYTES, "an empty ring has room");

static void copy_pieces(unsigned char *to, const struct given *order)
{
	for (size_t i = 0; i < order->request_count; i++) {
		if (order->request[i].iov_len)
			memcpy(to, order->request[i].iov_base, order->request[i].iov_len);
		to += order->request[i].iov_len;
	}
}

/*
 * Finds room for argument and request. An empty ring gives room at its front, where the memory is
 * warm. The room of collected jobs is given back only here, when another job needs room.
 */
static bool find_room(struct lease *lease, const struct queue_job *job, int64_t *ret_arg_at,
	int64_t *ret_request_at)
{
	struct ring_space *space = &lease->space, before = *space;
	uint32_t arg = job->arg_size, request = (uint32_t)job->inline_size;
	int64_t arg_at = 0, request_at = 0;
	uint64_t end;

	if (lease->published == lease->collected && request <= RING_INLINE_MAX) {
		space->tail = ROUND_UP(space->head, RING_DOWN_BYTES);
		request_at = (int64_t)ROUND_UP(arg, 64);
		space->head = space->tail + (uint64_t)request_at + request;
	} else {
		ring_space_give_back(space, lease->entries[lease->collected % RING_DEPTH].end);
		if (arg)
			arg_at = ring_space_take(space, arg, 64, &end);
		if (request && arg_at >= 0)
			request_at = ring_space_take(space, request, 64, &end);
	}
	if (arg_at < 0 || request_at < 0) {
		*space = before;
		return false;
	}
	*ret_arg_at = arg_at;
	*ret_request_at = request_at;
	return true;
}

/* Copies argument and request into the ring. */
static int put_bytes(struct lease *lease, const struct queue_job *job, const struct given *order,
	struct ring_entry *entry)
{
	uint32_t request = (uint32_t)job->inline_size;
	int64_t arg_at, request_at;

	if (!find_room(lease, job, &arg_at, &request_at))
		return -ENOBUFS;
	entry->arg_at = (uint32_t)arg_at;
	entry->arg_size = (uint16_t)job->arg_size;
	entry->plugin_size = (uint16_t)job->plugin_size;
	entry->tag_size = (uint16_t)job->tell.tag_size;
	entry->request_at = (uint32_t)request_at;
	if (job->arg_size)
		memcpy(lease->down->bytes + arg_at, order ? order->arg : job->bytes, job->arg_size);
	if (request && order)
		copy_pieces(lease->down->bytes + request_at, order);
	else if (request)
		memcpy(lease->down->bytes + request_at, job->bytes + job->arg_size, request);
	return 0;
}

static void put_entry(struct lease *lease, struct ring_entry *entry, const struct queue_job *job,
	uint64_t sequence)
{
	const struct function **named = &lease->entries[sequence % RING_DEPTH].named;

	entry->sequence = sequence;
	entry->id = job->id;
	entry->fn = (uint64_t)(uintptr_t)job->function->fn;
	entry->request_size = job->request_size;
	entry->run_ms = job->limits.run_ms;
	entry->job_flags = job->limits.flags;
	entry->attempt = job->tries.made;
	entry->flags = (job->call && !job->call->in_place ? RING_CALL : 0) |
		(job->piped ? RING_WITH | RING_STREAM : 0) |
		(job->fds.memfd >= 0 ? RING_WITH | RING_MEMFD : 0) |
		(job->fds.socket >= 0 ? RING_WITH | RING_FDS | RING_SOCKET : 0) |
		(job->fds.socket >= 0 && job->fds.own_pair ? RING_OWN_PAIR : 0) |
		(job->fds.extra ? RING_WITH | RING_FDS : 0) |
		(lease->queue->kind == QUEUE_CALLERS ? RING_CALLER : 0);
	entry->extra = (uint16_t)(job->fds.extra ? job->fds.extra->count : 0);
	if (*named == job->function && !job->own_function)
		return;
	memcpy(entry->name, job->function->name, sizeof entry->name);
	*named = job->own_function ? NULL : job->function;
}

static void due_with(struct lease *lease, const struct queue_job *job)
{
	const uint32_t slow_ms = lease->queue->pool->setup->own.slow_ms;
	const uint32_t run_ms = slow_ms ? MIN(slow_ms, job->limits.run_ms) : job->limits.run_ms;
	uint64_t due = time_after_ms(job->given_ns, run_ms);

	lease->told.look_due = MIN(lease->told.look_due, due);
}

/*
 * A worker is told of a few callers' jobs at a time; the others wait here, where who came first is
 * served first. A worker that knew of all jobs would do them all and wake as many threads at once.
 * Which of these run first is the kernel's choice: some would wait for milliseconds while others
 * call again and again.
 */
static uint64_t may_say(struct lease *lease)
{
	uint64_t ahead = lease->queue->brood->one_cpu ? CALLERS_AHEAD_ONE_CPU : CALLERS_AHEAD;
	uint64_t to = MIN(lease->published, lease->collected + ahead);

	if (lease->told.said <= lease->collected && to > lease->told.said)
		lease->stand.head_since = now_ns(); /* the worker could not begin the job before */
	for (uint64_t q = lease->told.said + 1; q <= to; q++)
		if (lease->entries[q % RING_DEPTH].job)
			due_with(lease, lease->entries[q % RING_DEPTH].job);
	return to;
}

/*
 * Tells the worker what is in the ring. When more jobs are to come, several share one store, and
 * one look at two words that other processes write.
 */
static void say(struct lease *lease)
{
	struct lease_page *page = lease->lease_page;
	uint64_t to = lease->queue->kind == QUEUE_CALLERS ? may_say(lease) : lease->published;
	bool early;

	if (lease->told.said >= to || lease->damaged)
		return;
	lease->told.said = to;
	lease->told.unsaid = 0;
	early = lease->told.look_due < atomic_load_explicit(&page->look_at, memory_order_relaxed);
	/*
	 * The supervisor hears of an early deadline before the worker has the job. So the deadline
	 * holds even if this process is stopped (SIGSTOP) right here.
	 */
	atomic_store_explicit(&page->published, to, memory_order_release);
	if (early)
		leasing_look(lease);
	atomic_store(&lease->down->published, to);
	lease->told.to_wake |= atomic_load(&lease->page->asleep) != 0;
	/* The supervisor may have put its next look off without seeing this job. */
	if (!early && lease->told.look_due < atomic_load(&page->look_at))
		leasing_look(lease);
	lease->told.look_due = TIME_NEVER;
}

static void publish(struct lease *lease, struct queue_job *job, uint64_t sequence)
{
	struct lease_page_entry *said = &lease->lease_page->entries[sequence % RING_DEPTH];
	struct queue *l = lease->queue;

	said->id = job->id;
	said->run_ms = job->limits.run_ms;
	said->grace_ms = job->limits.grace_ms;
	said->flags = job->limits.flags;
	/* nobody waits for the end of a conversation whose handle was released */
	atomic_store_explicit(&said->unread, !job->socket_job || job->handle, memory_order_relaxed);
	/* a thread sleeps that did not know of this job */
	if (l->sleep.leader && l->kind != QUEUE_CALLERS)
		atomic_store_explicit(&l->fds.page->listening, 1, memory_order_relaxed);
	if (l->kind == QUEUE_CALLERS) {
		/* the worker hears of this job together with others, when the lock is let go */
		caller_ringed(lease, job, sequence);
		return;
	}
	due_with(lease, job);
	if (!(job->limits.flags & BROOD_JOB_MORE) || ++lease->told.unsaid >= SAY_EVERY)
		say(lease);
}

/*
 * Notes where in the ring a new job stands. The first job makes the worker busy. A job behind
 * others is refused if it still stands there when its queue_ms are over: behind_due is the earliest
 * such time.
 */
static void stand(struct lease *lease, struct queue_job *job, const struct given *order)
{
	struct queue *l = lease->queue;

	if (lease->published != lease->collected) {
		/* A job that waited in the queue (no `order`) has its waiting_until already. */
		if (order)
			job->waiting_until = time_after_ms(job->given_ns, job->limits.queue_ms);
		l->leases.behind_due = MIN(l->leases.behind_due, job->waiting_until);
		return;
	}
	/* A job that waited in the queue may have been given long ago. */
	lease->stand.head_since = order ? job->given_ns : now_ns();
	list_remove(&lease->idle);
	l->leases.busy++;
	if (l->leases.ringed == 0)
		l->leases.behind_due = TIME_NEVER;
}

void ring_in_to_tell(struct lease *lease)
{
	struct queue *l = lease->queue;

	if (list_empty(&lease->tell))
		list_append(&lease->tell, &l->leases.tell);
	l->leases.wakes = true;
}

/* The worker is woken first: the closes of what the engine gave away take some microseconds. */
static void fds_sent(struct lease *lease, struct queue_job *job)
{
	if (lease->queue->kind != QUEUE_CALLERS)
		ring_in_flush(lease->queue);
	side_sent(lease, job);
}

int ring_in_publish(struct lease *lease, struct queue_job *job, const struct given *order)
{
	uint64_t sequence = lease->published + 1;
	struct ring_entry *entry = &lease->down->entries[sequence % RING_DEPTH];
	struct queue *l = lease->queue;
	struct ring_space before = lease->space;
	int r;

	if (lease->published - lease->collected >= RING_DEPTH)
		return -ENOBUFS;
	if (job->fds.out)
		return -EBADF; /* a worker has read the fds: they are lost */
	if (job->pipe && !job->piped)
		pipe_free(l, job); /* the pipe was for the reply of an earlier attempt */
	r = put_bytes(lease, job, order, entry);
	if (r < 0)
		return r;
	job->tries.made++;
	put_entry(lease, entry, job, sequence);
	if (job->fds.loan)
		lease_loans_put(lease, job, entry);
	if ((entry->flags & RING_WITH) && (r = side_send(lease, job, sequence)) < 0) {
		lease->space = before;
		job->tries.made--;
		return r;
	}
	stand(lease, job, order);
	job->state = JOB_RINGED;
	if (job->in_backlog)
		queue_waiting_uncount(l, job);
	job->lease = lease;
	job->sequence = sequence;
	lease->published = sequence;
	lease->entries[sequence % RING_DEPTH].job = job;
	lease->entries[sequence % RING_DEPTH].end = lease->space.head;
	lease->entries[sequence % RING_DEPTH].cost = job->function->est_ns;
	lease->cost_ns += job->function->est_ns;
	l->leases.ringed++;
	if (job->piped)
		pipe_begin(l, job);
	publish(lease, job, sequence);
	ring_in_to_tell(lease);
	if (entry->flags & RING_LOAN_FD)
		lease_loans_sent(lease, job);
	if (entry->flags & RING_FDS)
		fds_sent(lease, job);
	return 0;
}

struct lease *ring_in_idle(struct queue *l)
{
	list_for_each_safe(link, tmp, &l->leases.idle) {
		struct lease *lease = container_of(link, struct lease, idle);

		if (!atomic_load_explicit(&lease->lease_page->leaving, memory_order_relaxed))
			return lease;
	}
	return NULL;
}

/*
 * Tells workers what was published, and collects the slot pages of workers that sleep. leases.wakes
 * stays set when more than `room` of them sleep.
 */
static uint32_t take_workers(struct queue *l, struct slot_page **slot_pages, uint32_t room)
{
	uint32_t count = 0;

	l->leases.wakes = false;
	list_for_each_safe(link, tmp, &l->leases.tell) {
		struct lease *lease = container_of(link, struct lease, tell);

		if (lease->told.said != lease->published)
			say(lease);
		if (lease->told.to_wake && count == room) {
			l->leases.wakes = true;
			break;
		}
		if (lease->told.to_wake)
			slot_pages[count++] = lease->page;
		lease->told.to_wake = false;
		list_remove(link);
	}
	return count;
}

static void wake_workers(struct slot_page **slot_pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		atomic_fetch_add(&slot_pages[i]->wake, 1);
		futex_wake(&slot_pages[i]->wake, 1);
	}
}

void ring_in_flush(struct queue *l)
{
	struct slot_page *slot_pages[WAKES];

	while (l->leases.wakes)
		wake_workers(slot_pages, take_workers(l, slot_pages, WAKES));
}

bool ring_in_alone(struct queue *l, struct queue_job *job, const struct given *order)
{
	struct lease *lease;

	if (l->leases.busy > 0 || l->waiting.count > 0 || l->kind == QUEUE_PINNED ||
		job->limits.key || order->options.fds_count || order->loan ||
		order->request_size > RING_INLINE_MAX)
		return false;
	lease = ring_in_idle(l);
	job->inline_size = order->request_size;
	if (!lease || ring_in_publish(lease, job, order) < 0)
		return false;
	l->leases.warm = lease;
	if (job->call && l->kind == QUEUE_THREAD)
		ring_in_flush(l); /* the caller is the queue's only thread, and sleeps now */
	return true;
}

/* A woken worker may take this CPU. So the lock is free before: other threads may need it. */
void ring_in_leave(struct queue *l)
{
	struct slot_page *slot_pages[WAKES];
	uint32_t count = l->leases.wakes ? take_workers(l, slot_pages, WAKES) : 0;

	ring_in_flush(l);
	queue_unlock(l);
	wake_workers(slot_pages, count);
}
