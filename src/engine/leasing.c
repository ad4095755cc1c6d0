/* SPDX-License-Identifier: MIT */
/*
 * leasing.c - how a lease begins and ends, apart from its jobs. The engine makes all that a lease
 * consists of and asks for a worker; the supervisor finds a worker and says who it is (GRANTED);
 * the supervisor ends the lease, too (LEASE_OVER), whatever the reason.
 *
 * The memory of a lease is the engine's: sealed before it is given away, so no worker can shrink it
 * under the engine, nor write to what is only the engine's to write.
 */
#include "leasing.h"

#include "caller.h"
#include "lease_loans.h"
#include "lease_state.h"
#include "out.h"
#include "job_record.h"
#include "engine_root.h"
#include "side.h"

#include "../os/shm.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define ASK_AGAIN_MS 50 /* the pause after memory or fds for a lease could not be had */

static void *map_sealed(int fd, size_t size, int seals)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return NULL;
	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		munmap(at, size);
		return NULL;
	}
	madvise(at, size, MADV_DONTFORK);
	return at;
}

static int make_memory(struct lease *lease, int fds[LEASE_FDS])
{
	fds[LEASE_FD_DOWN] = shm_memfd("brood-down", NULL, sizeof *lease->down, NULL);
	if (fds[LEASE_FD_DOWN] < 0)
		return fds[LEASE_FD_DOWN];
	fds[LEASE_FD_UP] = shm_memfd("brood-up", NULL, sizeof *lease->up, NULL);
	if (fds[LEASE_FD_UP] < 0)
		return fds[LEASE_FD_UP];
	lease->down = map_sealed(fds[LEASE_FD_DOWN], sizeof *lease->down, F_SEAL_FUTURE_WRITE);
	lease->up = map_sealed(fds[LEASE_FD_UP], sizeof *lease->up, 0);
	return lease->down && lease->up ? 0 : -ENOMEM;
}

static int make(struct lease *lease, int fds[LEASE_FDS])
{
	int r = make_memory(lease, fds);

	if (r < 0)
		return r;
	lease->done_fd = fds_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (lease->done_fd < 0)
		return -errno;
	fds[LEASE_FD_DONE] = lease->done_fd;
	fds[LEASE_FD_QUEUE] = lease->queue->fds.control;
	r = side_make(lease);
	fds[LEASE_FD_SIDE] = lease->side.far_fd;
	return r;
}

static struct lease *lease_new(struct queue *l)
{
	struct lease *lease;
	uint32_t index = l->leases.table_from;

	while (index < l->leases.table_size && l->leases.table[index])
		index++;
	if (index == l->leases.table_size ||
		posix_memalign((void **)&lease, 64, sizeof *lease) != 0)
		return NULL;
	memset(lease, 0, sizeof *lease);
	lease->queue = l;
	lease->index = index;
	lease->serial = ++l->leases.serial;
	lease->side.fd = lease->side.far_fd = lease->done_fd = -1;
	lease->news.to = &l->inbox;
	lease->news.page = RECORD_NO_PAGE;
	lease->space.size = RING_DOWN_BYTES;
	list_init(&lease->link);
	list_init(&lease->idle);
	list_init(&lease->tell);
	list_init(&lease->news.link);
	l->leases.table[index] = lease;
	l->leases.table_from = index + 1;
	return lease;
}

static void unmap(struct lease *lease)
{
	if (lease->down)
		munmap(lease->down, sizeof *lease->down);
	if (lease->up)
		munmap(lease->up, sizeof *lease->up);
	lease->down = NULL;
	lease->up = NULL;
}

/*
 * EPOLL_CTL_DEL comes before close: the worker holds the same open file, so closing it here would
 * leave it in the epoll.
 */
static void drop_fds(struct lease *lease)
{
	struct queue *l = lease->queue;

	if (!l->fds.gone && lease->state != LEASE_ASKED) {
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, lease->done_fd, NULL);
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, lease->side.fd, NULL);
	}
	if (!l->fds.gone) {
		close_fd(lease->done_fd);
		side_close(lease);
	}
	lease->done_fd = lease->side.fd = lease->side.far_fd = -1;
}

void leasing_free(struct lease *lease)
{
	struct queue *l = lease->queue;
	struct brood *b = l->brood;

	engine_lock(b);
	list_remove(&lease->news.link);
	job_record_page_give_back(b, lease->news.page);
	engine_unlock(b);
	l->leases.stalled -= lease->stand.stalled;
	if (l->leases.warm == lease)
		l->leases.warm = NULL;
	if (l->pinned.lease == lease)
		l->pinned.lease = NULL;
	list_remove(&lease->link);
	list_remove(&lease->idle);
	list_remove(&lease->tell);
	drop_fds(lease);
	if (l->kind == QUEUE_CALLERS)
		caller_lease_gone(lease);
	lease_loans_free(lease);
	unmap(lease);
	l->leases.table[lease->index] = NULL;
	l->leases.table_from = MIN(l->leases.table_from, lease->index);
	free(lease);
	queue_wake(l, &l->sleep.lookers);
}

