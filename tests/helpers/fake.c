/* SPDX-License-Identifier: MIT */
/* fake.c - see fake.h. */
#define _GNU_SOURCE
#include "fake.h"

#include "../../src/os/shm.h"
#include "../../src/os/sockets.h"
#include "../../src/os/stack.h"
#include "../../src/os/text.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000

void fake_init(struct fake *f)
{
	memset(f, 0, sizeof *f);
	f->options = (struct brood_options){
		.size = sizeof f->options, .workers = 2, .stack_size = 1024 * 1024
	};
	f->channel = f->pidfd = f->peer = f->kept = -1;
	f->config = (struct worker_config){ .slot = 1,
		.generation = 7,
		.oom_score_adj = -1001,
		.core = true,
		.init_memfd = -1,
		.leaf_fd = -1,
		.stderr_fd = -1 };
	f->sequence = 100;
	f->id = 1000;
	f->request_size = BROOD_SIZE_UNKNOWN;
}

void fake_birth(struct fake *f)
{
	enum process_spawn way = (enum process_spawn)f->options.spawn;
	int pair[2];

	if (!f->shared.slot_pages)
		CHECK_EQ(shared_create(2, 1, &f->shared), 0);
	CHECK_EQ(text_snapshot(), 0);
	CHECK_EQ(stack_note(), 0);
	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, pair), 0);
	f->config.options = &f->options;
	f->config.shared = &f->shared;
	f->config.supervisor_pid = getpid();
	f->config.channel_fd = pair[1];
	f->pid = process_spawn(&way, &f->pidfd);
	CHECK_GE(f->pid, 0);
	if (f->pid == 0)
		worker_main(&f->config);
	close(pair[1]);
	f->channel = pair[0];
}

void fake_start(struct fake *f)
{
	struct frame frame;

	fake_birth(f);
	fake_hear(f, &frame, MESSAGE_READY);
	CHECK_EQ(frame.birth.ready.pid, f->pid);
	CHECK_EQ(frame.birth.ready.generation, f->config.generation);
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r == 1;
}

void fake_hear(struct fake *f, struct frame *frame, enum message_type type)
{
	CHECK_MSG(readable(f->channel, test_scaled(WAIT_MS)), "message %d", type);
	CHECK_EQ(frame_receive(f->channel, frame, MSG_DONTWAIT), 1);
	if (frame->header.type == MESSAGE_CALLED && type != MESSAGE_CALLED) {
		fake_hear(f, frame, type);
		return;
	}
	if (frame->header.type == MESSAGE_JOB_LOG && type != MESSAGE_JOB_LOG)
		note("the worker said: %s", frame->job_log.text);
	CHECK_EQ(frame->header.type, type);
}

bool fake_silent(struct fake *f, int ms) { return !readable(f->channel, ms); }

static _Atomic uint64_t *word(struct fake *f)
{
	return &shared_slot_page(&f->shared, f->config.slot)->word;
}

uint64_t fake_word(struct fake *f) { return atomic_load(word(f)); }

void fake_assign(struct fake *f)
{
	int pair[2];

	CHECK_EQ(sockets_pair(SOCK_STREAM, pair), 0);
	f->peer = pair[0];
	f->kept = pair[1];
	f->sequence++;
	f->id++;
	atomic_store(word(f), SLOT_PAGE_WORD(f->sequence, SLOT_PAGE_ASSIGNED));
}

void fake_run(struct fake *f, brood_fn *fn, const void *arg, size_t size)
{
	struct frame frame;

	frame_begin(&frame, MESSAGE_RUN);
	frame.run.id = f->id;
	frame.run.sequence = f->sequence;
	frame.run.fn = (uintptr_t)fn;
	frame.run.request_size = f->request_size;
	frame.run.plugin_size = f->plugin_size;
	frame.run.soft_ns = UINT64_MAX;
	frame.run.attempt = 1;
	strcpy(frame.run.name, "job");
	CHECK_EQ(frame_append(&frame, arg, size), 0);
	frame.fds[0] = f->kept;
	frame.fds_count = 1;
	for (size_t i = 0; i < f->extra_count; i++)
		frame.fds[frame.fds_count++] = f->extra[i];
	CHECK_EQ(frame_send(f->channel, &frame), 0);
	f->request_size = BROOD_SIZE_UNKNOWN;
	f->plugin_size = 0;
	f->extra_count = 0;
}

void fake_forget(struct fake *f)
{
	close(f->peer);
	close(f->kept);
	f->peer = f->kept = -1;
}

struct message_finished fake_finished(struct fake *f)
{
	struct frame frame;

	fake_hear(f, &frame, MESSAGE_FINISHED);
	CHECK_EQ(frame.finished.id, f->id);
	CHECK_EQ(frame.finished.sequence, f->sequence);
	fake_forget(f);
	return frame.finished;
}

struct message_finished fake_job(struct fake *f, brood_fn *fn)
{
	fake_assign(f);
	fake_run(f, fn, NULL, 0);
	return fake_finished(f);
}

void fake_soft(struct fake *f, uint64_t sequence)
{
	atomic_store(&shared_slot_page(&f->shared, f->config.slot)->soft, sequence);
	CHECK_EQ(process_signal(f->pidfd, f->pid, SIGTERM), 0);
}

struct process_exit fake_exit(struct fake *f)
{
	struct process_exit e;

	CHECK(readable(f->pidfd, test_scaled(WAIT_MS)));
	CHECK_EQ(process_wait(f->pid, false, &e), 1);
	return e;
}

int fake_exit_code(struct fake *f)
{
	struct process_exit e = fake_exit(f);

	return e.code == CLD_EXITED ? e.status : -1;
}

void fake_end(struct fake *f)
{
	struct frame frame;

	frame_begin(&frame, MESSAGE_END);
	CHECK_EQ(frame_send(f->channel, &frame), 0);
	CHECK_EQ(fake_exit_code(f), 0);
}

size_t fake_read(struct fake *f, void *data, size_t size)
{
	size_t have = 0;

	for (;;) {
		ssize_t n;

		CHECK(readable(f->peer, test_scaled(WAIT_MS)));
		n = recv(f->peer, (char *)data + have, size - have, 0);
		CHECK_GE(n, 0);
		if (n == 0)
			return have;
		have += (size_t)n;
	}
}
