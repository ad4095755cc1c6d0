/* SPDX-License-Identifier: MIT */
/* stage.c - see stage.h. */
#define _GNU_SOURCE
#include "stage.h"

#include "../../src/guard/guard.h"
#include "../../src/os/fds.h"
#include "../../src/os/process.h"
#include "../../src/os/sockets.h"
#include "../../src/front/resolve.h"
#include "../../src/spawner/spawner.h"
#include "../../src/supervisor/supervisor.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct arrival {
	pid_t pid;
	uint32_t slot, generation;
};
/* At the start of case_shared(): what soft steps have brought. */
struct marks {
	_Atomic uint64_t soft[STAGE_WORKERS];
};

static int births_fd = -1; /* the workers' end */
static uint32_t my_slot;
static struct slot_page *my_slot_page;

static struct marks *marks(void) { return case_shared(); }

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r == 1;
}

/* ---- a worker ---- */

static void on_soft(int sig)
{
	(void)sig;
	atomic_store(&marks()->soft[my_slot], atomic_load(&my_slot_page->soft));
}

static void __attribute__((noreturn)) play_worker(struct worker_config *config)
{
	struct sigaction action = { .sa_handler = on_soft, .sa_flags = SA_RESTART };
	struct arrival birth = { getpid(), config->slot, config->generation };
	struct iovec iov = { &birth, sizeof birth };
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	my_slot = config->slot;
	my_slot_page = shared_slot_page(config->shared, config->slot);
	atomic_store(&marks()->soft[my_slot], 0);
	atomic_store(&config->shared->roster->workers[config->slot].pid, getpid());
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (sockets_send(births_fd, &iov, 1, &config->channel_fd, 1) < 0)
		_exit(97);
	fds_close_all_but(NULL, 0);
	for (;;)
		pause();
}

struct stage_worker *stage_birth(struct stage *s)
{
	struct sockets_received got;
	struct stage_worker *w;
	struct arrival birth;

	CHECK(readable(s->births, test_scaled(STAGE_MS)));
	CHECK_EQ(sockets_receive(s->births, &birth, sizeof birth, MSG_DONTWAIT, &got),
		(ssize_t)sizeof birth);
	CHECK_EQ(got.fds_count, 1);
	w = &s->workers[birth.slot];
	close_fd(w->channel);
	*w = (struct stage_worker){ .pid = birth.pid,
		.channel = got.fds[0],
		.slot = birth.slot,
		.generation = birth.generation };
	return w;
}

void stage_ready(struct stage_worker *w)
{
	struct frame f;

	frame_begin(&f, MESSAGE_READY)->birth.ready = (struct message_ready){ .pid = w->pid,
		.generation = w->generation };
	stage_say(w->channel, &f);
}

struct stage_worker *stage_reborn(struct stage *s)
{
	struct stage_worker *w = stage_birth(s);

	stage_ready(w);
	return w;
}

void stage_die(struct stage_worker *w, int sig)
{
	CHECK_EQ(kill(w->pid, sig), 0);
	w->channel = close_fd(w->channel);
}

bool stage_dies(struct stage_worker *w)
{
	bool gone = proc_wait_gone(w->pid, STAGE_MS);

	w->channel = close_fd(w->channel);
	return gone;
}

uint64_t stage_soft(const struct stage_worker *w) { return atomic_load(&marks()->soft[w->slot]); }

/* ---- all of them ---- */

/* The supervisor's log lines go to s->log. */
static void drop_line(void *context, const struct brood_log *log)
{
	(void)context;
	(void)log;
}

void stage_init(struct stage *s, uint32_t workers)
{
	memset(s, 0, sizeof *s);
	s->options = (struct brood_options){
		.size = sizeof s->options,
		.workers = workers,
		.backlog = 32,
		.drain_ms = 20000,
		.stop_ms = 100,
		.grace_ms = 30,
		/* else a worker ends with its pinned lease */
		.flags = BROOD_NO_CORE | BROOD_LEASE_REUSE,
		.log = drop_line,
	};
	s->spawner = spawner_main;
	s->id = 1000;
	for (size_t i = 0; i < STAGE_WORKERS; i++)
		s->workers[i].channel = -1;
}

static bool pool_is(struct stage *s, uint32_t idle)
{
	return atomic_load(&s->shared.stats_page->idle) == idle;
}

static void begin_all(struct stage *s)
{
	for (uint32_t i = 0; i < s->options.workers; i++)
		stage_reborn(s);
	CHECK(WAIT_UNTIL(pool_is(s, s->options.workers), STAGE_MS));
}

