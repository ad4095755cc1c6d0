/* SPDX-License-Identifier: MIT */
/*
 * worker_peer.c - reads workers' messages. A table says which message is allowed in which state of
 * the slot. A worker that sends any other message is killed (law 5). A wake-up of the loop reads
 * one message: epoll is level-triggered, so the loop comes back for more. When a worker dies, its
 * channel is first read to the end (worker_peer_drain()).
 */
#include "worker_peer.h"
#include "death_log.h"
#include "grant.h"
#include "pool.h"
#include "reload.h"
#include "renew.h"
#include "size.h"
#include "status_page.h"
#include "strays.h"
#include "verdict.h"
#include "waiting.h"
#include "../base/printable.h"
#include "../os/self.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

/* ---- one function for each cell of the table ---- */

void worker_peer_healthy_fired(struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, healthy_timer);

	(void)now;
	if (slot->link.state != SLOT_ENDING && slot->link.state != SLOT_UNDEAD)
		pool_worker_is_well(slot, "stay alive");
}

/*
 * Logs that workers cannot see what jobs leave behind. Said once for each pool: the cause is the
 * machine or worker_init, so all workers have it.
 */
static void say_blind(struct slot *slot, uint32_t blind)
{
	struct pool *pool = slot->pool;

	if (blind == 0 || pool->blind_said)
		return;
	pool->blind_said = true;
	pool_log(slot->pool, BROOD_WARNING, BROOD_EVENT_WORKER_LEFT,
		"workers cannot see %s%s%sthat jobs leave behind: /proc is hidden from them, and "
		"there is no other way here",
		blind & SELF_BLIND_THREADS ? "threads " : "",
		blind == (SELF_BLIND_THREADS | SELF_BLIND_FILES) ? "and " : "",
		blind & SELF_BLIND_FILES ? "files " : "");
}

static void on_ready(struct slot *slot, struct frame *f)
{
	struct pool *pool = slot->pool;

	if (f->birth.ready.pid != slot->pid || f->birth.ready.generation != slot->generation) {
		slot_drop(slot, "said that it is another one");
		return;
	}
	slot->ready_ns = now_ns();
	say_blind(slot, f->birth.ready.blind);
	status_page_ready(slot);
	slot_make_ready(slot);
	renew_ready(slot);
	reload_ready(slot);
	if (pool->backoff.young > 0 || pool->backoff.degraded)
		timer_set(&pool->supervisor->loop, &slot->healthy_timer,
			time_after_ms(slot->ready_ns, pool->options->healthy_ms));
}

/* Returns the reason why the worker cannot go on. `text` is room for a list of reasons. */
static const char *why_retired(
	const struct slot *slot, uint32_t flags, uint32_t left, char *text, size_t size)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} costly[] = {
		{ BROOD_LEFT_THREADS, "threads" },
		{ BROOD_LEFT_FDS, "open files" },
		{ BROOD_LEFT_CHILDREN, "children" },
		{ BROOD_LEFT_MEMORY, "memory in use" },
		{ BROOD_LEFT_GROUP, "another process group" },
	};
	size_t used = 0;

	if (flags & FINISHED_NO_FD)
		return "it could not be given a file; did a job lower its RLIMIT_NOFILE?";
	for (size_t i = 0; i < ARRAY_SIZE(costly); i++)
		if (left & costly[i].bit & ~slot->pool->options->tolerate)
			used += (size_t)snprintf(text + used, size - used, "%s%s",
				used ? ", " : "a job left behind: ", costly[i].name);
	if (used)
		return text;
	if (left & BROOD_LEFT_CWD)
		return "the working directory that a job changed could not be put back";
	if (left & BROOD_LEFT_TIMERS)
		return "the timers that a job left could not be removed";
	return "what a job left could not be put right";
}

