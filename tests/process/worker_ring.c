/* SPDX-License-Identifier: MIT */
/*
 * worker_ring.c - one worker on lease, under a supervisor and an engine that are the test itself:
 * entries and completions, claims, the slot page, leaving.
 */
#define _GNU_SOURCE
#include "worker_ring.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(worker_ring, .timeout = 120);

static int minus_7(struct brood_job *job)
{
	(void)job;
	return -7;
}
static int marks(struct brood_job *job)
{
	(void)job;
	return atomic_fetch_add(marked(), 1);
}
static int waits(struct brood_job *job) /* until the test says go */
{
	atomic_fetch_add(&marked()[1], 1);
	while (!atomic_load(&marked()[2]) && !brood_job_cancelled(job))
		poll(NULL, 0, 1);
	return brood_job_cancelled(job) ? 42 : 0;
}
static int echoes(struct brood_job *job)
{
	size_t size;
	const void *request = brood_job_request(job, &size);

	return request && brood_job_reply(job, request, size) == (ssize_t)size ? 0 : 1;
}

/* ---- jobs ---- */

static void one_after_the_other(void)
{
	begin();
	for (int i = 0; i < 300; i++) {
		struct ring_done d = fake_ring_job(
			&ring, i % 2 ? nothing : minus_7, i % 2 ? 0 : -7);

		CHECK_EQ(fake_word(&fake), SLOT_PAGE_WORD(d.sequence, SLOT_PAGE_DONE));
		CHECK_EQ(atomic_load(&ring.page->began_ns), d.began_ns);
	}
	finish();
}
Test(worker_ring, jobs_one_after_the_other) { case_run(one_after_the_other, 30000); }

/*
 * Many are published at once; they run in order, and each begins when the one before it has ended.
 */
static void batches(void)
{
	uint64_t ended = 0;

	begin();
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < RING_DEPTH; i++)
			fake_entry(&ring, marks, NULL, 0);
		fake_publish(&ring);
		for (int i = 0; i < RING_DEPTH; i++) {
			struct ring_done d = fake_done(&ring, round * RING_DEPTH + i);

			CHECK_GE(d.began_ns, ended);
			ended = d.ended_ns;
		}
	}
	finish();
}
Test(worker_ring, batches) { case_run(batches, 60000); }

static void bytes_there_and_back(void)
{
	unsigned char data[3000];

	begin();
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7);
	for (size_t size = 0; size < sizeof data; size += 17) {
		struct ring_done d;

		fake_push(&ring, echoes, data, size);
		d = fake_done(&ring, 0);
		CHECK_EQ(d.reply_size, size);
		CHECK_MEM(fake_reply(&ring, &d), data, size);
	}
	finish();
}
Test(worker_ring, bytes_there_and_back) { case_run(bytes_there_and_back, 30000); }

static int looks_at_itself(struct brood_job *job)
{
	char word[8];
	size_t size;
	const char *arg = brood_job_arg(job, &size);

	if (brood_job_id(job) != fake.id && brood_job_id(job) == 0)
		return 1;
	if (size != 5 || memcmp(arg, "hello", 5) != 0 || (uintptr_t)arg % 16 != 0 ||
		brood_job_attempt(job) != 3 || brood_job_request_size(job) != 10)
		return 2;
	if (brood_job_fd(job) != -ENOTSOCK || brood_job_take_fd(job) != -ENOTSOCK)
		return 3;
	if (brood_job_read(job, word, 4) != 4 || memcmp(word, "0123", 4) != 0 ||
		brood_job_request(job, NULL) || errno != EINVAL)
		return 4;
	if (brood_job_read_all(job, word, 8) != 6 || memcmp(word, "456789", 6) != 0 ||
		brood_job_read(job, word, 8) != 0)
		return 5;
	if (brood_job_time_left_ms(job) > 60000 || brood_job_time_left_ms(job) < 30000 ||
		brood_job_cancelled(job))
		return 6;
	if (brood_job_write(job, "ab", 2) != 2 || brood_job_write(job, "", 0) != 0 ||
		brood_job_reply(job, "c", 1) != 1 || brood_job_write(job, "d", 1) != -EPIPE)
		return 7;
	return 0;
}