void stage_start(struct stage *s)
{
	static struct resolved resolved;
	static struct delegated delegated = { .state = DELEGATED_NOT, .fd = -1 };
	struct supervisor_config config = { .shared = &s->shared,
		.notify = { .fd = -1 },
		.delegated = &delegated,
		.records = s->options.workers + s->options.backlog,
		.worker_main = play_worker,
		.guard_main = guard_main,
		.spawner_main = s->spawner };
	struct supervisor *supervisor;
	int messages[2], logs[2], births[2], keep[1];
	pid_t pid;

	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, messages), 0);
	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, logs), 0);
	CHECK_EQ(sockets_pair(SOCK_SEQPACKET, births), 0);
	if (s->room)
		CHECK_EQ(setsockopt(messages[1], SOL_SOCKET, SO_SNDBUF, &s->room, sizeof s->room),
			0);
	keep[0] = births_fd = births[1];
	s->options.keep_fds = keep;
	s->options.keep_fds_count = 1;
	CHECK_EQ(resolve_options(&s->options, &resolved), 0);
	CHECK_EQ(shared_create(s->options.workers, 1, &s->shared), 0);
	resolved.setups[0].places = s->options.workers; /* no spare ones */
	config.pools = resolved.pools;
	config.options = &resolved.options;
	config.channel_fd = messages[1];
	config.log_fd = logs[1];
	signals_save(&config.signals);
	CHECK_EQ(supervisor_prepare(&config, &supervisor), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (pid > 0)
		supervisor_run(supervisor, pid, process_pidfd_open(pid));
	supervisor_leave(supervisor);
	close_fd(births[1]);
	s->channel = messages[0];
	s->log = logs[0];
	s->births = births[0];
	begin_all(s);
}

void stage_end(struct stage *s)
{
	for (uint32_t i = 0; i < s->options.workers; i++)
		if (s->workers[i].channel >= 0)
			kill(s->workers[i].pid, SIGKILL);
	for (uint32_t i = 0; i < s->options.workers; i++)
		close_fd(s->workers[i].channel);
	close_fd(s->channel);
	close_fd(s->log);
	close_fd(s->births);
}

/* ---- messages ---- */

void stage_hear(int channel, struct frame *f, enum message_type type)
{
	do {
		CHECK_MSG(
			readable(channel, test_scaled(STAGE_MS)), "waited for type %d", (int)type);
		CHECK_EQ(frame_receive(channel, f, MSG_DONTWAIT), 1);
	} while (f->header.type == MESSAGE_POOL_READY && type != MESSAGE_POOL_READY);
	CHECK_EQ(f->header.type, type);
}

bool stage_quiet(int channel) { return !readable(channel, 0); }

void stage_say(int channel, struct frame *f)
{
	struct pollfd out = { .fd = channel, .events = POLLOUT };
	int r;

	while ((r = frame_send(channel, f)) == -EAGAIN)
		CHECK_GT(poll(&out, 1, test_scaled(STAGE_MS)), 0);
	CHECK_EQ(r, 0);
}

/* ---- leases ---- */

uint64_t stage_ask_with(struct stage *s, const struct message_lease *m)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE)->lease = *m;
	f.lease.id = ++s->id;
	f.lease.given_ns = now_ns();
	f.lease.lease_page = (uint32_t)(s->id % s->shared.lease_pages_count);
	for (f.fds_count = 0; f.fds_count < LEASE_FDS; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	stage_say(s->channel, &f);
	return s->id;
}

uint64_t stage_ask(struct stage *s, uint32_t flags)
{
	return stage_ask_with(s,
		&(struct message_lease){
			.queue_ms = BROOD_FOREVER, .limit_ms = BROOD_FOREVER, .flags = flags });
}

struct stage_worker *stage_granted(struct stage *s, uint64_t id, struct message_granted *ret)
{
	struct stage_worker *w;
	struct frame f;

	stage_hear(s->channel, &f, MESSAGE_GRANTED);
	CHECK_EQ(f.granted.id, id);
	*ret = f.granted;
	w = &s->workers[f.granted.slot];
	w->lease = id;
	CHECK_EQ(f.granted.pid, w->pid);
	CHECK_EQ(f.granted.generation, w->generation);
	stage_hear(w->channel, &f, MESSAGE_GRANT);
	CHECK_EQ(f.grant.id, id);
	CHECK_EQ(f.grant.sequence, ret->sequence);
	CHECK_EQ(f.fds_count, LEASE_FDS);
	frame_done(&f);
	CHECK_EQ(atomic_load(&stage_slot_page(s, w)->word),
		SLOT_PAGE_WORD(ret->sequence, SLOT_PAGE_FREE));
	CHECK_EQ(atomic_load(&stage_lease_page(s, w)->published), ret->sequence);
	CHECK_EQ(atomic_load(&stage_lease_page(s, w)->leaving), 0);
	return w;
}

