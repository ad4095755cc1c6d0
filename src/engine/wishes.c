/* SPDX-License-Identifier: MIT */
/* wishes.c - see wishes.h. */
#include "wishes.h"

#include "engine_root.h"
#include "inbox.h"
#include "job_files.h"
#include "job_record.h"
#include "queue_jobs.h"

#include "../wire/control_request.h"

_Static_assert(WISHES_MAX >= CONTROL_CONNECTIONS, "each operator's wish has a place");

void wishes_join(struct brood *b, struct inbox *inbox)
{
	list_append(&inbox->all, &b->wishes.inboxes);
}

static void forget(struct brood *b, uint32_t number)
{
	list_for_each_safe(link, tmp, &b->wishes.inboxes)
		container_of(link, struct inbox, all)->wishes &= ~(1u << number);
	b->wishes.list[number] = (struct wishes_one){ 0 };
}

/*
 * What the supervisor is told while the channel is read. If the socket is full it is not told; its
 * operator hears then that the engine has not answered.
 */
static void tell(struct brood *b, enum message_type type, uint64_t id)
{
	struct frame f;

	frame_begin(&f, type)->about.id = id;
	frame_send(b->channel_fd, &f);
}

void wishes_part(struct brood *b, struct inbox *inbox)
{
	uint32_t wishes = inbox->wishes;

	list_remove(&inbox->all);
	inbox->wishes = 0;
	for (uint32_t i = 0; i < WISHES_MAX; i++) {
		enum message_type type;
		uint64_t id;

		if ((wishes & 1u << i) && (type = wishes_looked(b, i, false, &id)) && !b->lost)
			tell(b, type, id);
	}
}

/*
 * A queue whose lock is taken may have the job, and its own thread will look. The lock is only
 * tried: the order of the locks forbids to wait for it.
 */
static bool may_have(struct queue *l, uint64_t id)
{
	struct queue_job *job;
	bool has;

	if (pthread_mutex_trylock(&l->lock) != 0)
		return true;
	job = queue_jobs_find(l, id);
	has = job && job->state != JOB_CLOSED;
	pthread_mutex_unlock(&l->lock);
	return has;
}

/* True: the job is one of call, open or give, and the wish is dealt with. */
static bool handed_off(struct brood *b, uint64_t id)
{
	struct record *record = job_record_find(b, id);

	if (record && record->handle && record->handle->is_kept) {
		job_record_give_up(b, id, BROOD_CANCELLED, BROOD_DETAIL_NONE, false);
		job_files_gone(b);
		tell(b, MESSAGE_WISH_DONE, id);
		return true;
	}
	list_for_each_safe(link, tmp, &b->calls) {
		struct brood_handle *h = container_of(link, struct brood_handle, calls);

		if (h->public_id != id || h->id == id)
			continue;
		/* the supervisor knows the attempt that runs by that attempt's own id */
		h->cancelled = true;
		tell(b, MESSAGE_CANCEL, h->id);
		tell(b, MESSAGE_WISH_DONE, id);
		return true;
	}
	return false;
}

void wishes_hear(struct brood *b, uint64_t id)
{
	uint32_t number = b->wishes.next++ % WISHES_MAX;
	struct wishes_one *one = &b->wishes.list[number];

	if (id == 0 || handed_off(b, id))
		return;
	forget(b, number); /* an old wish may be there, of a queue that nobody uses */
	one->id = id;
	list_for_each_safe(link, tmp, &b->wishes.inboxes) {
		struct inbox *inbox = container_of(link, struct inbox, all);

		if (!may_have(container_of(inbox, struct queue, inbox), id))
			continue;
		one->left++;
		inbox->wishes |= 1u << number;
		atomic_store_explicit(&inbox->full, true, memory_order_release);
		inbox_poke(inbox);
	}
	if (one->left == 0) {
		forget(b, number);
		tell(b, MESSAGE_WISH_NONE, id);
	}
}

enum message_type wishes_looked(struct brood *b, uint32_t number, bool found, uint64_t *ret_id)
{
	struct wishes_one *one = &b->wishes.list[number];

	if (one->id == 0)
		return 0;
	one->left -= one->left > 0;
	if (!found && one->left > 0)
		return 0;
	*ret_id = one->id;
	forget(b, number);
	return found ? MESSAGE_WISH_DONE : MESSAGE_WISH_NONE;
}
