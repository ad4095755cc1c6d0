/* SPDX-License-Identifier: MIT */
/* place.c - which lease takes a job, and when another lease is asked for. */
#include "place.h"

#include "inbox_look.h"
#include "engine_root.h"
#include "behind.h"
#include "faults.h"
#include "given.h"
#include "leasing.h"
#include "lease_state.h"
#include "loan.h"
#include "pipe.h"
#include "ring_in.h"
#include "ring_out.h"
#include "queue_jobs.h"
#include "queue_waiting.h"

#include "../os/shm.h"
#include "../pool/keys.h"
#include <fcntl.h>
#include <stdlib.h>

#define SCAN_MAX 8

static uint64_t least(struct queue *l, struct lease **ret)
{
	uint64_t cost = TIME_NEVER;
	uint32_t seen = 0;

	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ACTIVE ||
			lease->published - lease->collected >= RING_DEPTH ||
			atomic_load_explicit(&lease->lease_page->leaving, memory_order_relaxed))
			continue;
		if (lease->cost_ns < cost) {
			cost = lease->cost_ns;
			*ret = lease;
		}
		if (++seen == SCAN_MAX) { /* the next call looks at other leases */
			list_remove(&l->leases.list);
			list_insert(&l->leases.list, link);
			break;
		}
	}
	return cost;
}

/*
 * The one worker of a pinned lease. A job stands there only behind short jobs, so that it can still
 * be refused or cancelled at once.
 */
static struct lease *kept_one(const struct queue *l, const struct queue_job *job)
{
	struct lease *kept = l->pinned.lease;

	if (!kept || kept->state != LEASE_ACTIVE)
		return NULL;
	if (kept->published == kept->collected)
		return kept;
	return !job->alone && !(job->limits.flags & BROOD_JOB_ONCE) &&
			kept->cost_ns + job->function->est_ns <= PICK_FULL_NS
		? kept
		: NULL;
}

static struct lease *choose(struct queue *l, const struct queue_job *job)
{
	struct lease *warm = l->leases.warm, *idle = ring_in_idle(l), *other = NULL;
	struct pick_view view;

	if (idle && l->leases.busy == 0)
		return idle; /* pick_lease() would say the same: there is no job to stand behind */
	if (l->kind == QUEUE_PINNED)
		return kept_one(l, job);
	view = (struct pick_view){ .warm_cost = TIME_NEVER,
		.least_cost = TIME_NEVER,
		.idle = idle,
		.once = job->alone || (job->limits.flags & BROOD_JOB_ONCE),
		.est_ns = job->function->est_ns };
	if (warm && warm->published != warm->collected &&
		warm->published - warm->collected < RING_DEPTH &&
		!atomic_load_explicit(&warm->lease_page->leaving, memory_order_relaxed))
		view.warm_cost = warm->cost_ns;
	if (!idle)
		view.least_cost = least(l, &other);
	switch (pick_lease(&view)) {
	case PICK_WARM: return warm;
	case PICK_IDLE: return idle;
	case PICK_LEAST: return other;
	default: return NULL;
	}
}

/*
 * The lease whose worker had the key last, if the job may go there: nothing is in its ring, or
 * short jobs that take no longer than the job may wait for this worker. NULL: any lease will do.
 */
static struct lease *choose_by_key(const struct queue *l, const struct queue_job *job)
{
	struct keys_worker last;
	struct lease *lease;

	if (!keys_find(l->leases.keys, job->limits.key, &last))
		return NULL;
	lease = l->leases.table[last.place];
	if (!lease || lease->serial != last.serial || lease->state != LEASE_ACTIVE ||
		atomic_load_explicit(&lease->lease_page->leaving, memory_order_relaxed))
		return NULL;
	if (lease->published == lease->collected)
		return lease;
	return !job->alone && !(job->limits.flags & BROOD_JOB_ONCE) && !lease->stand.stalled &&
			lease->published - lease->collected < RING_DEPTH &&
			lease->cost_ns <= KEYS_BEHIND_NS && now_ns() < job->given_ns + KEYS_WAIT_NS
		? lease
		: NULL;
}

