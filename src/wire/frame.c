/* SPDX-License-Identifier: MIT */
#include "frame.h"
#include "../os/closing.h"

#define HEADER sizeof(struct frame_header)
_Static_assert(offsetof(struct frame, bytes) == HEADER, "header and payload are one buffer");
_Static_assert(offsetof(struct frame, fds) >= FRAME_MAX, "fds stand behind what is on the wire");
_Static_assert(HEADER + sizeof(struct message_job) + MESSAGE_ARG_MAX <= FRAME_MAX, "a job fits");
_Static_assert(HEADER + sizeof(struct message_run) + MESSAGE_ARG_MAX <= FRAME_MAX, "a run fits");
_Static_assert(HEADER + sizeof(struct message_verdict) + MESSAGE_ARG_MAX <= FRAME_MAX, "a reply");
_Static_assert(BROOD_INIT_FDS_MAX + 2 <= SOCKETS_FDS_MAX, "all fds of a message fit");
_Static_assert(BROOD_JOB_FDS_MAX + 2 <= SOCKETS_FDS_MAX, "the same for a job's");

#define WITHIN(member, field) (offsetof(struct frame, member.field) - HEADER)
#define FIXED(member)         .known = true, .fixed = sizeof(((struct frame *)0)->member)
#define TEXT(member, field) \
	.text_at = WITHIN(member, field), .text_size = sizeof(((struct frame *)0)->member.field)
#define REST(member)  .rest_at = WITHIN(member, arg_size)
#define FDS(min, max) .fds_min = (min), .fds_max = (max)

/*
 * The shape of each message type. fixed: the size of its struct. text_at, text_size: a text in the
 * struct, which ends with a NUL; cut: nothing is sent after the NUL. rest_at: where arg_size
 * stands, the size of what follows the struct; 0: nothing follows.
 */
struct shape {
	uint16_t fixed, text_at, text_size, rest_at;
	uint8_t fds_min, fds_max;
	bool known, cut;
};
static const struct shape shapes[] = {
	[MESSAGE_JOB] = { FIXED(job), TEXT(job, name), REST(job), FDS(0, 1 + BROOD_JOB_FDS_MAX) },
	[MESSAGE_CANCEL] = { FIXED(about) },
	[MESSAGE_STOP] = { FIXED(stop) },
	[MESSAGE_NOTIFY] = { FIXED(notify), REST(notify), FDS(0, 1) },
	[MESSAGE_RESIZE] = { FIXED(asked.resize), FDS(0, 0) },
	[MESSAGE_KEEP] = { FIXED(asked.keep), TEXT(asked.keep, name), FDS(0, 1) },
	[MESSAGE_INIT_DATA] = { FIXED(init_data), FDS(0, BROOD_INIT_FDS_MAX + 1) },
	[MESSAGE_VERDICT] = { FIXED(verdict), TEXT(verdict, verdict.name), REST(verdict),
		FDS(0, BROOD_JOB_FDS_MAX) },
	[MESSAGE_POOL_READY] = { FIXED(pool) },
	[MESSAGE_POOL_DEGRADED] = { FIXED(pool) },
	[MESSAGE_STOPPED] = { FIXED(pool) },
	[MESSAGE_LOG] = { FIXED(log), TEXT(log, text), .cut = true },
	[MESSAGE_RUN] = { FIXED(run), TEXT(run, name), REST(run), FDS(0, 1 + BROOD_JOB_FDS_MAX) },
	[MESSAGE_END] = { .known = true },
	[MESSAGE_READY] = { FIXED(birth.ready) },
	[MESSAGE_FINISHED] = { FIXED(finished), REST(finished), FDS(0, BROOD_JOB_FDS_MAX) },
	[MESSAGE_ESCAPED] = { FIXED(escaped) },
	[MESSAGE_JOB_LOG] = { FIXED(job_log), TEXT(job_log, text), .cut = true },
	[MESSAGE_PROGRESS] = { FIXED(progress) },
	[MESSAGE_SOCKET] = { FIXED(asked.socket), FDS(0, 1) },
	[MESSAGE_LEASE] = { FIXED(lease), FDS(LEASE_FDS, LEASE_FDS) },
	[MESSAGE_LEASE_END] = { FIXED(about) },
	[MESSAGE_LEASE_LOOK] = { FIXED(about) },
	[MESSAGE_LEASE_KILL] = { FIXED(lease_kill) },
	[MESSAGE_EXITING] = { .known = true },
	[MESSAGE_DRAINING] = { .known = true },
	[MESSAGE_FAULT] = { FIXED(job), TEXT(job, name) },
	[MESSAGE_DROPPED] = { FIXED(dropped), TEXT(dropped, name) },
	[MESSAGE_GRANTED] = { FIXED(granted) },
	[MESSAGE_LEASE_OVER] = { FIXED(lease_over) },
	[MESSAGE_GRANT] = { FIXED(grant), FDS(LEASE_FDS, LEASE_FDS) },
	[MESSAGE_RECALL] = { FIXED(recall) },
	[MESSAGE_LEFT] = { FIXED(left) },
	[MESSAGE_CALLED] = { .known = true },
	[MESSAGE_RELOAD] = { FIXED(reload) },
	[MESSAGE_RELOADED] = { FIXED(reload) },
	[MESSAGE_TAKEN] = { FIXED(about) },
	[MESSAGE_WISH] = { FIXED(about) },
	[MESSAGE_WISH_DONE] = { FIXED(about) },
	[MESSAGE_WISH_NONE] = { FIXED(about) },
	[MESSAGE_KEY_FAULT] = { FIXED(job) },
	[MESSAGE_WORN] = { FIXED(about) },
	[MESSAGE_WITH] = { FIXED(side), FDS(0, 2 + BROOD_JOB_FDS_MAX) },
	[MESSAGE_BACK] = { FIXED(side), FDS(0, 1 + BROOD_JOB_FDS_MAX) },
	[MESSAGE_SPAWN] = { FIXED(birth.spawn), FDS(1, 3 + BROOD_INIT_FDS_MAX) },
	[MESSAGE_BORN] = { FIXED(birth.born) },
};