static void retire(struct slot *slot, const char *whose, uint32_t flags, uint32_t left)
{
	char text[160];

	slot->end.retiring = true;
	/* A worker made for one job ends after it: too often for a line in the log each time. */
	if (flags & FINISHED_PLANNED) {
		slot->end.reason = "it has done its one job";
		count_one(&slot->pool->stats_page->retired);
		slot_end(slot, time_after_ms(now_ns(), slot->pool->options->stop_ms));
		return;
	}
	slot->end.reason = "it retired";
	count_one(&slot->pool->stats_page->retired);
	slot_log(slot, flags & FINISHED_NO_FD ? BROOD_WARNING : BROOD_NOTICE,
		BROOD_EVENT_WORKER_LEFT, "worker %u (pid %d) is replaced%s: %s", slot->number,
		slot->pid, whose, why_retired(slot, flags, left, text, sizeof text));
	slot_end(slot, time_after_ms(now_ns(), slot->pool->options->stop_ms));
}

/* The worker's job or lease is over: the worker ends, or is idle. flags: FINISHED_*. */
static void go_on(struct slot *slot, const char *whose, uint32_t flags, uint32_t left)
{
	if (flags & FINISHED_RETIRING)
		retire(slot, whose, flags, left);
	else if (slot->link.state == SLOT_ENDING || slot->facts.kill_signal == SIGKILL)
		slot_make_idle(slot); /* ends already: counted once, asked to end once */
	else if (renew_goes(slot))
		renew_end(slot, RETIRE_NONE);
	else if (!slot->end.dead && size_is_surplus(slot->pool))
		size_end(slot);
	else
		slot_make_idle(slot);
}

static void accounted(struct slot *slot, struct job *job, const struct message_finished *m)
{
	uint32_t flags = slot->pool->options->flags;

	if (flags & BROOD_ACCOUNT_CPU)
		job->verdict.cpu_us = m->cpu_us;
	if (flags & BROOD_ACCOUNT_MEMORY)
		job->verdict.peak_kb = m->peak_kb;
}

static void settle(struct slot *slot, struct job *job, struct frame *f)
{
	char shown[PRINTABLE_JOB_MAX];

	record_take_reply(job, f);
	accounted(slot, job, &f->finished);
	if (f->fds_lost)
		slot_log(slot, BROOD_WARNING, BROOD_EVENT_RESOURCE,
			"the %u files that came with the reply of job %" PRIu64
			" %s are dropped: too many are open in the supervisor",
			f->header.fds, job->link.id,
			printable_job(shown, job->message.name, record_tag(job)));
	verdict_give(job);
}

static void on_finished(struct slot *slot, struct frame *f)
{
	const struct message_finished *m = &f->finished;
	struct job *job = slot->job;
	struct fate_facts facts = { .finished = m, .sequence = slot->sequence };
	char shown[PRINTABLE_JOB_MAX], whose[PRINTABLE_JOB_MAX + 48];
	bool no_fd;

	if (slot->facts.condemned)
		/* the job was condemned before it was done: the worker's message does not count */
		return;
	if (!job || m->id != job->link.id || m->sequence != slot->sequence) {
		slot_drop(slot, "finished a job that it does not have");
		return;
	}
	facts.word = atomic_load(&slot_page(slot)->word);
	if (!record_reply_fits(job, m)) {
		slot_drop(slot, "replied more than a message may bring");
		return;
	}
	job->verdict = (struct brood_verdict){ 0 };
	if (!fate_decide(&facts, &job->verdict)) {
		slot_drop(slot, "finished a job that it had not begun");
		return;
	}
	no_fd = m->flags & FINISHED_NO_FD;
	whose[0] = '\0';
	if (!no_fd && m->flags & FINISHED_RETIRING)
		snprintf(whose, sizeof whose, " after %s, job %" PRIu64,
			printable_job(shown, job->message.name, record_tag(job)), job->link.id);
	slot->jobs_done += !no_fd;
	/* If a limit of this worker kept the job's fds away, another worker can do the job. */
	if (!no_fd || !waiting_redispatch(job))
		settle(slot, job, f);
	if (!no_fd && slot->pool->backoff.young > 0)
		pool_worker_is_well(slot, "do jobs");
	go_on(slot, whose, m->flags, m->left);
}