/*
 * True: the queue may ask for no further lease now. Queues that stand before this one in the line
 * count as if they had asked. Under brood.lock.
 */
static bool asked_enough(const struct queue *l)
{
	const struct brood_pool *pool = l->pool;
	struct pick_room room = { .workers = pool->options->workers,
		.waiting = LEASE_WAITING(pool->options->workers),
		.out = (uint32_t)atomic_load_explicit(&pool->leases_out, memory_order_relaxed),
		.asked = l->leases.asked };
	uint32_t most = pool->setup->lease_wishes;

	/* a granted lease's files are its worker's: only requests have files at the supervisor */
	if (most > 0 && room.out >= pool->granted + most)
		return true;
	if (!list_empty(&pool->line.list))
		room.out += line_before(
			&pool->line, &l->inbox.place, room.workers + room.waiting, now_ns());
	return !pick_may_ask(&room);
}

static bool asked_enough_now(const struct queue *l)
{
	bool enough;

	engine_lock(l->brood);
	enough = asked_enough(l);
	engine_unlock(l->brood);
	return enough;
}

void leasing_line_up(struct queue *l)
{
	engine_lock(l->brood);
	line_join(&l->pool->line, &l->inbox.place);
	engine_unlock(l->brood);
	l->leases.in_line = true;
}

void leasing_leave_line(struct queue *l)
{
	engine_lock(l->brood);
	inbox_leave_line(&l->inbox, &l->pool->line, false);
	engine_unlock(l->brood);
	l->leases.in_line = false;
}

/* -EAGAIN: as many leases are out as may be; -ENOSPC: no lease page is free. */
static int send_wish(
	struct lease *lease, const int fds[LEASE_FDS], uint32_t limit_ms, uint32_t wait_ms)
{
	struct queue *l = lease->queue;
	struct brood *b = l->brood;
	struct record *record;
	struct frame f;
	int r;

	if (asked_enough(l))
		return -EAGAIN;
	r = job_record_claim(l->pool, NULL, &lease->news.id);
	if (r < 0)
		return r;
	lease->news.page = job_record_page_take(b);
	if (lease->news.page == RECORD_NO_PAGE) {
		job_record_unclaim(b, lease->news.id);
		return -ENOSPC;
	}
	record = job_record_find(b, lease->news.id);
	record->lease = &lease->news;
	record->is_lease = true;
	l->pool->leases_out++;
	frame_begin(&f, MESSAGE_LEASE);
	f.lease = (struct message_lease){ .id = lease->news.id,
		.given_ns = now_ns(),
		.queue_ms = wait_ms,
		.limit_ms = limit_ms,
		.flags = l->kind == QUEUE_PINNED ? LEASE_PINNED : 0,
		.queue = (uint32_t)l->fds.control,
		.lease_page = lease->news.page,
		.pool = l->pool->setup->number };
	memcpy(f.fds, fds, sizeof f.fds[0] * LEASE_FDS);
	f.fds_count = LEASE_FDS;
	r = out_send(b, &f, lease->news.id, 0);
	if (r < 0) {
		job_record_unclaim(b, lease->news.id);
		l->pool->leases_out--;
	} else {
		inbox_leave_line(&l->inbox, &l->pool->line, true);
		l->leases.in_line = false;
	}
	return r;
}

static int wish(struct lease *lease, const int fds[LEASE_FDS], uint32_t limit_ms, uint32_t wait_ms)
{
	struct brood *b = lease->queue->brood;
	int r;

	engine_lock(b);
	r = b->lost                          ? -ENOTCONN
		: b->state == ENGINE_STOPPED ? -ESHUTDOWN
					     : send_wish(lease, fds, limit_ms, wait_ms);
	engine_unlock(b);
	return r;
}

int leasing_ask(struct queue *l, uint32_t limit_ms, uint32_t wait_ms)
{
	int fds[LEASE_FDS] = { -1, -1, -1, -1, -1 }, r;
	struct lease *lease;

	if (asked_enough_now(l)) { /* checked before anything is made for the lease */
		l->leases.ask_again = now_ns() + QUEUE_TICK_MS * NS_PER_MS;
		return -EAGAIN;
	}
	lease = lease_new(l);
	if (!lease)
		return -ENOMEM;
	r = make(lease, fds);
	if (r == 0)
		r = wish(lease, fds, limit_ms, wait_ms);
	close_fd(fds[LEASE_FD_DOWN]);
	close_fd(fds[LEASE_FD_UP]);
	if (r < 0) {
		leasing_free(lease);
		l->leases.ask_again = now_ns() +
			(r == -EAGAIN || r == -ENOSPC ? QUEUE_TICK_MS : ASK_AGAIN_MS) * NS_PER_MS;
		return r;
	}
	list_append(&lease->link, &l->leases.list);
	l->leases.asked++;
	if (l->kind == QUEUE_PINNED)
		l->pinned.lease = lease;
	return 0;
}

