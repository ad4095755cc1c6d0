/*
 * worker_peer.c - what workers say, as a table of [state][message]: every cell that is not listed is nonsense, and nonsense costs the worker (law 5). One message a wake-up: the level-triggered loop
 * comes back for more; on a death the channel is read to its end first (worker_drain).
 */
#include "internal.h"
#include "../os/process.h"

#include <inttypes.h>
#include <sys/socket.h>

void worker_kill(struct slot *slot, int sig, const char *reason)
{
	if (slot->pid <= 0)
		return;
	if (reason)
		slot->end_reason = reason;
	if (slot->kill_signal != SIGKILL)
		slot->kill_signal = sig;
	process_signal(slot->pidfd, slot->pid, sig, 0);
}

/* While a slot is ENDING its timer first kills (again), then looks whether the process is gone: for workers whose pidfd could not be had or watched. */
static void ending_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, timer);

	death_check(slot);
	if (slot->pid <= 0)
		return;
	if (slot->kill_signal != SIGKILL && slot->link.state == SLOT_ENDING) {
		struct supervisor *s = slot->supervisor;

		slot_log(slot, BROOD_NOTICE, BROOD_EVENT_STOP_FORCED, "worker %u (pid %d) did not end when asked and is killed", slot->number, slot->pid);
		atomic_fetch_add_explicit(&s->board->killed, 1, memory_order_relaxed);
		worker_kill(slot, SIGKILL, slot->end_reason ? slot->end_reason : "it did not end when asked");
	}
	/* With a watched pidfd nothing more is to be done here; without, look again. */
	if (slot->death.fd < 0)
		timer_set(loop, timer, now + RETRY_MS * NS_PER_MS);
}

void worker_to_ending(struct slot *slot, uint64_t kill_at)
{
	struct supervisor *s = slot->supervisor;

	if (slot->link.state != SLOT_ENDING)
		slots_move(&s->slots, &slot->link, SLOT_ENDING);
	slot->timer.on = ending_fired;
	timer_set(&s->loop, &slot->timer, kill_at);
}

void worker_drop(struct slot *slot, const char *what)
{
	struct supervisor *s = slot->supervisor;

	if (slot->protocol)
		return;
	slot->protocol = true;
	slot_log(slot, BROOD_ERR, BROOD_EVENT_PROTOCOL, "worker %u (pid %d) %s; it is killed and replaced", slot->number, slot->pid, what);
	atomic_fetch_add_explicit(&s->board->killed, 1, memory_order_relaxed);
	worker_kill(slot, SIGKILL, what);
	worker_to_ending(slot, now_ns() + RETRY_MS * NS_PER_MS);
}

/* ---- one function a cell ---- */

static void healthy_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, timer);
	struct supervisor *s = slot->supervisor;

	(void)loop;
	(void)now;
	if (slot->link.state == SLOT_IDLE && backoff_healthy(&s->backoff))
		plain_log(s, BROOD_NOTICE, BROOD_EVENT_RECOVERED, "the pool has recovered: workers stay alive again");
	supervisor_gauges(s);
}

static void on_ready(struct slot *slot, const struct frame *f)
{
	struct supervisor *s = slot->supervisor;

	if (f->ready.pid != slot->pid || f->ready.generation != slot->generation) {
		worker_drop(slot, "said that it is another one");
		return;
	}
	slot->ready_ns = now_ns();
	slot->ready_peak_kb = f->ready.peak_kb;
	slots_move(&s->slots, &slot->link, SLOT_IDLE);
	timer_stop(&s->loop, &slot->timer);
	if (s->backoff.young > 0 || s->backoff.degraded) {
		slot->timer.on = healthy_fired;
		timer_set(&s->loop, &slot->timer, time_after_ms(slot->ready_ns, s->options->healthy_ms));
	}
	if (stop_refusing(s) && s->halt.phase >= HALT_CANCEL)
		stop_step(s);
	supervisor_gauges(s);
	notify_pool(s);
	jobs_assign(s);
}