void stage_left(struct stage_worker *w, uint64_t id, uint64_t sequence, uint32_t flags)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEFT)->left =
		(struct message_left){ .id = id, .sequence = sequence, .flags = flags };
	stage_say(w->channel, &f);
}

void stage_leave(struct stage_worker *w, uint64_t id)
{
	struct frame f;

	stage_hear(w->channel, &f, MESSAGE_RECALL);
	CHECK_EQ(f.recall.id, id);
}

struct message_lease_over stage_over(struct stage *s, uint64_t id, uint32_t how)
{
	struct frame f;

	stage_hear(s->channel, &f, MESSAGE_LEASE_OVER);
	CHECK_EQ(f.lease_over.id, id);
	CHECK_EQ(f.lease_over.how, how);
	return f.lease_over;
}

void stage_about(struct stage *s, enum message_type type, uint64_t id)
{
	struct frame f;

	frame_begin(&f, type)->about.id = id;
	stage_say(s->channel, &f);
}

void stage_kill(struct stage *s, uint64_t id, uint64_t sequence, uint32_t cause)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_KILL)->lease_kill =
		(struct message_lease_kill){ .id = id, .sequence = sequence, .cause = cause };
	stage_say(s->channel, &f);
}

/*
 * Does what the engine's library does: writes an entry, publishes it, then looks when the
 * supervisor will look next.
 */
void stage_publish(struct stage *s, const struct stage_worker *w, uint64_t sequence,
	const struct stage_limits *limits)
{
	struct lease_page *lease_page = stage_lease_page(s, w);

	lease_page->entries[sequence % RING_DEPTH] = (struct lease_page_entry){ .id = sequence,
		.run_ms = limits->run_ms,
		.grace_ms = limits->grace_ms,
		.flags = limits->flags };
	atomic_store(&lease_page->published, sequence);
	if (now_ns() + limits->run_ms * NS_PER_MS < atomic_load(&lease_page->look_at))
		stage_about(s, MESSAGE_LEASE_LOOK, w->lease);
}

void stage_word(struct stage *s, const struct stage_worker *w, uint64_t sequence,
	enum slot_page_state state)
{
	if (state == SLOT_PAGE_RUNNING)
		atomic_store(&stage_slot_page(s, w)->began_ns, now_ns());
	atomic_store(&stage_slot_page(s, w)->word, SLOT_PAGE_WORD(sequence, state));
}

/* ---- handed-off jobs ---- */

uint64_t stage_job_with(struct stage *s, const struct message_job *m, size_t extra)
{
	struct frame f;

	frame_begin(&f, MESSAGE_JOB)->job = *m;
	f.job.id = ++s->id;
	f.job.given_ns = now_ns();
	f.job.fn = f.job.plugin_size ? 0 : 4711;
	for (f.fds_count = 0; f.fds_count < 1 + extra; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	stage_say(s->channel, &f);
	return s->id;
}

uint64_t stage_job(struct stage *s)
{
	return stage_job_with(s,
		&(struct message_job){ .queue_ms = BROOD_FOREVER,
			.run_ms = BROOD_FOREVER,
			.grace_ms = 30,
			.name = "played" },
		0);
}

struct message_run stage_run(struct stage_worker *w, uint64_t id)
{
	struct frame f;

	stage_hear(w->channel, &f, MESSAGE_RUN);
	CHECK_EQ(f.run.id, id);
	frame_done(&f);
	return f.run;
}

void stage_finish(struct stage *s, struct stage_worker *w, const struct message_run *run)
{
	struct frame f;

	stage_word(s, w, run->sequence, SLOT_PAGE_DONE);
	frame_begin(&f, MESSAGE_FINISHED)->finished = (struct message_finished){ .id = run->id,
		.sequence = run->sequence };
	stage_say(w->channel, &f);
}

struct brood_verdict stage_verdict(struct stage *s, uint64_t id)
{
	struct frame f;

	stage_hear(s->channel, &f, MESSAGE_VERDICT);
	CHECK_EQ(f.verdict.verdict.id, id);
	frame_done(&f);
	return f.verdict.verdict;
}

const struct stage_limits stage_forever = { BROOD_FOREVER, 30, 0 };

bool stage_stats_page(
	struct stage *s, uint32_t idle, uint32_t busy, uint32_t leased, uint32_t queued)
{
	struct stats_page *b = s->shared.stats_page;

	return atomic_load(&b->idle) == idle && atomic_load(&b->busy) == busy &&
		atomic_load(&b->leased) == leased && atomic_load(&b->queued) == queued;
}