/*
 * Chooses the lease for a job with a key, and notes in the table which lease has the key now. NULL:
 * no lease can take the job now, or with *ret_over: the key is on the poison list, and the job has
 * its verdict.
 */
static struct lease *choose_with_key(struct queue *l, struct queue_job *job, bool *ret_over)
{
	struct lease *lease;

	if (faults_refuse(job->pool, job->limits.key) < 0) {
		*ret_over = true;
		queue_jobs_refuse(l, job, BROOD_DETAIL_POISONED);
		return NULL;
	}
	if (l->kind != QUEUE_PINNED && !l->leases.keys)
		l->leases.keys = calloc(1, sizeof *l->leases.keys);
	if (!l->leases.keys)
		return choose(l, job);
	lease = choose_by_key(l, job);
	if (!lease)
		lease = choose(l, job);
	if (lease)
		keys_note(l->leases.keys, job->limits.key,
			(struct keys_worker){ .place = lease->index, .serial = lease->serial });
	return lease;
}

/* True: the job is in a ring or has its verdict, and its struct may be freed. */
static bool place(struct queue *l, struct queue_job *job, const struct given *order)
{
	for (;;) {
		bool over = false;
		struct lease *lease = job->limits.key ? choose_with_key(l, job, &over)
						      : choose(l, job);
		int r;

		if (!lease)
			return over;
		r = ring_in_publish(lease, job, order);
		if (r == 0) {
			l->leases.warm = lease;
			if (!order && job->bytes) { /* the bytes are in the ring */
				free(job->bytes);
				job->bytes = NULL;
			}
			return true;
		}
		if (r == -ENOBUFS)
			return false;
		if (!fail_is_end(r)) {
			/* the job's fds can be sent to no worker */
			queue_jobs_refuse(l, job, BROOD_DETAIL_FD_LOST);
			return true;
		}
		ring_out_all(lease);
	}
}

int place_ask(struct queue *l, uint32_t limit_ms, uint32_t wait_ms)
{
	uint64_t again = l->leases.ask_again;
	int r = leasing_ask(l, limit_ms, wait_ms);

	if (r != -ENOSPC)
		return r;
	inbox_look_at_others(l);
	l->leases.ask_again = again;
	r = leasing_ask(l, limit_ms, wait_ms);
	return r == -ENOSPC ? -EAGAIN : r;
}

static void ask(struct queue *l)
{
	uint32_t more = l->kind == QUEUE_PINNED
		? 0
		: pick_more(&(struct pick_load){ .waiting = l->waiting.count,
			  .waiting_ns = l->waiting.ns,
			  .active = l->leases.active,
			  .stalled = l->leases.stalled,
			  .asked = l->leases.asked,
			  .limit = l->leases.limit });

	l->leases.ask_held = more > 0 && l->leases.ask_again && now_ns() < l->leases.ask_again;
	for (uint32_t i = 0; i < more && !l->leases.ask_held; i++) {
		int r = place_ask(l, BROOD_FOREVER, l->pool->options->queue_ms);

		l->leases.ask_held = r < 0;
		/* a queue whose request is in the supervisor's queue need not stand in line */
		if (r == -EAGAIN && l->leases.asked == 0)
			leasing_line_up(l);
	}
	if (more == 0 && l->leases.in_line)
		leasing_leave_line(l);
}

void place_waiting(struct queue *l)
{
	struct list *first;

	while ((first = rank_first(&l->waiting.ranks))) {
		struct queue_job *job = container_of(first, struct queue_job, link);
		bool background = job->limits.background;
		uint64_t until = job->waiting_until;

		queue_waiting_remove(l, job);
		job->state = JOB_NEW;
		if (!place(l, job, NULL)) {
			queue_waiting_add(l, job, true);
			job->waiting_until = until;
			l->waiting.due = MIN(l->waiting.due, until);
			break;
		}
		rank_begun(&l->waiting.ranks, background);
	}
	if (l->waiting.count == 0 && l->leases.in_line)
		leasing_leave_line(l);
	if (l->waiting.count)
		ask(l);
	else if (l->leases.asked && l->leases.active > 0 && l->kind == QUEUE_QUEUE)
		/*
		 * These leases were asked for when nobody knew how short the jobs are. Other queues
		 * may want the workers.
		 */
		leasing_unask(l);
}