static void on_left(struct slot *slot, struct frame *f)
{
	bool session = renew_after_lease(slot);

	if (!grant_end_by_return(slot, &f->left))
		return;
	if (session && !(f->left.flags & FINISHED_RETIRING))
		renew_end(slot, RETIRE_SESSION);
	else
		go_on(slot, "", f->left.flags, f->left.left);
}

/* ESCAPED on a lease is only kept: the engine knows the ring, and judges which job escaped. */
static void on_lease_escaped(struct slot *slot, struct frame *f)
{
	if (f->escaped.how == 0 || f->escaped.how > ESCAPED_THREAD_EXIT) {
		slot_drop(slot, "left the frame of a job in no way that there is");
		return;
	}
	slot->facts.escaped = f->escaped.how;
	slot->end.escaped_sequence = f->escaped.sequence;
}

/* Nobody waits for progress: what the engine's socket does not take is dropped. */
static void on_progress(struct slot *slot, struct frame *f)
{
	struct supervisor *s = slot->pool->supervisor;
	struct frame out;

	if (f->progress.id != slot->job->link.id || f->progress.sequence != slot->sequence ||
		f->progress.size > BROOD_PROGRESS_MAX) {
		slot_drop(slot, "told the progress of a job that it does not have");
		return;
	}
	if (engine_is_deaf(s))
		return;
	frame_begin(&out, MESSAGE_PROGRESS)->progress = f->progress;
	if (frame_send(s->config.channel_fd, &out) < 0)
		count_one(&s->stats_page->logs_dropped);
}

static void on_escaped(struct slot *slot, struct frame *f)
{
	if (!slot->job || f->escaped.id != slot->job->link.id ||
		f->escaped.sequence != slot->sequence || f->escaped.how == 0 ||
		f->escaped.how > ESCAPED_THREAD_EXIT)
		slot_drop(slot, "left the frame of a job that it does not have");
	else
		slot->facts.escaped = f->escaped.how;
}

/* The job id that the worker names, if the engine has published such a job on the lease; else 0. */
static uint64_t job_on_lease(struct slot *slot, uint64_t id)
{
	const struct lease_page *lease_page = slot_lease_page(slot);

	for (size_t i = 0; i < RING_DEPTH; i++)
		if (lease_page->entries[i].id == id)
			return id;
	return 0;
}

static void on_job_log(struct slot *slot, struct frame *f)
{
	struct message_log line = { .event = BROOD_EVENT_JOB_LOG,
		.pid = slot->pid,
		.slot = slot->number,
		.pool = logging_pool(slot->pool) };

	if (slot->job) {
		line.job = slot->job->is_lease ? job_on_lease(slot, f->job_log.id)
					       : slot->job->link.id;
		(void)death_log_job(slot, line.function, line.tag);
	}

	line.level = f->job_log.level >= BROOD_ERR && f->job_log.level <= BROOD_DEBUG
		? f->job_log.level
		: BROOD_NOTICE;
	memcpy(line.text, f->job_log.text, sizeof f->job_log.text);
	/* a job may have sent this message itself, so the text may have several lines */
	message_one_line(line.text);
	if (slot->job)
		logging_relay(slot->pool->supervisor, &line);
	else /* a worker's own line repeats in a crash loop, so slot_log() may fold it */
		slot_log(slot, (enum brood_level)line.level, BROOD_EVENT_JOB_LOG, "worker %u: %s",
			slot->number, line.text);
}

/* A FINISHED that was sent before the worker was killed, or asked to end, still counts. */
static void on_late_finished(struct slot *slot, struct frame *f)
{
	if (slot->job && !slot->job->is_lease)
		on_finished(slot, f);
}

static void on_late_left(struct slot *slot, struct frame *f)
{
	if (slot->job && slot->job->is_lease && !slot->facts.protocol && !slot->facts.stuck)
		on_left(slot, f);
}

/* SOCKET: the worker has made a socket for a carried job. The engine gets the other end. */
static void on_socket(struct slot *slot, struct frame *f)
{
	struct job *job = slot->job;

	if (slot->facts.condemned)
		return;
	if (f->asked.socket.id != job->link.id || f->asked.socket.sequence != slot->sequence ||
		!job->message.carried || job->carried.has_socket) {
		slot_drop(slot, "made a socket for a job that has none to get");
		return;
	}
	job->carried.has_socket = true;
	job->carried.socket_fd = frame_take_fd(f, 0);
	list_append(&job->carried.untold, &slot->pool->copies.sockets);
	note(slot->pool->supervisor, NOTE_TELL);
}

