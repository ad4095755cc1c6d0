/* SPDX-License-Identifier: MIT */
/*
 * race_worker.c - the real worker against an engine that this program plays: they race for each
 * word of wire/ring.h, some hundred thousand times. tests/all/models links this program with
 * mutants of the worker's code, and each must be caught here. Ends with 0 and "no word was lost",
 * or by a CHECK.
 *
 * Nothing is judged by the clock. A wake-up is lost if the worker is blocked in futex() although
 * something is there for it; or if it has gone to sleep, or on to the next job, and nobody was
 * told. /proc/PID/syscall says in which call the worker is blocked.
 */
#include "../helpers/fake_ring.h"

#include "../../src/base/base.h"
#include "../../src/os/futex.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 2

static struct fake fake;
static struct fake_ring ring;
/* what jobs write and wait for */
static struct seen {
	_Atomic uint64_t ran, held, go;
} * seen;

static unsigned random_state = 1;
static unsigned dice(unsigned sides)
{
	random_state = random_state * 1103515245u + 12345u;
	return (random_state >> 8) % sides;
}

/* Most are about as long as the end of a job; some are longer than a worker spins. */
static void a_moment(void)
{
	static const unsigned most[] = { 120, 300, 600, 30000 };

	for (volatile unsigned i = dice(most[dice(4)]); i > 0; i--)
		;
}

static int runs(struct brood_job *job)
{
	(void)job;
	atomic_fetch_add(&seen->ran, 1);
	return 0;
}

static int holds(struct brood_job *job)
{
	uint64_t mine = atomic_fetch_add(&seen->held, 1) + 1;

	(void)job;
	while (atomic_load(&seen->go) < mine)
		;
	return 0;
}

/* True: the worker is blocked in this system call. */
static bool blocked_in(long call)
{
	char path[64], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/syscall", (int)fake.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_GE(fd, 0);
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 && text[0] >= '0' && text[0] <= '9' && strtol(text, NULL, 10) == call;
}

static bool done(uint64_t sequence) { return atomic_load(&ring.up->done) >= sequence; }

/* ---- down ---- */

/*
 * The engine itself spins. The worker sleeps, or is about to: it is blocked, and looked at only
 * after the wake-up was sent.
 */
static void spin_for(uint64_t sequence)
{
	uint64_t look = now_ns() + LOOK_MS * NS_PER_MS;

	while (!done(sequence)) {
		if (now_ns() < look)
			continue;
		CHECK_MSG(!blocked_in(SYS_futex) || done(sequence),
			"lost: job %ju is published, and the worker sleeps", (uintmax_t)sequence);
		look = now_ns() + LOOK_MS * NS_PER_MS;
	}
}

static void take(void)
{
	struct ring_done d = fake_done_raw(&ring);

	CHECK_EQ(d.code, 0);
}

/* ---- a job that runs until the engine lets it go ---- */

static uint64_t hold(uint16_t flags)
{
	uint64_t sequence = ring.prepared + 1, held = atomic_load(&seen->held);
	struct ring_entry *e = fake_entry(&ring, holds, NULL, 0);

	e->flags |= flags;
	atomic_store(&ring.up->callers[sequence % RING_DEPTH], CALLER_WORD(sequence, CALLER_NONE));
	fake_publish(&ring);
	for (uint64_t look = now_ns() + LOOK_MS * NS_PER_MS; atomic_load(&seen->held) == held;) {
		if (now_ns() < look)
			continue;
		CHECK_MSG(!blocked_in(SYS_futex) || atomic_load(&seen->held) != held,
			"lost: job %ju is published, and the worker sleeps", (uintmax_t)sequence);
		look = now_ns() + LOOK_MS * NS_PER_MS;
	}
	return sequence;
}

/* The job ends while the engine does what comes next. */
static void let_go(void)
{
	atomic_store(&seen->go, atomic_load(&seen->held));
	a_moment();
}

/* A message comes as the worker goes to sleep. */
static void attention(void)
{
	uint64_t look = now_ns() + LOOK_MS * NS_PER_MS, sequence = hold(0);
	struct frame f;

	frame_begin(&f, MESSAGE_RECALL);
	f.recall.id = ring.lease + 1000; /* of no lease: the worker reads it, and goes on */
	CHECK_EQ(frame_send(fake.channel, &f), 0);
	let_go();
	fake_attention(&ring);
	while (atomic_load(&ring.page->attention)) {
		if (now_ns() < look)
			continue;
		CHECK_MSG(!blocked_in(SYS_futex) || !atomic_load(&ring.page->attention),
			"lost: a message waits, and the worker sleeps");
		look = now_ns() + LOOK_MS * NS_PER_MS;
	}
	spin_for(sequence);
	take();
}

/* ---- up ---- */

/* The engine listens, looks once more, and sleeps. */
static void sleep_for(uint64_t sequence)
{
	struct pollfd p = { .fd = ring.done_fd, .events = POLLIN };
	uint64_t count;

	atomic_store(&ring.queue->listening, 1);
	while (!done(sequence)) {
		if (poll(&p, 1, LOOK_MS) == 0) {
			bool asleep = blocked_in(SYS_futex);

			CHECK_MSG(!asleep || poll(&p, 1, 0) > 0,
				"lost: job %ju, done %ju; the worker sleeps, and nobody was told",
				(uintmax_t)sequence, (uintmax_t)atomic_load(&ring.up->done));
		}
		(void)!read(ring.done_fd, &count, sizeof count);
	}
	atomic_store_explicit(&ring.queue->listening, 0, memory_order_relaxed);
}

