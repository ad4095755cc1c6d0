/* SPDX-License-Identifier: MIT */
/*
 * channel.c - what the supervisor says. Any thread may read, under brood.lock, one frame after the
 * other, so the order of the frames is the order of their effects. A frame that makes no sense
 * means that one of the two processes is broken: nothing that follows can be trusted, and the
 * channel counts as ended.
 */
#include "channel.h"
#include "faults.h"

#include "unsent.h"

#include "inbox.h"
#include "job_files.h"
#include "job_record.h"
#include "engine_root.h"
#include "waiter.h"
#include "wishes.h"

#include <sys/epoll.h>
#include <sys/socket.h>

static bool verdict_sane(const struct brood_verdict *v)
{
	return v->outcome >= BROOD_DONE && v->outcome < BROOD_OUTCOMES &&
		(unsigned)v->detail < BROOD_DETAILS;
}

/* Moves the fds of a reply from the frame to the job's handle. */
static void take_fds(struct brood *b, struct frame *f)
{
	struct record *record = f->header.fds ? job_record_find(b, f->verdict.verdict.id) : NULL;
	struct brood_handle *handle = record ? record->handle : NULL;

	/* If the limit on open files kept some of the reply's fds away, the caller gets none. */
	if (f->fds_lost)
		return;
	/* The handle has no fds of an earlier attempt: they were closed before this attempt. */
	for (size_t i = 0; handle && i < f->header.fds; i++)
		if (handle->reply_fds_count < BROOD_JOB_FDS_MAX)
			handle->reply_fds[handle->reply_fds_count++] = frame_take_fd(f, i);
}

static void hear_progress(struct brood *b, const struct message_progress *m)
{
	struct record *record = job_record_find(b, m->id);
	struct brood_handle *handle = record ? record->handle : NULL;

	if (!handle ||
		!progress_add(&handle->progress, handle->on_progress, handle->progress_context,
			handle->public_id, m))
		return;
	if (handle->to)
		inbox_add(handle->to, &handle->inbox, &handle->to->handles);
	else if (handle->waiter && handle->waiter != b->reader)
		waiter_poke(handle->waiter);
}

static int hear_lease(struct brood *b, const struct frame *f)
{
	bool over = f->header.type == MESSAGE_LEASE_OVER;
	struct record *record = job_record_find(b, over ? f->lease_over.id : f->granted.id);
	struct lease_news *lease = record ? record->lease : NULL;

	if (!record)
		return 0;
	if (over) {
		if (!lease)
			job_record_page_give_back(b, record->page);
		record->pool->leases_out--;
		inbox_room(&record->pool->line);
		job_record_unclaim(b, f->lease_over.id);
		if (!lease)
			return 0;
		lease->over = f->lease_over;
		lease->has_over = true;
	} else {
		answer_count(&b->shared.tally->answers.grants);
		if (f->granted.slot >= b->shared.slots)
			return -EBADMSG;
		record->pool->granted += !record->granted;
		record->granted = true;
		if (record->pool->setup->lease_wishes > 0) /* leasing.c, asked_enough() */
			inbox_room(&record->pool->line);
		if (!lease)
			return 0;
		lease->granted = f->granted;
		lease->has_granted = true;
	}
	inbox_add_lease(lease);
	return 0;
}

/* Whoever waits for the job adopts the socket, under brood.lock (transfer_adopt()). */
static void hear_socket(struct brood *b, struct frame *f)
{
	struct record *record = job_record_find(b, f->asked.socket.id);
	struct brood_handle *handle = record ? record->handle : NULL;

	if (!handle || !handle->carried || handle->socket.came)
		return;
	handle->socket = (struct transfer_news){
		.came = true, .none = f->header.fds == 0, .fd = frame_take_fd(f, 0)
	};
	if (handle->to)
		inbox_add(handle->to, &handle->inbox, &handle->to->handles);
	else if (handle->waiter && handle->waiter != b->reader)
		waiter_poke(handle->waiter);
}

static void take_reply(struct brood *b, const struct frame *f)
{
	const struct message_verdict *m = &f->verdict;
	struct record *record = m->arg_size > 0 ? job_record_find(b, m->verdict.id) : NULL;

	if (record && record->handle && record->handle->carried)
		transfer_put(record->handle->carried, frame_rest(f), m->arg_size);
}

static void hear_taken(struct brood *b, uint64_t id)
{
	struct record *record = job_record_find(b, id);

	if (record)
		job_record_files_closed(record);
}