static const struct shape *shape_of(unsigned type)
{
	return type < ARRAY_SIZE(shapes) && shapes[type].known ? &shapes[type] : NULL;
}

struct frame *frame_begin(struct frame *f, enum message_type type)
{
	const struct shape *s = shape_of(type);
	size_t fixed = s ? s->fixed : 0;

	memset(&f->header, 0, sizeof f->header);
	memset(f->bytes, 0, fixed);
	f->header.magic = FRAME_MAGIC;
	f->header.version = FRAME_VERSION;
	f->header.type = (uint8_t)type;
	f->header.size = (uint32_t)(sizeof f->header + fixed);
	f->fds_count = 0;
	f->fds_lost = 0;
	return f;
}

int frame_append(struct frame *f, const void *data, size_t size)
{
	const struct shape *s = shape_of(f->header.type);
	size_t payload = f->header.size - sizeof f->header;
	uint32_t rest;

	if (!s || s->rest_at == 0 || size > MESSAGE_ARG_MAX - (payload - s->fixed))
		return -EMSGSIZE;
	if (size > 0)
		memcpy(f->bytes + payload, data, size);
	f->header.size += (uint32_t)size;
	rest = (uint32_t)(payload - s->fixed + size);
	memcpy(f->bytes + s->rest_at, &rest, sizeof rest);
	return 0;
}

const void *frame_rest(const struct frame *f)
{
	const struct shape *s = shape_of(f->header.type);

	return f->bytes + (s ? s->fixed : 0);
}

static bool good_size(const struct frame *f, const struct shape *s, size_t payload)
{
	uint32_t rest;

	if (s->cut)
		return payload > s->text_at && payload <= s->fixed;
	if (s->rest_at == 0)
		return payload == s->fixed;
	memcpy(&rest, f->bytes + s->rest_at, sizeof rest);
	return payload >= s->fixed && payload - s->fixed <= MESSAGE_ARG_MAX &&
		rest == payload - s->fixed;
}

/*
 * True: the text ends with a NUL; a cut text with the first NUL, where the message ends. Zeros take
 * the place of what was not sent, so that no bytes of an older message are left there.
 */
