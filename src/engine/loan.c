/* SPDX-License-Identifier: MIT */
/*
 * loan.c - how a lease begins and ends. The engine makes all that it consists of and asks; the
 * supervisor finds a worker and says who it is (LENT); the end is the supervisor's too
 * (LEASE_OVER), whatever the reason. What it says arrives with whoever reads the channel, and waits
 * in the lane's inbox until the lane looks.
 *
 * The memory of a lease is ours: sealed before it is given away, so that nobody can shrink it under
 * us, nor write to what is only ours to write.
 */
#include "lane.h"
#include "side.h"

#include "../os/shm.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define NO_LEDGER    UINT32_MAX
#define ASK_AGAIN_MS 50 /* after what a lease is made of could not be had */

/* ---- ledgers ---- */

/*
 * Under brood.lock. A lease has its ledger alone until its lane is through with it: what is still
 * written there then harms no other.
 */
static uint32_t ledger_take(struct brood *b)
{
	for (uint32_t i = 0; i < b->shared.ledgers_count; i++) {
		uint32_t number = (b->ledger_last + 1 + i) % b->shared.ledgers_count;

		if (b->ledgers[number])
			continue;
		b->ledgers[number] = true;
		return b->ledger_last = number;
	}
	return NO_LEDGER;
}

static void ledger_give_back(struct brood *b, uint32_t number)
{
	if (number != NO_LEDGER)
		b->ledgers[number] = false;
}

/* ---- made ---- */

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
	lease->bell_fd = fds_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (lease->bell_fd < 0)
		return -errno;
	fds[LEASE_FD_BELL] = lease->bell_fd;
	fds[LEASE_FD_LANE] = lease->lane->control_fd;
	r = side_make(lease);
	fds[LEASE_FD_LINK] = lease->far_fd;
	return r;
}

static struct lease *lease_new(struct lane *l)
{
	struct lease *lease;
	uint32_t index = 0;

	while (index < l->table_size && l->table[index])
		index++;
	if (index == l->table_size || posix_memalign((void **)&lease, 64, sizeof *lease) != 0)
		return NULL;
	memset(lease, 0, sizeof *lease);
	lease->lane = l;
	lease->index = index;
	lease->serial = ++l->serial;
	lease->link_fd = lease->far_fd = lease->bell_fd = -1;
	lease->ledger_number = NO_LEDGER;
	lease->space.size = RING_DOWN_BYTES;
	list_init(&lease->link);
	list_init(&lease->idle);
	list_init(&lease->inbox);
	l->table[index] = lease;
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

/* EPOLL_CTL_DEL before close: the worker holds the same open file. */
static void drop_fds(struct lease *lease)
{
	struct lane *l = lease->lane;

	if (!l->gone && lease->state != LEASE_ASKED) {
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, lease->bell_fd, NULL);
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, lease->link_fd, NULL);
	}
	if (!l->gone) {
		close_fd(lease->bell_fd);
		side_close(lease);
	}
	lease->bell_fd = lease->link_fd = lease->far_fd = -1;
}

void loan_free(struct lease *lease)
{
	struct lane *l = lease->lane;
	struct brood *b = l->brood;

	engine_lock(b);
	list_remove(&lease->inbox);
	ledger_give_back(b, lease->ledger_number);
	engine_unlock(b);
	l->stalled -= lease->stalled;
	if (l->warm == lease)
		l->warm = NULL;
	if (l->kept == lease)
		l->kept = NULL;
	list_remove(&lease->link);
	list_remove(&lease->idle);
	drop_fds(lease);
	if (l->kind == LANE_CALLERS)
		callers_left(lease);
	unmap(lease);
	l->table[lease->index] = NULL;
	free(lease);
	lane_wake(l, &l->lookers);
}

/* ---- asked for ---- */

static bool asked_enough(const struct lane *l)
{
	const struct brood *b = l->brood;
	struct pick_room room = { .workers = b->options.workers,
		.waiting = LEASE_WAITING(b->options.workers),
		.out = (uint32_t)atomic_load_explicit(&b->leases_out, memory_order_relaxed),
		.asked = l->asked };

	return !pick_may_ask(&room);
}

/* -EAGAIN: as many are out as may be; -ENOSPC: there is no ledger for it. */
static int send_wish(
	struct lease *lease, const int fds[LEASE_FDS], uint32_t limit_ms, uint32_t wait_ms)
{
	struct lane *l = lease->lane;
	struct brood *b = l->brood;
	struct frame f;
	int r;

