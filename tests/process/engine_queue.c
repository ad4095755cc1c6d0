/* SPDX-License-Identifier: MIT */
/*
 * engine_queue.c - what the engine sends: many jobs at once, more than its socket takes, data for
 * workers, words for systemd. The supervisor is a fake one.
 */
#include "../helpers/case.h"
#include "../helpers/peer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(engine_queue, .timeout = 120);

static struct peer peer;

static void start(uint32_t records)
{
	peer_init(&peer);
	peer_start(&peer, records);
}

/* ---- a socket that is full ---- */

enum { MANY = 3000 };
static struct brood_handle *many[MANY];

static void drain_many(int count)
{
	uint64_t last = 0;
	struct frame f;

	for (int jobs = 0, cancels = 0; jobs < count || cancels < 1;) {
		CHECK(WAIT_UNTIL(peer_readable(peer.channel) ||
				(peer_readable(engine_fd(peer.brood)) &&
					engine_dispatch(peer.brood) < 0),
			PEER_WAIT_MS));
		CHECK_EQ(frame_receive(peer.channel, &f, MSG_DONTWAIT), 1);
		if (f.header.type == MESSAGE_JOB) {
			CHECK_GT(f.job.id, last); /* in order */
			last = f.job.id;
			jobs++;
			CHECK_EQ(f.fds_count, 1);
		} else {
			CHECK_EQ(f.header.type, MESSAGE_CANCEL);
			CHECK_EQ(f.about.id, last); /* behind its job, not before */
			CHECK_EQ(jobs, count);
			cancels++;
		}
		frame_done(&f);
		engine_dispatch(peer.brood);
	}
}

static void queue_for_loops(void)
{
	struct rlimit limit = { 8192, 8192 };
	int before, fds;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	start(MANY);
	CHECK(!peer_readable(engine_fd(peer.brood)));
	before = proc_own_fds();
	for (int i = 0; i < MANY; i++)
		many[i] = peer_open(&peer, peer_fn_a, NULL);
	CHECK_EQ(engine_cancel(peer.brood, engine_id(many[MANY - 1])), 0);
	fds = proc_own_fds();
	CHECK_GT(fds, before + 1000);                 /* most jobs wait, with their fds */
	CHECK(!peer_readable(engine_fd(peer.brood))); /* now nothing can be done about it */
	drain_many(MANY);
	CHECK_EQ(proc_own_fds(), before);
	CHECK(!peer_readable(engine_fd(peer.brood)));
	for (int i = 0; i < MANY; i++)
		engine_release(many[i]);
}
Test(engine_queue, a_full_socket_queues_in_order) { case_run(queue_for_loops, 60000); }

static void queue_lost(void)
{
	struct brood_verdict v;
	int before, started = 0;

	start(MANY);
	before = proc_own_fds();
	engine_fd(peer.brood);
	for (int i = 0; i < 700; i++)
		many[i] = peer_open(&peer, peer_fn_a, NULL);
	peer_hang_up(&peer);
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	for (int i = 0; i < 700; i++) {
		CHECK_EQ(engine_fetch(many[i], &v), 0);
		CHECK_EQ(v.outcome, BROOD_LOST);
		started += v.started != 0;
		engine_release(many[i]);
	}
	CHECK_GT(started, 0);
	/* a job that was never sent is known not to have started */
	CHECK_LT(started, 700);
	CHECK_EQ(proc_own_fds(), before - 2);
}
Test(engine_queue, a_queue_is_lost_with_the_channel) { case_run(queue_lost, 30000); }

static void *drain_later(void *context)
{
	struct frame f;

	/* The socket must be full first: otherwise nothing has to wait. */
	CHECK(WAIT_UNTIL(proc_state((pid_t)(intptr_t)context) == 'S', PEER_WAIT_MS));
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(frame_receive(peer.channel, &f, 0), 1);
		CHECK_EQ(f.header.type, MESSAGE_JOB);
		frame_done(&f);
	}
	return NULL;
}

/*
 * A program without brood_fd() may never call the library again. So nothing may be left unsent when
 * open() has returned and the supervisor reads.
 */