/* A thread sleeps for this very job. */
static void call_for(uint64_t sequence)
{
	_Atomic uint32_t *word = &ring.up->callers[sequence % RING_DEPTH];

	atomic_store(word, CALLER_WORD(sequence, CALLER_SLEEPS));
	if (done(sequence))
		return;
	while (atomic_load(word) == CALLER_WORD(sequence, CALLER_SLEEPS)) {
		futex_wait(
			word, CALLER_WORD(sequence, CALLER_SLEEPS), now_ns() + LOOK_MS * NS_PER_MS);
		CHECK_MSG(!blocked_in(SYS_futex) ||
				atomic_load(word) != CALLER_WORD(sequence, CALLER_SLEEPS),
			"lost: job %ju is done, and its caller sleeps", (uintmax_t)sequence);
	}
}

/* ---- rounds ---- */

/* The next job is published as the worker goes to sleep. */
static void publish(void)
{
	uint64_t sequence = hold(0);

	fake_entry(&ring, runs, NULL, 0);
	let_go();
	fake_publish(&ring);
	spin_for(sequence + 1);
	take();
	take();
}

/* A thread goes to sleep as the job ends. */
static void fall_asleep(void)
{
	uint64_t sequence = hold(0);

	let_go();
	sleep_for(sequence);
	take();
}

static void call(void)
{
	uint64_t sequence = hold(RING_CALLER);

	let_go();
	call_for(sequence);
	spin_for(sequence);
	take();
}

/* The engine takes the job back, while the worker takes it. */
static void withdrawal(void)
{
	uint64_t ran = atomic_load(&seen->ran), first = hold(0), sequence;
	bool mine;

	sequence = fake_push(&ring, runs, NULL, 0);
	let_go();
	mine = ring_withdraw(ring.up->dones, sequence);
	spin_for(first);
	take();
	spin_for(sequence);
	CHECK_MSG(atomic_load(&seen->ran) - ran == !mine, "job %ju: %s, and it ran %ju times",
		(uintmax_t)sequence, mine ? "withdrawn" : "not withdrawn",
		(uintmax_t)(atomic_load(&seen->ran) - ran));
	if (mine) {
		ring.seen = sequence;
		atomic_store(&ring.down->collected, sequence);
	} else {
		take();
	}
}

/* The second job runs for long. What the first one did is told meanwhile. */
static void long_second(void)
{
	struct pollfd p = { .fd = ring.done_fd, .events = POLLIN };
	uint64_t count, held = atomic_load(&seen->held) + 1;

	(void)!read(ring.done_fd, &count, sizeof count);
	atomic_store(&ring.queue->listening, 1);
	fake_entry(&ring, runs, NULL, 0);
	fake_entry(&ring, holds, NULL, 0);
	fake_publish(&ring);
	CHECK(WAIT_UNTIL(atomic_load(&seen->held) == held, 20000));
	CHECK_MSG(poll(&p, 1, 0) == 1, "lost: nobody was told of a job, and the next one runs");
	take();
	atomic_store(&ring.queue->listening, 1);
	atomic_store(&seen->go, held);
	sleep_for(ring.published);
	take();
}

/* A job that was condemned while it ran does not come to its end, and there is no next job. */
static void condemned(void)
{
	uint64_t held = atomic_load(&seen->held) + 1, running, before = atomic_load(&ring.up->done);
	uint64_t sequence;

	sequence = fake_push(&ring, holds, NULL, 0);
	fake_push(&ring, runs, NULL, 0);
	CHECK(WAIT_UNTIL(atomic_load(&seen->held) == held, 20000));
	running = SLOT_PAGE_WORD(sequence, SLOT_PAGE_RUNNING);
	CHECK(atomic_compare_exchange_strong(
		&ring.page->word, &running, SLOT_PAGE_WORD(sequence, SLOT_PAGE_CONDEMNED)));
	atomic_store(&seen->go, held);
	CHECK(WAIT_UNTIL(blocked_in(SYS_pause) || atomic_load(&ring.up->done) != before, 20000));
	CHECK_MSG(atomic_load(&ring.up->done) == before, "a condemned job has come to its end");
}

static void race(int rounds)
{
	fake_init(&fake);
	fake_start(&fake);
	fake_grant(&fake, &ring);
	for (int i = 0; i < rounds; i++) {
		publish();
		fall_asleep();
		call();
		withdrawal();
		attention();
		if (i % 16 == 0)
			long_second();
	}
	condemned();
	CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGKILL), 0);
	fake_exit(&fake);
	printf("race_worker: %ju jobs, no word was lost\n", (uintmax_t)ring.published);
	fflush(stdout);
	_exit(0);
}

/* A failed CHECK() ends the process that plays the engine; its worker ends with it. */
int main(int argc, char **argv)
{
	struct report *report = report_create();
	int status;
	pid_t pid;

	random_state = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!report || seen == MAP_FAILED)
		return 2;
	pid = fork();
	if (pid == 0)
		race(argc > 1 ? atoi(argv[1]) : 2000);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 2;
	fputs(report->text, stdout);
	return status != 0;
}