static void itself(void)
{
	struct ring_entry *e;
	struct ring_done d;

	begin();
	e = fake_entry(&ring, looks_at_itself, "0123456789", 10);
	fake_entry_arg(&ring, e, "hello", 5, 0);
	e->attempt = 3;
	fake_publish(&ring);
	d = fake_done(&ring, 0);
	CHECK_EQ(d.reply_size, 3);
	CHECK_MEM(fake_reply(&ring, &d), "abc", 3);
	finish();
}
Test(worker_ring, what_a_job_sees) { case_run(itself, 20000); }

static int jumps_in_children(struct brood_job *job)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		return brood_job_write(job, "spoilt", 6) == -EPERM &&
				brood_job_progress(job, "x", 1) == -EPERM
			? 9
			: 8;
	if (brood_job_write(job, "sound", 5) != 5)
		return 1;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void children(void)
{
	struct ring_done d;

	begin();
	d = fake_ring_job(&ring, jumps_in_children, 9);
	CHECK_MEM(fake_reply(&ring, &d), "sound", 5);
	fake_ring_job(&ring, nothing, 0);
	finish();
}
Test(worker_ring, children_of_jobs) { case_run(children, 20000); }

/* ---- what is not run ---- */

static void withdrawn(void)
{
	begin();
	for (int round = 0; round < 100; round++) {
		uint64_t first = ring.prepared + 1;

		atomic_store(&marked()[0], 0);
		for (int i = 0; i < 10; i++)
			fake_entry(&ring, marks, NULL, 0);
		for (uint64_t n = first; n < first + 10; n++)
			if ((n + (uint64_t)round) % 3 == 0)
				CHECK(ring_withdraw(ring.up->dones, n));
		fake_publish(&ring);
		fake_await(&ring, ring.published);
		for (uint64_t n = first, ran = 0; n < first + 10; n++) {
			struct ring_done d;

			CHECK_EQ(collect_completion(ring.up, n, &d) == 0,
				(n + (uint64_t)round) % 3 != 0);
			if ((n + (uint64_t)round) % 3 == 0)
				continue;
			CHECK_EQ(d.code, ran++);
			CHECK(!ring_withdraw(ring.up->dones, n));
		}
		ring.seen = ring.published;
		CHECK(WAIT_UNTIL(
			fake_word(&fake) == SLOT_PAGE_WORD(ring.published, SLOT_PAGE_DONE), 10000));
	}
	finish();
}
Test(worker_ring, withdrawn_entries_are_passed_by) { case_run(withdrawn, 30000); }

static void refused(void)
{
	struct ring_done d;

	begin();
	fake_push(&ring, (brood_fn *)(uintptr_t)&fake, NULL, 0);
	d = fake_done_raw(&ring);
	CHECK_EQ(d.flags, DONE_REFUSED_POINTER);
	fake_push(&ring, NULL, NULL, 0);
	CHECK_EQ(fake_done_raw(&ring).flags, DONE_REFUSED_POINTER);
	fake_ring_job(&ring, nothing, 0);
	finish();
}
Test(worker_ring, pointer_refused) { case_run(refused, 20000); }

static void damage(int how)
{
	struct ring_entry *e = fake_entry(&ring, marks, NULL, 0);

	switch (how) {
	case 0: e->sequence++; break;
	case 1: e->arg_size = MESSAGE_ARG_MAX + 1; break;
	case 2:
		e->request_at = 1;
		e->request_size = RING_DOWN_BYTES;
		break;
	case 3:
		e->request_at = UINT32_MAX;
		e->request_size = UINT64_MAX - 10;
		break;
	case 4: atomic_store(&ring.up->dones[e->sequence % RING_DEPTH].claim, 12345); break;
	case 5: e->extra = BROOD_JOB_FDS_MAX + 1; break;
	case 6: ring.prepared += RING_DEPTH; break;
	case 7:
		e->flags = RING_WITH;
		fake_with(&ring, e->sequence + 1, 0, NULL, 0);
		break;
	case 8:
		e->flags = RING_WITH;
		CHECK_EQ(write(ring.side, "nonsense", 8), 8);
		break;
	}
	fake_publish(&ring);
}