/* A request that is too large for a ring goes to the worker as a memfd. */
static int make_memfd(struct queue_job *job, const struct given *given)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int fd = shm_memfd("brood-request", NULL, (size_t)given->request_size, NULL);
	off_t at = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < given->request_count; i++) {
		const char *from = given->request[i].iov_base;
		size_t left = given->request[i].iov_len;

		while (left > 0) {
			ssize_t n = pwrite(fd, from, left, at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				n = n < 0 ? -errno : -EIO;
				close_fd(fd);
				return (int)n;
			}
			from += n;
			at += n;
			left -= (size_t)n;
		}
	}
	if (fcntl(fd, F_ADD_SEALS, seals) < 0) {
		int r = -errno;

		close_fd(fd);
		return r;
	}
	job->fds.memfd = fd;
	return 0;
}

static int keep_extra(struct queue_job *job, const struct given *given)
{
	job->fds.extra = calloc(1, sizeof *job->fds.extra);
	if (!job->fds.extra)
		return -ENOMEM;
	for (uint32_t i = 0; i < given->options.fds_count; i++) {
		int fd = fds_dup_above(given->options.fds[i], 3);

		if (fd < 0)
			return fd;
		job->fds.extra->fds[job->fds.extra->count++] = fd;
	}
	job->alone = true; /* side.c explains why such a job is alone */
	return 0;
}

static int keep_bytes(struct queue_job *job, const struct given *order)
{
	size_t request = job->inline_size;
	unsigned char *at;

	if (job->bytes || job->arg_size + request == 0)
		return 0;
	at = job->bytes = malloc(job->arg_size + request);
	if (!at)
		return -ENOMEM;
	if (job->arg_size)
		memcpy(at, order->arg, job->arg_size);
	at += job->arg_size;
	for (size_t i = 0; request && i < order->request_count; i++) {
		if (order->request[i].iov_len)
			memcpy(at, order->request[i].iov_base, order->request[i].iov_len);
		at += order->request[i].iov_len;
	}
	return 0;
}

int place_keep(struct queue_job *job, const struct given *given)
{
	int r = given->options.fds_count ? keep_extra(job, given) : 0;

	job->inline_size = given->request_size;
	return r < 0 ? r : keep_bytes(job, given);
}

/* Does all that may fail, except finding a way to a worker. */
static int prepare(const struct queue *l, struct queue_job *job, const struct given *given)
{
	int r = given->options.fds_count ? keep_extra(job, given) : 0;
	bool fits = given->request_size <= RING_INLINE_MAX && !given->loan;

	job->inline_size = fits ? given->request_size : 0;
	if (given->loan) {
		job->fds.loan = loan_hold(given->loan);
		job->fds.loan_at = given->loan_at;
		return r;
	}
	if (r < 0 || l->brood->run_here || fits || given->request_size == BROOD_SIZE_UNKNOWN)
		return r;
	return job->call ? pipe_order(job, given) : make_memfd(job, given);
}

/* Puts the job into a ring, or lets it wait. 0; -errno: the caller frees the job. */
int place_give(struct queue *l, struct queue_job *job, const struct given *given)
{
	int r = prepare(l, job, given);

	if (r < 0)
		return r;
	if (l->brood->run_here)
		return l->brood->run_here(l, job, given);
	if (l->waiting.count == 0 && place(l, job, given)) {
		/* the job may stand behind one that takes long */
		if (l->leases.ringed > l->leases.busy || l->kind == QUEUE_PINNED)
			behind_watch(l);
		return 0;
	}
	if ((job->call || job->socket_job) && l->kind != QUEUE_PINNED) {
		job->in_backlog = true;
		if (atomic_fetch_add(&l->pool->queues_waiting, 1) >= l->pool->options->backlog)
			return -EAGAIN; /* freeing the job takes it off the count */
	}
	r = keep_bytes(job, given);
	if (r < 0)
		return r;
	queue_waiting_add(l, job, false);
	place_waiting(l);
	behind_watch(l);
	return 0;
}