	if (asked_enough(l))
		return -EAGAIN;
	r = record_claim(b, NULL, &lease->id);
	if (r < 0)
		return r;
	lease->ledger_number = ledger_take(b);
	if (lease->ledger_number == NO_LEDGER) {
		record_unclaim(b, lease->id);
		return -ENOSPC;
	}
	record_find(b, lease->id)->lease = lease;
	b->leases_out++;
	frame_begin(&f, MESSAGE_LEASE);
	f.lease = (struct message_lease){ .id = lease->id,
		.given_ns = now_ns(),
		.queue_ms = wait_ms,
		.limit_ms = limit_ms,
		.flags = l->kind == LANE_KEPT ? LEASE_KEPT : 0,
		.lane = (uint32_t)l->control_fd,
		.ledger = lease->ledger_number };
	memcpy(f.fds, fds, sizeof f.fds[0] * LEASE_FDS);
	f.fds_count = LEASE_FDS;
	r = out_send(b, &f, lease->id, 0);
	if (r < 0) {
		record_unclaim(b, lease->id);
		b->leases_out--;
	}
	return r;
}

static int wish(struct lease *lease, const int fds[LEASE_FDS], uint32_t limit_ms, uint32_t wait_ms)
{
	struct brood *b = lease->lane->brood;
	int r;

	engine_lock(b);
	r = b->lost                          ? -ENOTCONN
		: b->state == ENGINE_STOPPED ? -ESHUTDOWN
					     : send_wish(lease, fds, limit_ms, wait_ms);
	engine_unlock(b);
	return r;
}

int loan_ask(struct lane *l, uint32_t limit_ms, uint32_t wait_ms)
{
	int fds[LEASE_FDS] = { -1, -1, -1, -1, -1 }, r;
	struct lease *lease;

	if (asked_enough(l)) { /* before anything is made for it */
		l->ask_again = now_ns() + LANE_TICK_MS * NS_PER_MS;
		return -EAGAIN;
	}
	lease = lease_new(l);
	if (!lease)
		return -ENOMEM;
	r = make(lease, fds);
	if (r == 0)
		r = wish(lease, fds, limit_ms, wait_ms);
	if (r == -ENOSPC) {
		lanes_tidy(l);
		r = wish(lease, fds, limit_ms, wait_ms);
	}
	if (r == -ENOSPC)
		r = -EAGAIN;
	close_fd(fds[LEASE_FD_DOWN]);
	close_fd(fds[LEASE_FD_UP]);
	if (r < 0) {
		loan_free(lease);
		l->ask_again = now_ns() + (r == -EAGAIN ? LANE_TICK_MS : ASK_AGAIN_MS) * NS_PER_MS;
		return r;
	}
	list_append(&lease->link, &l->leases);
	l->asked++;
	if (l->kind == LANE_KEPT)
		l->kept = lease;
	return 0;
}

/* ---- what is said of it; by whoever reads the channel ---- */

void lane_inbox_handle(struct brood_handle *handle)
{
	struct lane *l = handle->lane;

	if (list_empty(&handle->inbox))
		list_append(&handle->inbox, &l->handles);
	atomic_store_explicit(&l->inbox_full, true, memory_order_release);
	lane_poke(l);
}

static void to_inbox(struct lease *lease)
{
	struct lane *l = lease->lane;

	if (list_empty(&lease->inbox))
		list_append(&lease->inbox, &l->inbox);
	atomic_store_explicit(&l->inbox_full, true, memory_order_release);
	lane_poke(l);
}

int loan_heard(struct brood *b, const struct frame *f)
{
	bool over = f->header.type == MESSAGE_LEASE_OVER;
	struct record *record = record_find(b, over ? f->lease_over.id : f->lent.id);
	struct lease *lease = record ? record->lease : NULL;

	if (!record)
		return 0;
	if (over) {
		if (!lease)
			ledger_give_back(b, record->ledger);
		record_unclaim(b, f->lease_over.id);
		b->leases_out--;
		if (!lease)
			return 0;
		lease->over = f->lease_over;
		lease->has_over = true;
	} else {
		if (f->lent.slot >= b->shared.slots)
			return -EBADMSG;
		if (!lease)
			return 0;
		lease->lent = f->lent;
		lease->has_lent = true;
	}
	to_inbox(lease);
	return 0;
}