static void queue_for_others(void)
{
	pthread_t thread;

	start(MANY);
	CHECK_EQ(pthread_create(&thread, NULL, drain_later, (void *)(intptr_t)getpid()), 0);
	for (int i = 0; i < MANY; i++)
		engine_release(peer_open(&peer, peer_fn_a, NULL));
	/* all have arrived, and this process has called nothing more */
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
Test(engine_queue, open_sends_what_nobody_else_would) { case_run(queue_for_others, 60000); }

/*
 * One fd too many is in flight for this user: the kernel says ETOOMANYREFS, POLLOUT tells nothing,
 * and only waiting helps.
 */
static void too_many_refs(void)
{
	struct rlimit limit = { 100, 100 };
	struct frame f;
	int fd;

	start(1000);
	fd = engine_fd(peer.brood);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (geteuid() == 0)
		CHECK_EQ(setresuid(12345, 12345, 12345), 0);
	for (int i = 0; i < 150; i++)
		many[i] = peer_open(&peer, peer_fn_a, NULL);
	CHECK(peer_readable_soon(fd)); /* the timer */
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	for (int i = 0; i < 150; i++) {
		CHECK(WAIT_UNTIL(peer_readable(peer.channel) ||
				(peer_readable(fd) && engine_dispatch(peer.brood) < 0),
			PEER_WAIT_MS));
		CHECK_EQ(frame_receive(peer.channel, &f, MSG_DONTWAIT), 1);
		CHECK_EQ(f.job.id, engine_id(many[i]));
		CHECK_EQ(f.fds_count, 1);
		frame_done(&f);
	}
	CHECK(WAIT_UNTIL(!peer_readable(fd) || engine_dispatch(peer.brood) != 0, PEER_WAIT_MS));
	CHECK(!peer_readable(fd)); /* and the timer is off again */
}
Test(engine_queue, too_many_fds_in_flight) { case_run(too_many_refs, 30000); }

/* ---- init data and systemd ---- */

static void init_data(void)
{
	static const char bytes[] = "seventeen bytes!";
	int fds[BROOD_INIT_FDS_MAX + 1], memfd;
	struct frame f;
	char back[32];

	start(4);
	for (int i = 0; i <= BROOD_INIT_FDS_MAX; i++)
		fds[i] = 1;
	CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), bytes, sizeof bytes, fds, 2),
		1);
	CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), NULL, 0, NULL, 0), 2);
	CHECK_EQ(engine_set_init_data(
			 engine_pool(peer.brood, NULL), bytes, 1, fds, BROOD_INIT_FDS_MAX),
		3);
	CHECK_EQ(engine_set_init_data(
			 engine_pool(peer.brood, NULL), bytes, 1, fds, BROOD_INIT_FDS_MAX + 1),
		-E2BIG);
	CHECK_EQ(engine_set_init_data(
			 engine_pool(peer.brood, NULL), bytes, (1ull << 30) + 1, NULL, 0),
		-E2BIG);
	CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), NULL, 1, NULL, 0), -EINVAL);
	fds[0] = 999;
	CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), NULL, 0, fds, 1), -EBADF);
	fds[0] = 1;
	/* failures use no version up */
	CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), NULL, 0, fds, 1), 4);

	peer_hear(&peer, &f, MESSAGE_INIT_DATA);
	CHECK_EQ(f.init_data.version, 1);
	CHECK_EQ(f.init_data.data_size, sizeof bytes);
	CHECK_EQ(f.init_data.fds_count, 2);
	CHECK_EQ(f.fds_count, 3);
	memfd = frame_take_fd(&f, 0);
	CHECK_EQ(pread(memfd, back, sizeof back, 0), sizeof bytes);
	CHECK_MEM(back, bytes, sizeof bytes);
	CHECK_EQ(fcntl(memfd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK),
		F_SEAL_WRITE | F_SEAL_SHRINK);
	frame_done(&f);
	peer_hear(&peer, &f, MESSAGE_INIT_DATA);
	CHECK_EQ(f.fds_count, 0);
	frame_done(&f);
	peer_hear(&peer, &f, MESSAGE_INIT_DATA);
	CHECK_EQ(f.fds_count, BROOD_INIT_FDS_MAX + 1);
	frame_done(&f);
	peer_hear(&peer, &f, MESSAGE_INIT_DATA);
	CHECK_EQ(f.init_data.version, 4);
	frame_done(&f);
}
Test(engine_queue, init_data_has_versions) { case_run(init_data, 10000); }

static const char *words_of(const struct frame *f)
{
	static char text[MESSAGE_ARG_MAX + 1];

	memcpy(text, frame_rest(f), f->notify.arg_size);
	text[f->notify.arg_size] = '\0';
	return text;
}

static void notify(void)
{
	char longer[300];
	struct frame f;

	start(4);
	memset(longer, 'y', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_STATUS, "one\nREADY=1"), 0);
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_READY, NULL), 0);
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_READY, NULL), 0);
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_STATUS, longer), 0);
	peer_hear(&peer, &f, MESSAGE_NOTIFY);
	CHECK_STR(words_of(&f), "one READY=1");
	peer_hear(&peer, &f, MESSAGE_NOTIFY);
	CHECK_EQ(f.notify.kind, NOTIFY_READY);
	peer_hear(&peer, &f, MESSAGE_NOTIFY);
	CHECK_EQ(f.notify.kind, NOTIFY_STATUS);
	CHECK_EQ(strlen(words_of(&f)), 200);
	CHECK(peer_silent(&peer));
}
Test(engine_queue, notify) { case_run(notify, 10000); }

