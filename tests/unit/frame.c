/* SPDX-License-Identifier: MIT */
/*
 * frame.c - which frames decode, and that no others do. The buffer ends where the frame says that
 * it ends at most, with a fence behind it, so a sanitizer sees a read too far.
 */
#include "wire/frame.h"
#include "base/base.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>

#define ROUNDS 20000

TestSuite(unit_frame, .timeout = 60);

static const struct {
	enum message_type type;
	size_t fixed;
	uint32_t fds;
	bool rest, cut;
} types[] = {
	{ MESSAGE_JOB, sizeof(struct message_job), 1, true, false },
	{ MESSAGE_CANCEL, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_STOP, sizeof(struct message_stop), 0, false, false },
	{ MESSAGE_NOTIFY, sizeof(struct message_notify), 0, true, false },
	{ MESSAGE_INIT_DATA, sizeof(struct message_init_data), 0, false, false },
	{ MESSAGE_VERDICT, sizeof(struct message_verdict), 0, true, false },
	{ MESSAGE_POOL_READY, sizeof(struct message_pool), 0, false, false },
	{ MESSAGE_POOL_DEGRADED, sizeof(struct message_pool), 0, false, false },
	{ MESSAGE_STOPPED, sizeof(struct message_pool), 0, false, false },
	{ MESSAGE_LOG, sizeof(struct message_log), 0, false, true },
	{ MESSAGE_RUN, sizeof(struct message_run), 1, true, false },
	{ MESSAGE_END, 0, 0, false, false },
	{ MESSAGE_READY, sizeof(struct message_ready), 0, false, false },
	{ MESSAGE_FINISHED, sizeof(struct message_finished), 0, true, false },
	{ MESSAGE_SOCKET, sizeof(struct message_socket), 0, false, false },
	{ MESSAGE_ESCAPED, sizeof(struct message_escaped), 0, false, false },
	{ MESSAGE_JOB_LOG, sizeof(struct message_job_log), 0, false, true },
	{ MESSAGE_CALLED, 0, 0, false, false },
	{ MESSAGE_WORN, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_PROGRESS, sizeof(struct message_progress), 0, false, false },
	{ MESSAGE_LEASE_END, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_LEASE_LOOK, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_LEASE_KILL, sizeof(struct message_lease_kill), 0, false, false },
	{ MESSAGE_GRANTED, sizeof(struct message_granted), 0, false, false },
	{ MESSAGE_LEASE_OVER, sizeof(struct message_lease_over), 0, false, false },
	{ MESSAGE_RECALL, sizeof(struct message_recall), 0, false, false },
	{ MESSAGE_LEFT, sizeof(struct message_left), 0, false, false },
	{ MESSAGE_WITH, sizeof(struct message_side), 0, false, false },
	{ MESSAGE_BACK, sizeof(struct message_side), 0, false, false },
	{ MESSAGE_EXITING, 0, 0, false, false },
	{ MESSAGE_DRAINING, 0, 0, false, false },
	{ MESSAGE_DROPPED, sizeof(struct message_dropped), 0, false, false },
	{ MESSAGE_FAULT, sizeof(struct message_job), 0, false, false },
	{ MESSAGE_RESIZE, sizeof(struct message_resize), 0, false, false },
	{ MESSAGE_RELOAD, sizeof(struct message_reload), 0, false, false },
	{ MESSAGE_RELOADED, sizeof(struct message_reload), 0, false, false },
	{ MESSAGE_WISH, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_WISH_DONE, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_WISH_NONE, sizeof(struct message_about), 0, false, false },
	{ MESSAGE_SPAWN, sizeof(struct message_spawn), 1, false, false },
	{ MESSAGE_BORN, sizeof(struct message_born), 0, false, false },
};

static bool known(unsigned type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return true;
	return false;
}

/* As after a receive: the count of fds is set. The decoder does not look at the fds themselves. */
static void make(struct frame *f, size_t i)
{
	memset(f, 0xa5, sizeof *f);
	frame_begin(f, types[i].type);
	f->fds_count = f->header.fds = types[i].fds;
}

