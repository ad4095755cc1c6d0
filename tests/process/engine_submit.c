/* SPDX-License-Identifier: MIT */
/*
 * engine_submit.c - submitted jobs that are handed off, and the threads that wait for them. The
 * supervisor is a fake one.
 */
#include "engine.h"

#include "../../src/engine/engine_root.h"
#include "../../src/engine/lease_state.h"
#include "../../src/engine/queue.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(engine_submit, .timeout = 120);

static struct brood_queue *queue;

/* And nothing that came before will wake it. */
static bool somebody_leads(void)
{
	struct queue *l = (struct queue *)queue;
	bool leads;

	queue_lock(l);
	leads = l->sleep.leader && !peer_readable(l->inbox.wake_fd);
	queue_unlock(l);
	return leads;
}

static uint32_t sleepers(void)
{
	struct queue *l = (struct queue *)queue;
	uint32_t count;

	queue_lock(l);
	count = l->sleep.leader != NULL;
	list_for_each_safe(link, tmp, &l->sleep.followers)
		count++;
	queue_unlock(l);
	return count;
}

static void begin(uint32_t records)
{
	start(records);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queue), 0);
}

static void submit(brood_done_fn *on_done)
{
	const struct brood_job_options o = { .size = sizeof o, .queue = queue, .on_done = on_done };
	const struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = &o };

	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

static atomic_int came;

static void *wait_for_results(void *context)
{
	(void)context;
	intptr_t n = engine_queue_wait(queue, BROOD_FOREVER);

	atomic_fetch_add(&came, 1);
	return (void *)n;
}

/* ---- two threads, one result ---- */

/* The other thread leads by the time that the callback ends. */
static void told(void *context, const struct brood_result *result)
{
	(void)context;
	CHECK_EQ(result->verdict.outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(somebody_leads(), PEER_WAIT_MS));
}

static void last_callback(void)
{
	pthread_t threads[2];
	struct peer_job job;
	ssize_t results = 0;

	begin(4);
	submit(told);
	peer_job(&peer, &job);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_results, NULL), 0);
	CHECK(WAIT_UNTIL(sleepers() == 2, PEER_WAIT_MS));
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK(WAIT_UNTIL(atomic_load(&came) == 2, PEER_WAIT_MS)); /* no job is out any more */
	for (int i = 0; i < 2; i++)
		results += peer_join(threads[i]);
	CHECK_EQ(results, 1);
	engine_queue_free(queue);
}
Test(engine_submit, the_last_callback_lets_all_go) { case_run(last_callback, 30000); }

/* ---- what the kernel has no room for ---- */

/* As in engine_queue.c: more fds in flight than this user may have. */
static void few_in_flight(void)
{
	struct rlimit limit = { 100, 100 };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (geteuid() == 0)
		CHECK_EQ(setresuid(100000 + (uid_t)getpid(), 100000 + (uid_t)getpid(),
				 100000 + (uid_t)getpid()),
			0);
}

enum { FLIGHT = 25, EACH = 4 };

/* Each job takes several fds along, but few of its own here. */
static void submit_many(void)
{
	const int fds[EACH] = { 2, 2, 2, 2 };
	const struct brood_job_options o = {
		.size = sizeof o, .queue = queue, .fds = fds, .fds_count = EACH
	};
	const struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = &o };

	for (int i = 0; i < FLIGHT; i++)
		CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

static struct peer_job flying[FLIGHT];

/* fd: the queue's, if somebody polls it; else threads wait. */
static void all_arrive(int fd)
{
	for (int i = 0; i < FLIGHT; i++) {
		CHECK(WAIT_UNTIL(peer_readable(peer.channel) ||
				(fd >= 0 && peer_readable(fd) && engine_queue_dispatch(queue) < 0),
			PEER_WAIT_MS));
		peer_job(&peer, &flying[i]);
		peer_finish(&peer, &flying[i], BROOD_DONE);
	}
}

static void unsent_under_sleeper(void)
{
	pthread_t thread;
	struct peer_job job;

	begin(100);
	few_in_flight();
	submit(NULL);
	peer_job(&peer, &job);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_results, NULL), 0);
	CHECK(WAIT_UNTIL(sleepers() == 1, PEER_WAIT_MS));
	submit_many();
	/* the thread that sleeps has none of these jobs' verdicts, and sends them all the same */
	for (int i = 0; i < FLIGHT; i++) {
		peer_job(&peer, &flying[i]);
		flying[i].fd = close_fd(flying[i].fd);
	}
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK_GE(peer_join(thread), 1);
	engine_queue_free(queue);
}
Test(engine_submit, a_sleeping_thread_sends_what_waits) { case_run(unsent_under_sleeper, 30000); }