static bool good_text(struct frame *f, const struct shape *s, size_t payload)
{
	const unsigned char *text = f->bytes + s->text_at, *nul;
	size_t size = s->cut ? payload - s->text_at : s->text_size;

	if (s->text_size == 0)
		return true;
	nul = memchr(text, '\0', size);
	if (!nul || (s->cut && nul != text + size - 1 && payload != s->fixed))
		return false;
	if (s->cut)
		memset(f->bytes + payload, 0, s->fixed - payload);
	return true;
}

static bool good_fds(const struct frame *f, const struct shape *s)
{
	uint32_t says = f->header.fds;

	if (says < s->fds_min || says > s->fds_max || f->fds_count > says ||
		(f->fds_count < says && !f->fds_lost))
		return false;
	if (f->header.type == MESSAGE_SPAWN)
		return f->birth.spawn.init_fds_count <= BROOD_INIT_FDS_MAX &&
			f->birth.spawn.leaf <= 1 &&
			says ==
			1 + f->birth.spawn.leaf + f->birth.spawn.init_fds_count +
				(f->birth.spawn.init_data_size > 0);
	/* only a carried job has no socket, and then its request is there */
	if (f->header.type == MESSAGE_JOB)
		return f->job.carried ? f->job.request_size <= f->job.arg_size : says >= 1;
	if (f->header.type == MESSAGE_RUN)
		return f->run.carried ? f->run.request_size <= f->run.arg_size : says >= 1;
	if (f->header.type != MESSAGE_INIT_DATA)
		return true;
	return f->init_data.fds_count <= BROOD_INIT_FDS_MAX &&
		says == f->init_data.fds_count + (f->init_data.data_size > 0);
}

int frame_decode(struct frame *f, size_t size)
{
	const struct frame_header *h = &f->header;
	const struct shape *s;

	if (size < sizeof *h || size > FRAME_MAX)
		return -EBADMSG;
	if (h->magic != FRAME_MAGIC || h->version != FRAME_VERSION || h->size != size ||
		h->pad != 0)
		return -EBADMSG;
	s = shape_of(h->type);
	if (!s || !good_size(f, s, size - sizeof *h) || !good_text(f, s, size - sizeof *h) ||
		!good_fds(f, s))
		return -EBADMSG;
	return 0;
}

/* The text of a log line ends with its NUL: the rest is not sent. */
static void cut(struct frame *f)
{
	const struct shape *s = shape_of(f->header.type);

	if (!s || !s->cut)
		return;
	f->bytes[s->text_at + s->text_size - 1] = '\0';
	f->header.size = (uint32_t)(sizeof f->header + s->text_at +
		strlen((const char *)f->bytes + s->text_at) + 1);
}

int frame_send(int fd, struct frame *f)
{
	struct iovec iov = { .iov_base = &f->header };
	ssize_t n;

	cut(f);
	f->header.fds = (uint32_t)f->fds_count;
	iov.iov_len = f->header.size;
	n = sockets_send(fd, &iov, 1, f->fds, f->fds_count);
	if (n < 0)
		return (int)n;
	return (size_t)n == f->header.size ? 0 : -EIO;
}

int frame_receive(int fd, struct frame *f, int flags)
{
	struct sockets_received got;
	ssize_t n = sockets_receive(fd, &f->header, FRAME_MAX, flags, &got);

	f->fds_count = got.fds_count;
	f->fds_lost = got.fds_lost;
	for (size_t i = 0; i < got.fds_count; i++)
		f->fds[i] = got.fds[i];
	if (n > 0 && !got.bytes_lost && frame_decode(f, (size_t)n) == 0)
		return 1;
	f->header.type = 0;
	frame_done(f);
	return n > 0 ? -EBADMSG : (int)n;
}

int frame_take_fd(struct frame *f, size_t index)
{
	int fd;

	if (index >= f->fds_count)
		return -1;
	fd = f->fds[index];
	f->fds[index] = -1;
	return fd;
}

void frame_done(struct frame *f)
{
	for (size_t i = 0; i < f->fds_count; i++)
		closing_fd(f->fds[i]);
	f->fds_count = 0;
}