Test(unit_frame, every_type_as_begun_decodes)
{
	struct frame f;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		make(&f, i);
		cr_assert_eq(
			f.header.size, sizeof f.header + types[i].fixed, "type %u", types[i].type);
		cr_assert_eq(frame_decode(&f, f.header.size), 0, "type %u", types[i].type);
		for (size_t b = 0; b < types[i].fixed; b++)
			cr_assert_eq(
				f.bytes[b], 0, "type %u leaks memory at %zu", types[i].type, b);
	}
}

Test(unit_frame, every_other_length_is_refused)
{
	struct frame f;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (size_t size = 0; size <= FRAME_MAX + 1; size++) {
			bool good = size == sizeof f.header + types[i].fixed;

			make(&f, i);
			if (types[i].cut &&
				size > sizeof f.header + types[i].fixed -
						(types[i].type == MESSAGE_LOG ? 512 : 400) &&
				size < sizeof f.header + types[i].fixed)
				continue; /* tested below */
			cr_assert_neq(frame_decode(&f, size) == 0, !good, "type %u, %zu bytes",
				types[i].type, size);
			f.header.size = (uint32_t)size; /* the same when the header's size agrees */
			cr_assert_neq(frame_decode(&f, size) == 0, !good,
				"type %u, %zu bytes and saying so", types[i].type, size);
		}
	}
}

Test(unit_frame, header_fields_are_checked)
{
	struct frame f;

	make(&f, 0);
	f.header.magic ^= 1;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	make(&f, 0);
	f.header.version++;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	make(&f, 0);
	f.header.pad = 7;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	for (unsigned type = 0; type < 256; type++) {
		if (known(type))
			continue;
		frame_begin(&f, MESSAGE_END);
		f.header.type = (uint8_t)type;
		cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG, "type %u", type);
	}
}

static uint32_t *rest_size(struct frame *f)
{
	switch (f->header.type) {
	case MESSAGE_JOB: return &f->job.arg_size;
	case MESSAGE_NOTIFY: return &f->notify.arg_size;
	case MESSAGE_VERDICT: return &f->verdict.arg_size;
	case MESSAGE_FINISHED: return &f->finished.arg_size;
	default: return &f->run.arg_size;
	}
}

Test(unit_frame, the_rest_has_the_size_that_it_says)
{
	static unsigned char data[MESSAGE_ARG_MAX + 1];
	struct frame f;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!types[i].rest) {
			make(&f, i);
			cr_assert_eq(frame_append(&f, data, 1), -EMSGSIZE);
			continue;
		}
		for (size_t size = 0; size <= MESSAGE_ARG_MAX; size++) {
			make(&f, i);
			cr_assert_eq(frame_append(&f, data, size), 0);
			cr_assert_eq(*rest_size(&f), size);
			cr_assert_eq(frame_decode(&f, f.header.size), 0);
			cr_assert_eq(memcmp(frame_rest(&f), data, size), 0);
			f.header.size++;
			cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
			f.header.size -= 2;
			cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
		}
		make(&f, i);
		cr_assert_eq(frame_append(&f, data, MESSAGE_ARG_MAX + 1), -EMSGSIZE);
		cr_assert_eq(frame_append(&f, data, 24), 0);
		cr_assert_eq(frame_append(&f, data + 24, MESSAGE_ARG_MAX - 24), 0);
		cr_assert_eq(frame_append(&f, data, 1), -EMSGSIZE);
		cr_assert_eq(memcmp(frame_rest(&f), data, MESSAGE_ARG_MAX), 0);
		/* a size that wraps or reaches past the end */
		make(&f, i);
		*rest_size(&f) = UINT32_MAX;
		cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	}
}