static void unsent_under_poller(void)
{
	int fd;

	begin(100);
	few_in_flight();
	fd = engine_queue_fd(queue);
	CHECK_GE(fd, 0);
	submit_many();
	all_arrive(fd);
	CHECK(WAIT_UNTIL(engine_queue_dispatch(queue) == 0, PEER_WAIT_MS));
	CHECK(WAIT_UNTIL(!peer_readable(fd) || engine_queue_dispatch(queue) < 0, PEER_WAIT_MS));
	engine_queue_free(queue);
}
Test(engine_submit, an_event_loop_sends_what_waits) { case_run(unsent_under_poller, 30000); }

/* ---- shortages ---- */

static struct brood_verdict take_one(const struct brood_result **ret)
{
	CHECK_EQ(engine_queue_wait(queue, (uint32_t)test_scaled(PEER_WAIT_MS)), 1);
	CHECK_EQ(engine_take(queue, ret, 1), 1);
	return (*ret)->verdict;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { LARGE = 64 << 20, ROOM = 24 << 20 };

static void *reply_at_large(void *context)
{
	static const char zeros[65536];
	struct peer_job *job = context;

	for (int i = 0; i < LARGE / (int)sizeof zeros; i++)
		CHECK(peer_write_all(job->fd, zeros, sizeof zeros));
	peer_finish(&peer, job, BROOD_DONE);
	return NULL;
}

static rlim_t memory_used(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages;

	CHECK(f);
	CHECK_EQ(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* The reply is lost, but it is read: the job comes to its end. */
static void no_memory_for_reply(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	const struct brood_result *result;
	struct brood_verdict v;
	struct peer_job job;
	pthread_t thread;

	begin(4);
	submit(NULL);
	peer_job(&peer, &job);
	CHECK_EQ(pthread_create(&thread, NULL, reply_at_large, &job), 0);
	limit.rlim_cur = memory_used() + ROOM;
	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	v = take_one(&result);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.reply_size, LARGE);
	CHECK(!result->reply);
	CHECK_EQ(result->reply_size, 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	engine_queue_free(queue);
}
Test(engine_submit, a_reply_without_memory_is_read) { case_run(no_memory_for_reply, 60000); }
#endif

/* All of a reply's fds, or none. */
static void no_files_for_reply(void)
{
	struct rlimit limit = { 0, 4096 };
	const struct brood_result *result;
	struct peer_job job;
	struct frame f;
	int before;

	begin(4);
	submit(NULL);
	peer_job(&peer, &job);
	frame_begin(&f, MESSAGE_VERDICT)->verdict.verdict =
		(struct brood_verdict){ .size = sizeof(struct brood_verdict),
			.id = job.id,
			.outcome = BROOD_DONE,
			.started = 1,
			.attempts = 1 };
	for (f.fds_count = 0; f.fds_count < 3; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	close_fd(job.fd);
	CHECK_EQ(frame_send(peer.channel, &f), 0);
	before = proc_own_fds();
	limit.rlim_cur = (rlim_t)dup(STDERR_FILENO) + 1; /* for one, and no more */
	close((int)limit.rlim_cur - 1);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(take_one(&result).outcome, BROOD_DONE);
	CHECK_EQ(result->fds_count, 0);
	limit.rlim_cur = 4096;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	/* the job's socket came with the first of the messages, and is closed */
	CHECK(WAIT_UNTIL(proc_own_fds() == before, PEER_WAIT_MS));
	engine_queue_free(queue);
}
Test(engine_submit, fds_of_a_reply_come_all_or_none) { case_run(no_files_for_reply, 30000); }

/* ---- leases that are asked for ---- */

struct wish {
	uint64_t lease, job;
};

static struct wish ask_for_lease(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	const struct engine_job job = { .fn = peer_fn_a, .name = "job", .options = &o };
	struct wish wish;
	struct frame f;

	peer_init(&peer);
	peer.options.dispatch = BROOD_PATH_AUTO;
	peer.options.leases = 1;
	peer_start(&peer, 8);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queue), 0);
	o.queue = queue;
	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, &wish.job), 0);
	peer_hear(&peer, &f, MESSAGE_LEASE);
	wish.lease = f.lease.id;
	frame_done(&f);
	return wish;
}

/* What the engine sends from now on has to wait. */
static void fill_channel(void)
{
	const char text[512] = { 0 };
	int engine = peer_engine_channel(&peer);

	for (size_t size = sizeof text; size > 0; size /= 8)
		while (send(engine, text, size, MSG_DONTWAIT) > 0)
			;
}

static void await(struct frame *f, enum message_type type)
{
	do
		CHECK(peer_readable_soon(peer.channel) &&
			recv(peer.channel, &f->header, FRAME_MAX, 0) > 0);
	while (f->header.type != type);
}

enum { BASE = 100 };