static void on_late_socket(struct slot *slot, struct frame *f)
{
	if (slot->job && !slot->job->is_lease)
		on_socket(slot, f);
}

static void on_late(struct slot *slot, struct frame *f)
{
	(void)slot;
	(void)f;
}

/*
 * CALLED: a job made system calls. It may have made a child with CLONE_PARENT, which becomes the
 * supervisor's child unseen: a sweep looks for such children.
 */
static void on_called(struct slot *slot, struct frame *f)
{
	(void)f;
	strays_called(slot);
}

/* WORN: a limit is reached, or a job wished it. The worker works on until it is replaced. */
static void on_worn(struct slot *slot, struct frame *f)
{
	static const enum retire_cause causes[] = {
		[WORN_JOBS] = RETIRE_JOBS, [WORN_MEMORY] = RETIRE_MEMORY, [WORN_WISH] = RETIRE_WISH
	};

	if (f->about.id < ARRAY_SIZE(causes) && causes[f->about.id])
		renew_due(slot, causes[f->about.id]);
	else
		slot_drop(slot, "is worn in no way that there is");
}

typedef void cell_fn(struct slot *slot, struct frame *f);
static cell_fn *const cells[SLOT_STATES][9] = {
	/* columns: READY, FINISHED, ESCAPED, JOB_LOG, PROGRESS, LEFT, CALLED, WORN, SOCKET */
	[SLOT_STARTING] = { on_ready, NULL, NULL, on_job_log, NULL, NULL, NULL, NULL, NULL },
	[SLOT_IDLE] = { NULL, NULL, NULL, on_job_log, NULL, NULL, on_called, on_worn, NULL },
	[SLOT_BUSY] = { NULL, on_finished, on_escaped, on_job_log, on_progress, NULL, on_called,
		on_worn, on_socket },
	/* progress of leased jobs goes over the side socket: PROGRESS on the channel is ignored */
	[SLOT_LEASED] = { NULL, NULL, on_lease_escaped, on_job_log, on_late, on_left, on_called,
		on_worn, NULL },
	[SLOT_ENDING] = { on_late, on_late_finished, on_late, on_job_log, on_late, on_late_left,
		on_called, on_late, on_late_socket },
};

static void handle(struct slot *slot, struct frame *f)
{
	unsigned type = f->header.type;
	cell_fn *cell = type >= MESSAGE_READY && type <= MESSAGE_SOCKET
		? cells[slot->link.state][type - MESSAGE_READY]
		: NULL;

	if (cell)
		cell(slot, f);
	else
		slot_drop(slot, "sent a message that makes no sense now");
}

static void pause_reading(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;
	int fd = slot->channel.fd;

	loop_remove(&s->loop, &slot->channel);
	slot->channel.fd = fd;
	slot->paused = true;
	note(s, NOTE_RETRY);
}

void worker_peer_resume(struct slot *slot)
{
	slot->paused = false;
	if (slot->pid > 0 && slot->channel.fd >= 0)
		slot_open_channel(slot, slot->channel.fd);
}

bool worker_peer_read(struct slot *slot)
{
	struct frame f;
	int r = frame_receive(slot->channel.fd, &f, MSG_DONTWAIT);

	if (r == 1) {
		handle(slot, &f);
		frame_done(&f);
		return slot->channel.fd >= 0;
	}
	if (r == 0)
		slot_close_channel(slot);
	else if (r == -EBADMSG)
		slot_drop(slot, "sent a frame that is none");
	else if (r != -EAGAIN && !slot->paused)
		pause_reading(slot);
	return r == -EBADMSG;
}

void worker_peer_drain(struct slot *slot)
{
	for (int n = 0; n < 1024 && slot->channel.fd >= 0 && worker_peer_read(slot); n++)
		;
}