static void retire(struct slot *slot, const struct message_finished *m)
{
	struct supervisor *s = slot->supervisor;

	slot->retiring = true;
	slot->end_reason = "it retired";
	atomic_fetch_add_explicit(&s->board->retired, 1, memory_order_relaxed);
	if (m->flags & FINISHED_NO_FD)
		slot_log(slot, BROOD_WARNING, BROOD_EVENT_WORKER_LEFT, "worker %u (pid %d) is replaced: it could not be given a file; did a job lower its RLIMIT_NOFILE?",
		         slot->number, slot->pid);
	else
		slot_log(slot, BROOD_NOTICE, BROOD_EVENT_WORKER_LEFT, "worker %u (pid %d) is replaced: a job left %s%s%s%sbehind", slot->number, slot->pid,
	         m->left & BROOD_LEFT_THREADS ? "threads " : "", m->left & BROOD_LEFT_FDS ? "open files " : "", m->left & BROOD_LEFT_CHILDREN ? "children " : "",
	         m->left & BROOD_LEFT_MEMORY ? "memory in use " : "");
	worker_to_ending(slot, time_after_ms(now_ns(), s->options->stop_ms));
}

static void on_finished(struct slot *slot, const struct frame *f)
{
	struct supervisor *s = slot->supervisor;
	const struct message_finished *m = &f->finished;
	struct job *job = slot->job;
	struct fate_facts facts = { .finished = m, .sequence = slot->sequence };
	bool no_fd;

	if (slot->condemned)
		return;                /* it lost the swap and was killed: what it says now counts for nothing */
	if (!job || m->id != job->link.id || m->sequence != slot->sequence) {
		worker_drop(slot, "finished a job that it does not have");
		return;
	}
	facts.word = atomic_load(&shared_desk(s->config.shared, slot->number)->word);
	job->verdict = (struct brood_verdict){ 0 };
	if (!fate_decide(&facts, &job->verdict)) {
		worker_drop(slot, "finished a job that it had not begun");
		return;
	}
	no_fd = m->flags & FINISHED_NO_FD;
	slot->jobs_done += !no_fd;
	timer_stop(&s->loop, &slot->timer);
	if (!no_fd || !job_redispatch(s, job))   /* that is this worker's trouble: another one can */
		job_decided(s, job);
	if (!no_fd && s->backoff.young > 0 && backoff_healthy(&s->backoff))
		plain_log(s, BROOD_NOTICE, BROOD_EVENT_RECOVERED, "the pool has recovered: workers do jobs again");
	if (m->flags & FINISHED_RETIRING)
		retire(slot, m);
	else if (slot->dead || slot->kill_signal == SIGKILL || slot->link.state == SLOT_ENDING)
		worker_to_ending(slot, now_ns() + RETRY_MS * NS_PER_MS);   /* not for another job */
	else
		slots_move(&s->slots, &slot->link, SLOT_IDLE);
	jobs_assign(s);
	supervisor_gauges(s);
	if (s->halt.phase != HALT_NONE)
		stop_step(s);
}

static void on_escaped(struct slot *slot, const struct frame *f)
{
	if (!slot->job || f->escaped.id != slot->job->link.id || f->escaped.sequence != slot->sequence || f->escaped.how == 0 || f->escaped.how > ESCAPED_THREAD_EXIT)
		worker_drop(slot, "left the frame of a job that it does not have");
	else
		slot->escaped = f->escaped.how;
}

static void on_job_log(struct slot *slot, const struct frame *f)
{
	struct message_log line = { .event = BROOD_EVENT_JOB_LOG, .pid = slot->pid, .slot = slot->number, .job = slot->job ? slot->job->link.id : 0 };

	line.level = f->job_log.level >= BROOD_ERR && f->job_log.level <= BROOD_DEBUG ? f->job_log.level : BROOD_NOTICE;
	memcpy(line.text, f->job_log.text, sizeof f->job_log.text);
	if (slot->job)
		log_relay(slot->supervisor, &line);
	else                           /* the worker itself: in a crash loop it repeats */
		slot_log(slot, (enum brood_level)line.level, BROOD_EVENT_JOB_LOG, "worker %u: %s", slot->number, line.text);
}