/* The job is in the ring, and its worker has it. */
static void begin_in_ring(uint64_t id)
{
	struct queue *l = (struct queue *)queue;
	struct lease *lease;
	struct frame f;

	frame_begin(&f, MESSAGE_GRANTED)->granted = (struct message_granted){
		.id = id, .pid = 4711, .generation = 1, .sequence = BASE
	};
	CHECK_EQ(frame_send(peer.channel, &f), 0);
	CHECK(WAIT_UNTIL(engine_queue_dispatch(queue) != 0 || l->leases.ringed == 1, PEER_WAIT_MS));
	lease = container_of(list_first(&l->leases.list), struct lease, link);
	atomic_store(&lease->up->dones[(BASE + 1) % RING_DEPTH].claim,
		CLAIM_WORD(BASE + 1, CLAIM_TAKEN));
}

/* The worker could not take its fds, and another one could; but nobody wants the job any more. */
static void cancelled_and_moved(void)
{
	struct wish wish = ask_for_lease();
	const struct brood_result *result;
	struct lease *lease;
	struct queue *l;
	struct frame f;

	begin_in_ring(wish.lease);
	CHECK_EQ(engine_cancel(peer.brood, wish.job), 0);
	peer_hear(&peer, &f, MESSAGE_LEASE_KILL);
	l = (struct queue *)queue;
	lease = container_of(list_first(&l->leases.list), struct lease, link);
	lease->up->dones[(BASE + 1) % RING_DEPTH] = (struct ring_done){ .sequence = BASE + 1,
		.flags = DONE_NO_FD,
		.claim = CLAIM_WORD(BASE + 1, CLAIM_TAKEN) };
	atomic_store(&lease->up->done, BASE + 1);
	CHECK_EQ(take_one(&result).outcome, BROOD_CANCELLED);
	engine_queue_free(queue);
}
Test(engine_submit, what_is_cancelled_is_not_moved) { case_run(cancelled_and_moved, 30000); }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
struct block {
	struct block *next;
};

static struct block *take_all_memory(void)
{
	struct rlimit limit = { 0, RLIM_INFINITY };
	struct block *first = NULL, *block;

	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	for (size_t size = 1 << 20; size >= sizeof *block; size /= 2)
		while ((block = malloc(size))) {
			block->next = first;
			first = block;
		}
	return first;
}

static void give_memory_back(struct block *block)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

/* Else the job would run on until its run_ms. */
static void kill_without_memory(void)
{
	struct wish wish = ask_for_lease();
	struct block *memory;
	pthread_t thread;
	struct frame f;

	begin_in_ring(wish.lease);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_results, NULL), 0);
	CHECK(WAIT_UNTIL(sleepers() == 1, PEER_WAIT_MS));
	fill_channel();
	memory = take_all_memory();
	CHECK_EQ(engine_cancel(peer.brood, wish.job), 0);
	give_memory_back(memory);
	await(&f, MESSAGE_LEASE_KILL);
	CHECK_EQ(f.lease_kill.id, wish.lease);
	CHECK_EQ(f.lease_kill.sequence, BASE + 1);
	CHECK_EQ(f.lease_kill.cause, LEASE_KILL_CANCEL);
	peer_hang_up(&peer);
	peer_join(thread);
	engine_queue_free(queue);
}
Test(engine_submit, a_kill_is_said_when_there_is_memory) { case_run(kill_without_memory, 60000); }
#endif

static void lost_wish(void)
{
	struct brood_stats before, after;

	ask_for_lease();
	engine_queue_free(queue);
	before = stats();
	peer_hang_up(&peer);
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	after = stats();
	CHECK_EQ(after.verdicts[BROOD_LOST], before.verdicts[BROOD_LOST]);
	CHECK_EQ(after.dropped, before.dropped);
}
Test(engine_submit, a_lost_wish_is_no_lost_job) { case_run(lost_wish, 30000); }

/* ---- init data, twice at once ---- */

static atomic_int tids[2];

static void *set_init_data(void *number)
{
	atomic_store(&tids[(intptr_t)number], gettid());
	return (void *)(intptr_t)engine_set_init_data(peer.brood->pools, NULL, 0, NULL, 0);
}

static void versions(void)
{
	struct frame f;
	pthread_t threads[2];
	ssize_t sum = 0;

	start(4);
	fill_channel();
	for (intptr_t i = 0; i < 2; i++) {
		CHECK_EQ(pthread_create(&threads[i], NULL, set_init_data, (void *)i), 0);
		CHECK(WAIT_UNTIL(atomic_load(&tids[i]) && proc_state(atomic_load(&tids[i])) == 'S',
			PEER_WAIT_MS));
	}
	/* the newer one took the other's place */
	await(&f, MESSAGE_INIT_DATA);
	CHECK_EQ(f.init_data.version, 2);
	for (int i = 0; i < 2; i++)
		sum += peer_join(threads[i]);
	CHECK_EQ(sum, 1 + 2);
}
Test(engine_submit, each_init_data_has_its_version) { case_run(versions, 30000); }