/* Only a carried job comes without a socket, and then the message has the whole request. */
Test(unit_frame, a_job_has_a_socket_or_its_request_in_the_message)
{
	static const unsigned char data[24];

	for (int run = 0; run < 2; run++) {
		for (int carried = 0; carried < 2; carried++) {
			for (uint32_t fds = 0; fds < 2; fds++) {
				for (uint64_t request = 22; request < 27; request++) {
					bool good = carried ? request <= sizeof data : fds > 0;
					struct frame f;

					frame_begin(&f, run ? MESSAGE_RUN : MESSAGE_JOB);
					frame_append(&f, data, sizeof data);
					if (run) {
						f.run.carried = (uint8_t)carried;
						f.run.request_size = request;
					} else {
						f.job.carried = (uint32_t)carried;
						f.job.request_size = request;
					}
					f.fds_count = f.header.fds = fds;
					cr_assert_eq(frame_decode(&f, f.header.size),
						good ? 0 : -EBADMSG);
				}
			}
		}
	}
}

Test(unit_frame, text_ends_with_a_nul)
{
	struct frame f;

	make(&f, 0);
	memset(f.job.name, 'x', sizeof f.job.name);
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	f.job.name[BROOD_NAME_MAX - 1] = '\0';
	cr_assert_eq(frame_decode(&f, f.header.size), 0);
	frame_begin(&f, MESSAGE_RUN)->fds_count = f.header.fds = 1;
	memset(f.run.name, 'x', sizeof f.run.name);
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	frame_begin(&f, MESSAGE_NOTIFY)->notify.arg_size = 1;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	frame_begin(&f, MESSAGE_VERDICT);
	memset(f.verdict.verdict.name, 'x', BROOD_NAME_MAX);
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	frame_begin(&f, MESSAGE_LOG);
	memset(f.log.text, 'x', sizeof f.log.text);
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
}

/*
 * A log line is sent up to its NUL: a frame cut anywhere behind the first NUL decodes, and old
 * bytes of the buffer do not show.
 */
Test(unit_frame, log_lines_are_cut)
{
	size_t head = sizeof(struct frame_header) + offsetof(struct message_log, text);
	struct frame f;

	for (size_t length = 0; length < sizeof f.log.text; length++) {
		frame_begin(&f, MESSAGE_LOG);
		memset(f.log.text, 'x', length);
		memset(f.log.text + length + 1, 0xee, sizeof f.log.text - length - 1);
		f.log.text[length] = '\0';
		f.header.size = (uint32_t)(head + length + 1);
		cr_assert_eq(frame_decode(&f, f.header.size), 0, "%zu", length);
		cr_assert_eq(strlen(f.log.text), length);
		for (size_t i = length; i < sizeof f.log.text; i++)
			cr_assert_eq(f.log.text[i], '\0');
		if (length == 0)
			continue;
		f.log.text[length] = 'y'; /* no NUL in what was sent */
		f.header.size = (uint32_t)(head + length);
		cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG, "%zu", length);
	}
}

Test(unit_frame, fds_are_counted)
{
	struct frame f;

	make(&f, 0);
	f.fds_count = 0;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG, "fewer without a reason");
	f.fds_lost = 1;
	cr_assert_eq(frame_decode(&f, f.header.size), 0, "fewer: the kernel dropped them");
	make(&f, 0);
	f.fds_count = 2;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG, "more than it says");
	f.header.fds = 2;
	cr_assert_eq(frame_decode(&f, f.header.size), 0, "a socket and an extra one");
	f.header.fds = f.fds_count = 2 + BROOD_JOB_FDS_MAX;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG, "more than the type has");
	f.header.fds = f.fds_count = 0;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG, "a job without its fd");
	frame_begin(&f, MESSAGE_STOP)->header.fds = 1;
	cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
	for (uint32_t fds = 0; fds < 2 * SOCKETS_FDS_MAX; fds++) {
		for (int data = 0; data < 2; data++) {
			frame_begin(&f, MESSAGE_INIT_DATA);
			f.init_data.data_size = data ? 1000 : 0;
			f.init_data.fds_count = fds;
			f.header.fds = fds + (uint32_t)data;
			f.fds_count = f.header.fds;
			cr_assert_eq(frame_decode(&f, f.header.size),
				fds <= BROOD_INIT_FDS_MAX ? 0 : -EBADMSG);
			f.init_data.fds_count++;
			cr_assert_eq(frame_decode(&f, f.header.size), -EBADMSG);
		}
	}
}