/* It never came to the supervisor. */
void loan_not_asked(struct lease *lease, enum brood_detail detail)
{
	lease->over = (struct message_lease_over){
		.id = lease->id, .how = LEASE_REFUSED, .detail = detail
	};
	lease->has_over = true;
	to_inbox(lease);
}

/* ---- in the lane ---- */

static int watch(struct lease *lease)
{
	struct lane *l = lease->lane;
	struct epoll_event bell = { .events = EPOLLIN | EPOLLET,
		.data.u64 = LANE_EVENT_LEASE(lease, LANE_EVENT_BELL) };
	struct epoll_event link = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
		.data.u64 = LANE_EVENT_LEASE(lease, LANE_EVENT_LINK) };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, lease->bell_fd, &bell) < 0 ||
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, lease->link_fd, &link) < 0)
		return -errno;
	return 0;
}

static void on_lent(struct lease *lease)
{
	struct lane *l = lease->lane;
	struct brood *b = l->brood;
	const struct message_lent *m = &lease->lent;

	lease->state = LEASE_ACTIVE;
	lease->pid = m->pid;
	lease->slot = m->slot;
	lease->generation = m->generation;
	lease->base = lease->published = lease->harvested = lease->said = m->sequence;
	lease->look_due = TIME_NEVER;
	lease->seen = m->sequence;
	lease->desk = shared_desk(&b->shared, m->slot);
	lease->ledger = shared_ledger(&b->shared, lease->ledger_number);
	atomic_store(&lease->down->harvested, m->sequence);
	l->asked--;
	l->active++;
	l->refused = BROOD_DETAIL_NONE;
	list_insert(&lease->idle, &l->idle);
	if (watch(lease) < 0) { /* no memory for it: of no use to us */
		settle_dying(lease);
		loan_end(lease);
	}
}

void loan_inbox(struct lane *l)
{
	struct brood *b = l->brood;

	for (;;) {
		struct lease *lease = NULL;
		bool lent = false, over = false;

		engine_lock(b);
		struct list *first = list_first(&l->inbox);
		if (first) {
			lease = container_of(first, struct lease, inbox);
			list_remove(first);
			lent = lease->has_lent;
			over = lease->has_over;
			lease->has_lent = false;
		}
		engine_unlock(b);
		if (!lease)
			return;
		if (lent) {
			on_lent(lease);
			lane_wake(l, &l->lookers);
		}
		if (over) {
			settle_over(lease);
			loan_free(lease);
		}
	}
}

/* ---- what the supervisor is asked to do ---- */

static void say(struct lease *lease, struct frame *f)
{
	struct brood *b = lease->lane->brood;
	int r;

	engine_lock(b);
	r = b->lost ? 0 : out_send(b, f, 0, 0);
	if (r < 0)
		out_failed(b, r, "a message about a lease");
	engine_unlock(b);
}

void loan_end(struct lease *lease)
{
	struct frame f;

	if (lease->ended_by_us)
		return;
	lease->ended_by_us = true;
	frame_begin(&f, MESSAGE_LEASE_END);
	f.lease_id.id = lease->id;
	say(lease, &f);
}

void loan_unask(struct lane *l)
{
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state == LEASE_ASKED)
			loan_end(lease);
	}
}

void loan_look(struct lease *lease)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_LOOK);
	f.lease_id.id = lease->id;
	say(lease, &f);
}

void loan_kill(struct lease *lease, uint64_t sequence, uint32_t cause)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_KILL);
	f.lease_kill.id = lease->id;
	f.lease_kill.sequence = sequence;
	f.lease_kill.cause = cause;
	say(lease, &f);
}

/* Whatever is heard of it later finds nobody. */
void loan_drop(struct lease *lease)
{
	struct brood *b = lease->lane->brood;
	struct record *record;

	engine_lock(b);
	record = record_find(b, lease->id);
	if (record && record->lease == lease) { /* until LEASE_OVER */
		record->lease = NULL;
		record->ledger = lease->ledger_number;
		lease->ledger_number = NO_LEDGER;
	}
	engine_unlock(b);
	loan_free(lease);
}

void loan_abandon(struct lease *lease)
{
	for (uint64_t q = lease->harvested + 1;
		lease->state != LEASE_ASKED && q <= lease->published; q++) {
		struct lane_job *job = lease->jobs[q % RING_DEPTH];

		if (job && !claim_swap(lease->up, q, CLAIM_WITHDRAWN))
			loan_kill(lease, q, LEASE_KILL_CANCEL);
		else if (job)
			side_take_back(lease, job);
	}
	loan_end(lease);
	loan_drop(lease);
}