static void damaged(void)
{
	for (int how = 0; how <= 8; how++) {
		begin();
		fake_ring_job(&ring, nothing, 0);
		damage(how);
		CHECK_MSG(fake_exit_code(&fake) == 75, "way %d", how);
		CHECK_EQ(atomic_load(marked()), 0);
	}
}
Test(worker_ring, damaged_entry) { case_run(damaged, 30000); }

/* ---- the slot page ---- */

static void condemned_running(void)
{
	uint64_t word;

	begin();
	fake_push(&ring, waits, NULL, 0);
	CHECK(WAIT_UNTIL(atomic_load(&marked()[1]) == 1, 10000));
	word = SLOT_PAGE_WORD(ring.published, SLOT_PAGE_RUNNING);
	CHECK(atomic_compare_exchange_strong(
		&ring.page->word, &word, SLOT_PAGE_WORD(ring.published, SLOT_PAGE_CONDEMNED)));
	atomic_store(&marked()[2], 1);
	fake_push(&ring, marks, NULL, 0);
	CHECK(fake_silent(&fake, 100));
	CHECK_EQ(atomic_load(&ring.up->done), 0);
	CHECK_EQ(atomic_load(marked()), 0);
	CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit(&fake).status, SIGKILL);
}
Test(worker_ring, condemned_while_it_ran) { case_run(condemned_running, 20000); }

static void condemned_before(void)
{
	uint64_t word;

	begin();
	fake_ring_job(&ring, nothing, 0);
	word = SLOT_PAGE_WORD(ring.published, SLOT_PAGE_DONE);
	CHECK(atomic_compare_exchange_strong(
		&ring.page->word, &word, SLOT_PAGE_WORD(ring.published + 1, SLOT_PAGE_CONDEMNED)));
	fake_push(&ring, marks, NULL, 0);
	CHECK(fake_silent(&fake, 100));
	CHECK_EQ(atomic_load(marked()), 0);
	CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit(&fake).status, SIGKILL);
}
Test(worker_ring, condemned_before_it_began) { case_run(condemned_before, 20000); }

static int scribbles(struct brood_job *job)
{
	(void)job;
	atomic_store(&shared_slot_page(&fake.shared, 1)->word, 42);
	return 0;
}

static void scribbled(void)
{
	begin();
	fake_push(&ring, scribbles, NULL, 0);
	CHECK_EQ(fake_exit_code(&fake), 73);
}
Test(worker_ring, slot_page_that_makes_no_sense) { case_run(scribbled, 20000); }

static void soft_step(void)
{
	begin();
	for (int i = 1; i <= 20; i++) {
		fake_push(&ring, waits, NULL, 0);
		CHECK(WAIT_UNTIL(atomic_load(&marked()[1]) == i, 10000));
		fake_soft(&fake, ring.published);
		fake_done(&ring, 42);
	}
	fake_soft(&fake, ring.published); /* late */
	fake_ring_job(&ring, nothing, 0);
	finish();
}
Test(worker_ring, soft_step) { case_run(soft_step, 30000); }

/* ---- leaving ---- */