static void random_bytes(struct unit_random *r, void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)to)[i] = (unsigned char)unit_random(r);
}

/* What the users of a decoded frame rely on. */
static void check_decoded(const struct frame *f, size_t size)
{
	cr_assert(known(f->header.type));
	cr_assert_leq(size, FRAME_MAX);
	cr_assert_leq(f->fds_count, f->header.fds);
	if (f->header.type == MESSAGE_JOB) {
		cr_assert_leq(f->job.arg_size, MESSAGE_ARG_MAX);
		cr_assert_eq(size, sizeof f->header + sizeof f->job + f->job.arg_size);
		cr_assert_neq(memchr(f->job.name, 0, sizeof f->job.name), NULL);
	}
	if (f->header.type == MESSAGE_RUN) {
		cr_assert_eq(size, sizeof f->header + sizeof f->run + f->run.arg_size);
		cr_assert_neq(memchr(f->run.name, 0, sizeof f->run.name), NULL);
	}
	if (f->header.type == MESSAGE_LOG)
		cr_assert_neq(memchr(f->log.text, 0, sizeof f->log.text), NULL);
	if (f->header.type == MESSAGE_JOB_LOG)
		cr_assert_neq(memchr(f->job_log.text, 0, sizeof f->job_log.text), NULL);
	if (f->header.type == MESSAGE_NOTIFY)
		cr_assert_eq(size, sizeof f->header + sizeof f->notify + f->notify.arg_size);
	if (f->header.type == MESSAGE_VERDICT)
		cr_assert_neq(memchr(f->verdict.verdict.name, 0, BROOD_NAME_MAX), NULL);
}

Test(unit_frame, random_bytes_decode_to_nothing_strange)
{
	struct unit_random r = { 0x1234567 };
	unsigned good = 0;
	struct frame f;

	for (int i = 0; i < ROUNDS; i++) {
		size_t size = unit_below(&r, FRAME_MAX + 1);

		random_bytes(&r, &f, FRAME_MAX);
		f.fds_count = unit_below(&r, 3);
		f.fds_lost = (int)unit_below(&r, 2);
		/* the magic number alone makes it invalid, as always */
		cr_assert_eq(frame_decode(&f, size), -EBADMSG);
		f.header.magic = FRAME_MAGIC;
		f.header.version = FRAME_VERSION;
		f.header.pad = 0;
		f.header.type = (uint8_t)types[unit_below(&r, ARRAY_SIZE(types))].type;
		f.header.fds = (uint32_t)unit_below(&r, 3);
		for (size_t t = 0; t < ARRAY_SIZE(types); t++)
			if (types[t].type == f.header.type && unit_below(&r, 2))
				size = sizeof f.header + types[t].fixed;
		f.header.size = (uint32_t)size;
		if (frame_decode(&f, size) == 0) {
			check_decoded(&f, size);
			good++;
		}
	}
	cr_assert_gt(good, 0u);
}

/* A good frame with a few bytes changed. */
Test(unit_frame, damaged_frames)
{
	struct unit_random r = { 0x9e3779b97f4a7c15 };
	struct frame f;

	for (int i = 0; i < ROUNDS; i++) {
		size_t t = unit_below(&r, ARRAY_SIZE(types)), size;

		make(&f, t);
		if (types[t].rest)
			frame_append(&f, &r, unit_below(&r, sizeof r));
		size = f.header.size;
		for (uint64_t hits = unit_below(&r, 4); hits > 0; hits--)
			((unsigned char *)&f)[unit_below(&r, size)] = (unsigned char)unit_random(
				&r);
		if (unit_below(&r, 4) == 0)
			size = unit_below(&r, size + 1);
		if (frame_decode(&f, size) == 0)
			check_decoded(&f, size);
	}
}