/*
 * Sends a message about the lease. -errno: the thread that sleeps in the queue tries again, for
 * without this look, kill or end nobody would deal with the worker.
 */
static int say(struct lease *lease, uint16_t type, uint64_t sequence, uint32_t cause)
{
	struct brood *b = lease->queue->brood;
	struct frame f;
	int r;

	frame_begin(&f, type);
	f.about.id = lease->news.id;
	if (type == MESSAGE_LEASE_KILL)
		f.lease_kill = (struct message_lease_kill){
			.id = lease->news.id, .sequence = sequence, .cause = cause
		};
	engine_lock(b);
	r = b->lost ? 0 : out_send(b, &f, 0, 0);
	if (r < 0)
		out_failed(b, r, "a message about a lease");
	r = b->lost ? 0 : MIN(r, 0);
	engine_unlock(b);
	if (r < 0) {
		lease->queue->leases.unsaid = true;
		inbox_poke(&lease->queue->inbox);
	}
	return r;
}

void leasing_end(struct lease *lease)
{
	if (!lease->ended_by_us)
		lease->unsaid.end = say(lease, MESSAGE_LEASE_END, 0, 0) < 0;
	lease->ended_by_us = true;
}

void leasing_unask(struct queue *l)
{
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state == LEASE_ASKED)
			leasing_end(lease);
	}
}

void leasing_look(struct lease *lease)
{
	lease->unsaid.look = say(lease, MESSAGE_LEASE_LOOK, 0, 0) < 0;
}

void leasing_kill(struct lease *lease, uint64_t sequence, uint32_t cause)
{
	lease->unsaid.kill = say(lease, MESSAGE_LEASE_KILL, sequence, cause) < 0;
	lease->unsaid.kill_sequence = sequence;
	lease->unsaid.kill_cause = cause;
}

void leasing_say_again(struct queue *l)
{
	l->leases.unsaid = false;
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);
		struct lease_unsaid *unsaid = &lease->unsaid;

		if (lease->state == LEASE_OVER)
			continue;
		if (unsaid->end)
			unsaid->end = say(lease, MESSAGE_LEASE_END, 0, 0) < 0;
		if (unsaid->look)
			leasing_look(lease);
		if (unsaid->kill)
			leasing_kill(lease, unsaid->kill_sequence, unsaid->kill_cause);
	}
}

/* Later messages about this lease find its record, but no lease. */
void leasing_drop(struct lease *lease)
{
	struct brood *b = lease->queue->brood;
	struct record *record;

	engine_lock(b);
	record = job_record_find(b, lease->news.id);
	if (record && record->lease == &lease->news) { /* the record stays until LEASE_OVER */
		record->lease = NULL;
		record->page = lease->news.page;
		lease->news.page = RECORD_NO_PAGE;
	}
	engine_unlock(b);
	leasing_free(lease);
}

void leasing_abandon(struct lease *lease)
{
	for (uint64_t q = lease->collected + 1;
		lease->state != LEASE_ASKED && q <= lease->published; q++) {
		struct queue_job *job = lease->entries[q % RING_DEPTH].job;

		if (job && !ring_withdraw(lease->up->dones, q))
			leasing_kill(lease, q, LEASE_KILL_CANCEL);
		else if (job)
			side_take_back(lease, job);
	}
	leasing_end(lease);
	leasing_drop(lease);
}

void leasing_out_of_use(struct lease *lease)
{
	struct queue *l = lease->queue;

	if (lease->state == LEASE_ACTIVE) {
		l->leases.active--;
		l->leases.busy -= lease->published != lease->collected;
	}
	if (lease->state == LEASE_ASKED)
		l->leases.asked--;
	list_remove(&lease->idle);
	if (l->leases.warm == lease)
		l->leases.warm = NULL;
	if (l->kind == QUEUE_PINNED)
		l->pinned.over = true;
}

void leasing_distrust(struct lease *lease)
{
	if (lease->damaged)
		return;
	lease->damaged = true;
	if (lease->state == LEASE_ACTIVE) {
		leasing_out_of_use(lease);
		lease->state = LEASE_DYING;
	}
	if (!lease->news.has_over)
		leasing_kill(lease, 0, LEASE_KILL_NONSENSE);
}

/* The supervisor is gone: a worker that has not told of its job never will. */
void leasing_lost(struct lease *lease)
{
	if (lease->state != LEASE_OVER)
		leasing_out_of_use(lease);
	lease->state = LEASE_OVER;
	lease->damaged = true;
	memset(lease->entries, 0, sizeof lease->entries);
	lease->published = lease->collected;
}