/* A worker that is to end: its last words may matter (FINISHED in flight when it was killed), its state does not. */
static void on_late_finished(struct slot *slot, const struct frame *f)
{
	if (slot->job)
		on_finished(slot, f);
}

static void on_late(struct slot *slot, const struct frame *f)
{
	(void)slot;
	(void)f;
}

typedef void cell_fn(struct slot *slot, const struct frame *f);
static cell_fn *const cells[SLOT_STATES][4] = {
	/*                  READY     FINISHED     ESCAPED     JOB_LOG */
	[SLOT_STARTING] = { on_ready, NULL,        NULL,       on_job_log },
	[SLOT_IDLE]     = { NULL,     NULL,        NULL,       on_job_log },
	[SLOT_BUSY]     = { NULL,     on_finished, on_escaped, on_job_log },
	[SLOT_ENDING]   = { on_late,  on_late_finished, on_late, on_job_log },
};

static void handle(struct slot *slot, struct frame *f)
{
	unsigned type = f->header.type;
	cell_fn *cell = type >= MESSAGE_READY && type <= MESSAGE_JOB_LOG ? cells[slot->link.state][type - MESSAGE_READY] : NULL;

	if (cell)
		cell(slot, f);
	else
		worker_drop(slot, "sent a message that makes no sense now");
}

static void channel_over(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	int fd = slot->channel.fd;

	loop_remove(&s->loop, &slot->channel);
	close_fd(fd);
	slot->channel_ended = true;
}

static void eof_time_up(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, timer);

	(void)loop;
	(void)now;
	death_check(slot);
	if (slot->pid > 0)
		worker_drop(slot, "closed its channel but did not end");
}

static void pause_reading(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	int fd = slot->channel.fd;

	loop_remove(&s->loop, &slot->channel);
	slot->channel.fd = fd;
	slot->paused = true;
	supervisor_retry_later(s);
}

void worker_resume(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	int fd = slot->channel.fd;

	slot->paused = false;
	if (slot->pid <= 0 || fd < 0)
		return;
	slot->channel.fd = -1;
	if (loop_add(&s->loop, &slot->channel, fd, EPOLLIN, worker_readable) < 0) {
		slot->channel.fd = fd;
		slot->paused = true;
		supervisor_retry_later(s);
	}
}

/* Reads one. 1: go on, there may be more; 0: not now, or never again. */
static int read_one(struct slot *slot)
{
	struct frame f;
	int r = frame_receive(slot->channel.fd, &f, MSG_DONTWAIT);

	if (r == 1) {
		handle(slot, &f);
		frame_done(&f);
		return slot->channel.fd >= 0;
	}
	if (r == 0)
		channel_over(slot);
	else if (r == -EBADMSG)
		worker_drop(slot, "sent a frame that is none");
	else if (r != -EAGAIN && !slot->paused)
		pause_reading(slot);
	return r == -EBADMSG;
}

void worker_drain(struct slot *slot)
{
	for (int n = 0; n < 1024 && slot->channel.fd >= 0 && read_one(slot); n++)
		;
}

void worker_readable(struct loop *loop, struct source *source, uint32_t events)
{
	struct slot *slot = container_of(source, struct slot, channel);

	(void)events;
	read_one(slot);
	if (!slot->channel_ended || slot->pid <= 0)
		return;
	death_check(slot);
	if (slot->pid > 0 && slot->kill_signal != SIGKILL && slot->link.state != SLOT_ENDING) {
		slot->timer.on = eof_time_up;
		timer_set(loop, &slot->timer, now_ns() + EOF_GRACE_MS * NS_PER_MS);
	}
}