static void leaves(void)
{
	struct message_left left;
	uint64_t first;

	fake_init(&fake);
	fake_start(&fake);
	for (int round = 1; round <= 20; round++) {
		fake_grant(&fake, &ring);
		first = fake_push(&ring, waits, NULL, 0);
		fake_push(&ring, marks, NULL, 0);
		fake_push(&ring, marks, NULL, 0);
		CHECK(WAIT_UNTIL(atomic_load(&marked()[1]) == round, 10000));
		fake_ask_to_leave(&ring);
		atomic_store(&marked()[2], 1);
		left = fake_left(&ring);
		CHECK_EQ(left.sequence, first);
		CHECK_EQ(left.flags, 0);
		atomic_store(&marked()[2], 0);
		CHECK_EQ(fake_word(&fake), SLOT_PAGE_WORD(first, SLOT_PAGE_DONE));
		/* in the pool again: and no fd was left open by the lease */
		CHECK_EQ(fake_job(&fake, nothing).left, 0);
	}
	CHECK_EQ(atomic_load(marked()), 0);
	/* asked before it has looked into the ring at all */
	fake_grant(&fake, &ring);
	fake_push(&ring, nothing, NULL, 0);
	fake_leave(&ring);
	fake_grant(&fake, &ring);
	fake_ask_to_leave(&ring); /* said twice */
	left = fake_leave(&ring);
	CHECK_EQ(left.sequence, ring.base);
	CHECK_EQ(fake_job(&fake, nothing).left, 0);
	fake_end(&fake);
}
Test(worker_ring, leaves_in_the_middle) { case_run(leaves, 30000); }

static void ends(void)
{
	struct frame f;

	begin();
	fake_ring_job(&ring, nothing, 0);
	frame_begin(&f, MESSAGE_END);
	CHECK_EQ(frame_send(fake.channel, &f), 0);
	fake_attention(&ring);
	CHECK_EQ(fake_exit_code(&fake), 0);
	begin();
	close(fake.channel);
	fake_attention(&ring);
	CHECK_EQ(fake_exit_code(&fake), 0);
	begin();
	CHECK_EQ(send(fake.channel, "nonsense", 8, 0), 8);
	fake_attention(&ring);
	CHECK_EQ(fake_exit_code(&fake), 72);
	begin();
	frame_begin(&f, MESSAGE_RECALL); /* of some other lease: nobody's */
	f.recall.id = ring.lease - 1;
	CHECK_EQ(frame_send(fake.channel, &f), 0);
	fake_attention(&ring);
	fake_ring_job(&ring, nothing, 0);
	finish();
}
Test(worker_ring, end_on_lease) { case_run(ends, 20000); }

static void not_taken(void)
{
	struct frame f;

	fake_init(&fake);
	fake_start(&fake);
	frame_begin(&f, MESSAGE_GRANT);
	f.grant = (struct message_grant){ .id = 5, .sequence = fake.sequence };
	f.fds_count = LEASE_FDS;
	for (int i = 0; i < LEASE_FDS; i++)
		f.fds[i] = 1;
	CHECK_EQ(frame_send(fake.channel, &f), 0);
	fake_hear(&fake, &f, MESSAGE_LEFT);
	CHECK_EQ(f.left.id, 5);
	CHECK_EQ(f.left.flags, FINISHED_RETIRING | FINISHED_NO_FD);
	CHECK_EQ(f.left.sequence, fake.sequence);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
Test(worker_ring, grant_that_cannot_be_taken) { case_run(not_taken, 20000); }

/* An engine that is gone: nothing more is done, and the supervisor decides. */
static int sends_fds(struct brood_job *job)
{
	int out = 1;
	return brood_job_reply_fds(job, &out, 1);
}
static void link_gone(void)
{
	begin();
	fake_ring_job(&ring, nothing, 0);
	close(ring.side);
	ring.side = -1;
	fake_ring_job(&ring, nothing, 0); /* nobody looks */
	fake_push(&ring, sends_fds, NULL, 0);
	CHECK_EQ(fake_done_raw(&ring).flags, DONE_NO_ROOM);
	fake_push(&ring, marks, NULL, 0);
	CHECK(fake_silent(&fake, 100));
	CHECK_EQ(atomic_load(marked()), 0);
	CHECK_EQ(fake_leave(&ring).flags, 0);
	fake_end(&fake);
}
Test(worker_ring, link_gone) { case_run(link_gone, 20000); }
