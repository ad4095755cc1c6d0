/* SPDX-License-Identifier: MIT */
/*
 * frame.h - a message as bytes: a header and the message, with fds, as one SEQPACKET (or DGRAM)
 * packet. Encoding and decoding make no system call and are fuzzed; frame_send() and
 * frame_receive() are a thin shell over os/sockets.h.
 *
 * A frame says how many fds it carries; frame_take_fd() moves one out; frame_done() closes those
 * that are left. Nothing in a frame is trusted: frame_decode() checks magic, version, type, size
 * (exact or within the type's bounds), the count of fds, and that text ends with a NUL.
 */
#ifndef BROOD_WIRE_FRAME_H
#define BROOD_WIRE_FRAME_H

#include "../os/sockets.h"
#include "message.h"

#define FRAME_MAGIC   0x6272u
#define FRAME_VERSION 1
/* size: counts the header, too. */
struct frame_header {
	uint16_t magic;
	uint8_t version, type;
	uint32_t size;
	uint32_t fds;
	uint32_t pad;
};
#define FRAME_MAX 2048

struct frame {
	/* stands right before the payload, so that both are one buffer for the socket */
	struct frame_header header;
	union {
		struct message_job job;
		struct message_run run;
		struct message_about about;
		struct message_stop stop;
		struct message_notify notify;
		struct message_init_data init_data;
		union message_asked asked;
		struct message_verdict verdict;
		struct message_pool pool;
		struct message_log log;
		struct message_reload reload;
		struct message_finished finished;
		struct message_escaped escaped;
		struct message_job_log job_log;
		struct message_progress progress;
		struct message_lease lease;
		struct message_grant grant;
		struct message_recall recall;
		struct message_left left;
		struct message_granted granted;
		struct message_lease_kill lease_kill;
		struct message_lease_over lease_over;
		struct message_side side;
		struct message_dropped dropped;
		union message_birth birth;
		unsigned char bytes[FRAME_MAX - sizeof(struct frame_header)];
	};
	/* not part of the bytes: fds go as a control message of the socket */
	int fds[SOCKETS_FDS_MAX];
	size_t fds_count;
	/* The kernel dropped fds on the way: the receiver had reached a limit. */
	int fds_lost;
};

/* Zeroes the header and the type's fixed part, and sets the header. Returns f. */
struct frame *frame_begin(struct frame *f, enum message_type type);
/* Appends to the part after the struct (the arg of JOB and RUN). 0 or -EMSGSIZE. */
int frame_append(struct frame *f, const void *data, size_t size);
/* Where the part after the struct begins; the message's arg_size is its size. */
const void *frame_rest(const struct frame *f);
/* Checks `size` received bytes in f: 0, or -EBADMSG. */
int frame_decode(struct frame *f, size_t size);
/* Sends the frame with f->fds, which stay the caller's. 0 or -errno as sockets_send(). */
int frame_send(int fd, struct frame *f);
/*
 * Receives one frame. 1: f has it, even if some or all of its fds were lost; 0: the channel's end;
 * -EAGAIN; -EBADMSG: nonsense (fds closed, f->header.type 0); -errno. flags: 0 blocks,
 * MSG_DONTWAIT.
 */
int frame_receive(int fd, struct frame *f, int flags);
int frame_take_fd(struct frame *f, size_t index); /* moves the fd out; -1: there is none */
void frame_done(struct frame *f);                 /* closes the fds that were not taken */

#endif