/* ---- over a socket --------------------------------------------------------------------------- */

static int fds_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

Test(unit_frame, send_and_receive)
{
	struct frame out, in;
	int pair[2], before, fd;

	cr_assert_eq(sockets_pair(SOCK_SEQPACKET, pair), 0);
	before = fds_open();
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		frame_begin(&out, types[i].type);
		out.fds_count = types[i].fds;
		out.fds[0] = pair[0];
		if (types[i].rest)
			cr_assert_eq(frame_append(&out, "argument", 9), 0);
		if (types[i].type == MESSAGE_LOG)
			strcpy(out.log.text, "a line");
		memset(&in, 0xa5, sizeof in);
		cr_assert_eq(frame_send(pair[0], &out), 0);
		cr_assert_eq(frame_receive(pair[1], &in, 0), 1);
		cr_assert_eq(in.header.type, types[i].type);
		cr_assert_eq(in.fds_count, types[i].fds);
		if (types[i].rest)
			cr_assert_str_eq(frame_rest(&in), "argument");
		if (types[i].type == MESSAGE_LOG)
			cr_assert_str_eq(in.log.text, "a line");
		if (types[i].fds > 0) {
			fd = frame_take_fd(&in, 0);
			cr_assert_geq(fd, 0);
			cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
			cr_assert_eq(frame_take_fd(&in, 0), -1);
			close_fd(fd);
		}
		cr_assert_eq(frame_take_fd(&in, 5), -1);
		frame_done(&in);
		frame_done(&in);
		cr_assert_eq(fds_open(), before);
	}
	cr_assert_eq(frame_receive(pair[1], &in, MSG_DONTWAIT), -EAGAIN);
	close_fd(pair[0]);
	cr_assert_eq(frame_receive(pair[1], &in, 0), 0);
	cr_assert_eq(in.header.type, 0);
	close_fd(pair[1]);
}

Test(unit_frame, nonsense_is_dropped_with_its_fds)
{
	_Alignas(struct frame) unsigned char bytes[sizeof(struct frame) + 100] = { 0 };
	struct iovec iov = { .iov_base = bytes };
	int pair[2], before, many[SOCKETS_FDS_MAX];
	struct frame in;

	cr_assert_eq(sockets_pair(SOCK_SEQPACKET, pair), 0);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = pair[0];
	before = fds_open();
	for (iov.iov_len = 1; iov.iov_len <= sizeof bytes; iov.iov_len++) {
		cr_assert_eq(
			sockets_send(pair[0], &iov, 1, many, iov.iov_len % (ARRAY_SIZE(many) + 1)),
			(ssize_t)iov.iov_len);
		cr_assert_eq(frame_receive(pair[1], &in, 0), -EBADMSG);
		cr_assert_eq(in.header.type, 0);
		cr_assert_eq(in.fds_count, 0);
		cr_assert_eq(fds_open(), before);
	}
	/* a good frame that carries more than it says */
	frame_begin(&in, MESSAGE_STOP);
	iov = (struct iovec){ .iov_base = &in, .iov_len = in.header.size };
	cr_assert_gt(sockets_send(pair[0], &iov, 1, many, 3), 0);
	cr_assert_eq(frame_receive(pair[1], &in, 0), -EBADMSG);
	cr_assert_eq(fds_open(), before);
	/* a tail that the buffer has no room for */
	frame_begin((struct frame *)(void *)bytes, MESSAGE_STOP);
	iov = (struct iovec){ .iov_base = bytes, .iov_len = sizeof bytes };
	cr_assert_gt(sockets_send(pair[0], &iov, 1, NULL, 0), 0);
	cr_assert_eq(frame_receive(pair[1], &in, 0), -EBADMSG);
	close_fd(pair[0]);
	close_fd(pair[1]);
}