static int hear(struct brood *b, struct frame *f)
{
	switch (f->header.type) {
	case MESSAGE_VERDICT:
		answer_count(&b->shared.tally->answers.verdicts);
		if (!verdict_sane(&f->verdict.verdict))
			return -EBADMSG;
		take_fds(b, f);
		take_reply(b, f);
		job_record_verdict(b, &f->verdict.verdict);
		return 0;
	case MESSAGE_GRANTED:
	case MESSAGE_LEASE_OVER: return hear_lease(b, f);
	case MESSAGE_WISH: wishes_hear(b, f->about.id); return 0;
	case MESSAGE_TAKEN: hear_taken(b, f->about.id); return 0;
	case MESSAGE_SOCKET: hear_socket(b, f); return 0;
	case MESSAGE_PROGRESS: hear_progress(b, &f->progress); return 0;
	case MESSAGE_POOL_READY:
	case MESSAGE_POOL_DEGRADED:
		if (f->pool.pool >= b->pools_count)
			return -EBADMSG;
		b->pools[f->pool.pool].degraded = f->header.type == MESSAGE_POOL_DEGRADED;
		b->pools[f->pool.pool].ready |= f->header.type == MESSAGE_POOL_READY;
		break;
	case MESSAGE_KEY_FAULT:
		if (f->job.pool >= b->pools_count)
			return -EBADMSG;
		faults_count(&b->pools[f->job.pool], f->job.key, f->job.given_ns);
		break;
	case MESSAGE_RELOADED:
		reloads_hear(&b->reloads, f->reload.id, f->reload.pool, f->reload.result);
		break;
	case MESSAGE_STOPPED:
		b->stopped = true;
		b->left = f->pool.left;
		break;
	default: return -EBADMSG;
	}
	waiter_poke_all(b);
	return 0;
}

void channel_unwatch(struct brood *b, int fd)
{
	if (fd >= 0)
		epoll_ctl(b->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Every queue has over_fd in its epoll. */
void channel_all_over(struct brood *b)
{
	atomic_store_explicit(&b->queues_ended, true, memory_order_release);
	if (b->epoll_fd >= 0)
		fds_poke(b->over_fd);
}

/*
 * A job whose frame never left this process was certainly not started. Whether any other job was
 * started, nobody knows: its verdict says "started", since a retry would not be safe.
 */
void channel_give_up_all(struct brood *b, enum brood_detail detail)
{
	list_for_each_safe(link, tmp, &b->out) {
		struct out *out = container_of(link, struct out, link);

		if (out->job)
			job_record_give_up(b, out->job, BROOD_LOST, detail, false);
		unsent_drop(b, out);
	}
	job_record_give_up_all(b, detail);
}

void channel_lost(struct brood *b)
{
	if (b->lost)
		return;
	b->lost = true;
	/* A damaged channel is no more use to the other side either. */
	shutdown(b->channel_fd, SHUT_RDWR);
	channel_give_up_all(b, BROOD_DETAIL_CHANNEL);
	channel_all_over(b);
	channel_unwatch(b, b->channel_fd);
	waiter_poke_all(b);
	waiter_tell_poller(b);
}

/*
 * Code that turns a program into a daemon closes all fds, also the engine's, and the files that the
 * program opens next get the same numbers. So before anything is sent, and before a thread begins
 * to read, the engine asks whether this fd still is the channel. If not, all jobs are lost, and the
 * engine touches none of its fds again.
 */
bool channel_ours(struct brood *b)
{
	if (b->lost)
		return false;
	if (identity_is(b->channel_fd, &b->channel))
		return true;
	b->channel_fd = b->log_fd = b->epoll_fd = b->news_fd = b->timer_fd = b->queues_fd =
		b->over_fd = b->unsent_fd = -1;
	b->log_ended = true;
	list_for_each_safe(link, tmp, &b->spare)
		container_of(link, struct waiter, link)->efd = -1;
	channel_lost(b);
	return false;
}

void channel_read(struct brood *b, struct waiter *reader, const struct brood_handle *until)
{
	struct waiter *before = b->reader;
	struct frame f;

	b->reader = reader;
	while (!b->lost && !(until && until->closed)) {
		int r = frame_receive(b->channel_fd, &f, MSG_DONTWAIT);

		if (fail_is_later(r))
			break;
		if (r > 0) {
			r = hear(b, &f);
			frame_done(&f);
		} else if (r == 0) {
			r = -ENOTCONN;
		}
		if (r < 0)
			channel_lost(b);
	}
	job_files_tell(b);
	b->reader = before;
}

void channel_leave(struct brood *b)
{
	if (!b->lost)
		channel_unwatch(b, b->channel_fd);
	if (!b->log_ended)
		channel_unwatch(b, b->log_fd);
	channel_unwatch(b, b->news_fd);
	channel_unwatch(b, b->timer_fd);
}