/*
 * Of status messages the newest alone waits for room. READY is sent once, and no status replaces
 * it.
 */
static void newest_waits(void)
{
	int jobs = 0, data = 0, readies = 0, before;
	char status[16] = "";
	struct frame f;

	start(MANY);
	engine_fd(peer.brood);
	for (int i = 0; i < 1000; i++)
		engine_release(peer_open(&peer, peer_fn_a, NULL));
	before = proc_own_fds();
	CHECK_EQ(engine_notify(peer.brood, NOTIFY_READY, NULL), 0);
	for (int i = 1; i <= 5; i++) {
		char text[16] = { (char)('0' + i) };

		CHECK_EQ(engine_set_init_data(engine_pool(peer.brood, NULL), text, 1, NULL, 0), i);
		CHECK_EQ(engine_notify(peer.brood, NOTIFY_STATUS, text), 0);
	}
	CHECK_EQ(proc_own_fds(), before + 1);
	while (WAIT_UNTIL(peer_readable(peer.channel) || engine_dispatch(peer.brood) < 0 ||
			peer_readable(peer.channel),
		50)) {
		CHECK_EQ(frame_receive(peer.channel, &f, MSG_DONTWAIT), 1);
		jobs += f.header.type == MESSAGE_JOB;
		data += f.header.type == MESSAGE_INIT_DATA;
		if (f.header.type == MESSAGE_INIT_DATA)
			CHECK_EQ(f.init_data.version, 5);
		if (f.header.type == MESSAGE_NOTIFY && f.notify.kind == NOTIFY_READY)
			readies++;
		else if (f.header.type == MESSAGE_NOTIFY)
			snprintf(status, sizeof status, "%.15s", words_of(&f));
		frame_done(&f);
		engine_dispatch(peer.brood);
	}
	CHECK_EQ(jobs, 1000);
	CHECK_EQ(data, 1);
	CHECK_EQ(readies, 1);
	CHECK_STR(status, "5");
}
Test(engine_queue, the_newest_state_waits_alone) { case_run(newest_waits, 30000); }

/* One of the messages that the next test queues, as the supervisor gets it. */
static bool hear_next(struct frame *f)
{
	for (;;) {
		if (!WAIT_UNTIL(peer_readable(peer.channel) || engine_dispatch(peer.brood) < 0 ||
				    peer_readable(peer.channel),
			    PEER_WAIT_MS))
			return false;
		CHECK_EQ(frame_receive(peer.channel, f, MSG_DONTWAIT), 1);
		frame_done(f);
		engine_dispatch(peer.brood);
		if (f->header.type != MESSAGE_JOB)
			return true;
	}
}

/*
 * A reload that waits for room is about the init data that the program set before it, though a
 * newer one has replaced that. A newer reload is about all init data before it.
 */
static void order(void)
{
	struct brood_pool *pool;
	uint64_t reload = 0;
	struct frame f;

	start(MANY);
	engine_fd(peer.brood);
	pool = engine_pool(peer.brood, NULL);
	for (int i = 0; i < 1000; i++)
		engine_release(peer_open(&peer, peer_fn_a, NULL));
	CHECK_EQ(engine_set_init_data(pool, "1", 1, NULL, 0), 1);
	CHECK_EQ(engine_reload(peer.brood, NULL, &reload), 0);
	CHECK_EQ(engine_pool_resize(pool, 1, 1), 0);
	CHECK_EQ(engine_set_init_data(pool, "2", 1, NULL, 0), 2); /* first still */
	CHECK_EQ(engine_reload(peer.brood, pool, &reload), 0);    /* of this pool alone: another */
	CHECK_EQ(engine_set_init_data(pool, "3", 1, NULL, 0), 3);
	CHECK_EQ(engine_pool_resize(pool, 2, 2), 0);
	CHECK_EQ(engine_reload(peer.brood, NULL, &reload), 0); /* replaces the first, and is last */
	CHECK(hear_next(&f));
	CHECK_EQ(f.header.type, MESSAGE_INIT_DATA);
	CHECK_EQ(f.init_data.version, 3);
	CHECK(hear_next(&f));
	CHECK_EQ(f.header.type, MESSAGE_RESIZE);
	CHECK_EQ(f.asked.resize.max, 2);
	CHECK(hear_next(&f));
	CHECK_EQ(f.header.type, MESSAGE_RELOAD);
	CHECK_EQ(f.reload.pool, 0);
	CHECK(hear_next(&f));
	CHECK_EQ(f.header.type, MESSAGE_RELOAD);
	CHECK_EQ(f.reload.pool, MESSAGE_ALL_POOLS);
	CHECK_EQ(f.reload.id, reload);
}
Test(engine_queue, a_reload_stays_behind_its_init_data) { case_run(order, 30000); }
