/* SPDX-License-Identifier: MIT */
/*
 * out.c - what the engine sends, in order, without ever blocking. A frame goes into the socket at
 * once when no other frame waits; else it waits with its fds (unsent.c). The number of waiting
 * frames is bounded: one JOB and one CANCEL a record, one NOTIFY of each kind, one KEEP
 * a name, one INIT_DATA, one RESIZE and one RELOAD a pool (a newer one replaces it), one STOP.
 */
#include "out.h"

#include "channel.h"
#include "unsent.h"
#include "job_files.h"
#include "job_record.h"
#include "engine_root.h"
#include "waiter.h"

/* A failed send does not prove that nothing can be read: verdicts may lie before the end. */
int out_failed(struct brood *b, int error, const char *what)
{
	if (!fail_is_end(error))
		return fail_system(error, what);
	channel_read(b, b->reader, NULL);
	channel_lost(b);
	return fail_gone();
}

static int out_send_first(struct brood *b, struct out *out)
{
	struct frame f;

	memset(&f, 0, offsetof(struct frame, fds));
	memcpy((unsigned char *)&f, out->bytes, out->size);
	memcpy(f.fds, out->fds, sizeof out->fds[0] * out->fds_count);
	f.fds_count = out->fds_count;
	f.fds_lost = 0;
	return frame_send(b->channel_fd, &f);
}

/* A frame that can never be sent is dropped: its job never ran, and its verdict says so. */
static void out_give_up(struct brood *b, struct out *out)
{
	uint64_t job = out->job;

	unsent_drop(b, out);
	if (job)
		job_record_give_up(b, job, BROOD_REFUSED, BROOD_DETAIL_FD_LOST, false);
}

void out_flush(struct brood *b)
{
	while (!list_empty(&b->out) && !b->lost) {
		struct out *out = container_of(list_first(&b->out), struct out, link);
		int r = out_send_first(b, out);

		if (r >= 0) {
			unsent_drop(b, out);
		} else if (fail_is_later(r)) {
			unsent_wait(b, r);
			break;
		} else if (fail_is_end(r)) {
			out_failed(b, r, "sending to the supervisor");
			break;
		} else {
			out_give_up(b, out);
		}
	}
	if (list_empty(&b->out))
		waiter_poke_all(b);
	job_files_tell(b); /* jobs whose frames were given up have no files there */
	unsent_watch(b);
}

int out_send(struct brood *b, struct frame *f, uint64_t job, size_t owned)
{
	int r;

	if (!channel_ours(b))
		return -ENOTCONN;
	if (b->out_state == OUT_FULL || unsent_due(b))
		out_flush(b);
	if (b->lost)
		return -ENOTCONN;
	if (!list_empty(&b->out))
		return unsent_append(b, f, job, owned);
	r = frame_send(b->channel_fd, f);
	if (r >= 0)
		return 0;
	if (!fail_is_later(r))
		return r;
	unsent_wait(b, r);
	r = unsent_append(b, f, job, owned);
	if (r < 0)
		b->out_state = OUT_OPEN;
	return r;
}
