/* SPDX-License-Identifier: MIT */
/*
 * spawner_peer.c - the spawner's birth, answers, death and end. While there is no spawner, for now
 * or for good, the supervisor makes the workers itself (spawn.c): no birth waits for a spawner.
 *
 * The spawner may be killed before it has answered all orders. The supervisor reaps it first: from
 * then on it makes no more workers. Answers that it had sent count; for each other ordered slot the
 * roster says whether there is a worker. A spawner that does not answer is killed. If it does not
 * end then, because the kernel holds it, the slots that it was asked to fill stay ORDERED; the
 * supervisor fills all others.
 */
#include "spawner_peer.h"
#include "logging.h"
#include "pool.h"
#include "spawn.h"
#include "tails.h"
#include "../os/proc.h"
#include "../os/sockets.h"
#include "../wire/frame.h"

#include <stdlib.h>
#include <sys/socket.h>

#define QUICK_NS     (100 * NS_PER_MS)
#define PAUSE_MAX_MS 10000u
#define LATE_NS      (200 * NS_PER_MS)

static bool wanted(const struct supervisor *s)
{
	return s->config.spawner_main && !s->spawner.impossible && s->way != PROCESS_FORK &&
		s->halt.phase <= HALT_DRAIN;
}

/* The pause doubles each time, until a spawner has made a worker. */
static void respawn_later(struct supervisor *s, uint64_t now)
{
	struct spawner_process *p = &s->spawner;

	p->pause_ms = p->pause_ms ? MIN(2 * p->pause_ms, PAUSE_MAX_MS) : QUICK_NS / NS_PER_MS;
	timer_set(&s->loop, &p->respawn, time_after_ms(now, p->pause_ms));
}

static void kill_spawner(struct supervisor *s)
{
	if (s->spawner.pid <= 0 || s->spawner.kill_sent)
		return;
	s->spawner.kill_sent = true;
	/* spawn.c orders nothing from a spawner whose channel is not watched */
	loop_remove(&s->loop, &s->spawner.channel);
	process_signal(s->spawner.pidfd, s->spawner.pid, SIGKILL);
	note(s, NOTE_BIRTH); /* from now on the supervisor makes the workers itself */
}

/* ---- what the spawner says ---- */

/* BORN: a worker was born, or not. -ENOSYS: this kernel or sandbox lets no spawner make any. */
static void hear_born(struct supervisor *s, const struct message_born *m)
{
	struct slot *slot = pool_slot(s, m->slot);

	if (!slot || slot->link.state != SLOT_ORDERED || slot->generation != m->generation)
		return;
	if (m->result > 0 && m->result == spawn_process(slot)) {
		s->spawner.pause_ms = 0;
		spawn_done(slot, m->result);
	} else if (m->result == -ENOSYS) {
		s->spawner.impossible = true;
		spawn_undone(slot, 0);
		kill_spawner(s);
	} else {
		spawn_undone(slot, m->result < 0 ? m->result : -EBADMSG);
	}
}

/* Reads all that the spawner has said. Returns 0 at the end of the channel, else 1. */
static int hear(struct supervisor *s)
{
	struct frame f;
	int r;

	while ((r = frame_receive(s->spawner.fd, &f, MSG_DONTWAIT)) == 1) {
		if (f.header.type == MESSAGE_BORN)
			hear_born(s, &f.birth.born);
		frame_done(&f);
	}
	return r == -EAGAIN || error_passes(r) ? 1 : 0;
}

static void readable(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, spawner.channel);

	(void)events;
	if (hear(s))
		return;
	loop_remove(&s->loop, source);
	kill_spawner(s);
}

void spawner_peer_silent_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, spawner.answer);

	if ((s->options->flags & BROOD_DEBUGGING) && proc_traced_or_stopped(s->spawner.pid)) {
		timer_set(&s->loop, timer, now + NS_PER_S);
		return;
	}
	/*
	 * The whole machine, or all of Brood's processes, may have been stopped: then the spawner
	 * needs a moment more, and is not to blame.
	 */
	if (!s->spawner.late) {
		s->spawner.late = true;
		timer_set(&s->loop, timer, now + LATE_NS);
		return;
	}
	process_log(s, BROOD_WARNING, BROOD_EVENT_STOP_FORCED, s->spawner.pid,
		"the spawner (pid %d) does not answer and is killed", s->spawner.pid);
	kill_spawner(s);
}

/*
 * The spawner has ended, so each worker that it made is in the roster by now. Each ordered slot
 * gets its worker from there, or none.
 */
static void settle_orders(struct supervisor *s)
{
	(void)hear(s);
	for_each_pool(pool, s) for_each_slot(slot, pool)
	{
		pid_t pid = slot->link.state == SLOT_ORDERED ? spawn_process(slot) : 0;

		if (pid > 0)
			spawn_done(slot, pid);
		else if (slot->link.state == SLOT_ORDERED)
			spawn_undone(slot, 0);
	}
}

/* ---- the spawner's birth ---- */

/*
 * If the loop has no memory to watch the spawner, the retry timer tries again. Until then nothing
 * is ordered.
 */
static void watch(struct supervisor *s)
{
	struct spawner_process *p = &s->spawner;

	if (p->death.fd < 0 && loop_add(&s->loop, &p->death, p->pidfd, EPOLLIN, p->death.on) < 0)
		note(s, NOTE_RETRY);
	else if (p->channel.fd < 0 && !p->kill_sent &&
		loop_add(&s->loop, &p->channel, p->fd, EPOLLIN, readable) < 0)
		note(s, NOTE_RETRY);
}

/*
 * Runs in the child that becomes the spawner. It frees memory that only the supervisor needs:
 * otherwise each clone would copy the page tables of that memory.
 */
static void __attribute__((noreturn)) begin(struct supervisor *s, int channel_fd)
{
	struct spawner_config config = {
		.birth = &s->birth,
		.keep_fds = s->options->keep_fds,
		.keep_fds_count = s->options->keep_fds_count,
		.channel_fd = channel_fd,
		.way = s->way,
	};

	loop_close(&s->loop); /* first, for timers that run are parts of slots and records */
	for_each_pool(pool, s) free(pool->slot_array);
	tails_free(s);
	records_free(&s->pools[0].records);
	s->config.spawner_main(&config);
}

static void death(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, spawner.death);
	pid_t ended = s->spawner.pid;

	(void)events;
	spawner_peer_replace_if_ended(s);
	if (ended > 0 && s->spawner.pid == ended && source->fd >= 0) {
		/*
		 * The spawner has ended and makes no more workers, but waitid() failed for now, or
		 * a debugger has the zombie. Its readable pidfd would wake the loop for ever: so
		 * the loop drops it, and the retry timer looks again.
		 */
		kill_spawner(s);
		settle_orders(s);
		loop_remove(&s->loop, source);
		note(s, NOTE_RETRY);
	}
}

/*
 * Tries pidfd_open(), by which the supervisor gets the pidfds of workers that the spawner made.
 * Where that call is missing, a spawner is of no use.
 */
static int try_pidfds(struct supervisor *s)
{
	int fd = process_pidfd_open(s->pid);

	if (fd == -ENOSYS || fd == -EPERM || fd == -EINVAL)
		s->spawner.impossible = true;
	if (fd < 0)
		return fd;
	close_fd(fd);
	return 0;
}

static pid_t try_to_spawn(struct supervisor *s)
{
	struct spawner_process *p = &s->spawner;
	int pair[2], pidfd = -1, r = try_pidfds(s);
	pid_t pid;

	if (r == 0)
		r = sockets_pair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return r;
	pid = process_spawn(&s->way, &pidfd);
	if (pid == 0)
		begin(s, pair[1]);
	close_fd(pair[1]);
	if (pid < 0) {
		close_fd(pair[0]);
		return pid;
	}
	p->pid = pid;
	p->pidfd = pidfd;
	p->fd = pair[0];
	p->kill_sent = p->late = false;
	p->death.on = death;
	return pid;
}

void spawner_peer_spawn(struct supervisor *s)
{
	pid_t pid;

	if (!wanted(s))
		return;
	s->spawner.born_ns = now_ns();
	if (s->guard.pid <= 0) {
		/*
		 * Without a guard no worker is born anyway. And the guard's birth shows how this
		 * machine can make a process: if by fork() alone, no spawner is wanted.
		 */
		respawn_later(s, s->spawner.born_ns);
		return;
	}
	pid = try_to_spawn(s);
	if (pid > 0) {
		atomic_store(&s->stats_page->spawner_pid, pid);
		watch(s);
	} else if (wanted(s)) {
		error_log(s, BROOD_NOTICE, BROOD_EVENT_SPAWN_FAILED, -(int)pid,
			"the spawner could not be made: %s; trying again", strerror(-(int)pid));
		respawn_later(s, s->spawner.born_ns);
	}
}

/* ---- the spawner's death ---- */

static void bury(struct supervisor *s)
{
	struct spawner_process *p = &s->spawner;

	loop_remove(&s->loop, &p->death);
	loop_remove(&s->loop, &p->channel);
	if (wanted(s)) {
		process_log(s, BROOD_WARNING, BROOD_EVENT_SPAWNER_DIED, p->pid,
			"the spawner (pid %d) was ended; a new one takes its place", p->pid);
		count_one(&s->stats_page->spawner_deaths);
	}
	p->pid = 0;
	settle_orders(s);
	p->pidfd = close_fd(p->pidfd);
	p->fd = close_fd(p->fd);
	atomic_store(&s->stats_page->spawner_pid, 0);
	note(s, NOTE_STOP);
}

void spawner_peer_replace_if_ended(struct supervisor *s)
{
	int r;

	if (s->spawner.pid <= 0)
		return;
	r = process_wait(s->spawner.pid, false, NULL);
	if (r == 0) {
		watch(s);
		return;
	}
	if (r < 0 && r != -ECHILD) {
		note(s, NOTE_RETRY);
		return;
	}
	bury(s);
	/*
	 * After a spawner that was silent or died young, there is a pause, in which the supervisor
	 * makes the workers itself. So a second bad spawner does not hold up births at once.
	 */
	if (s->spawner.kill_sent || now_ns() - s->spawner.born_ns < QUICK_NS)
		respawn_later(s, now_ns());
	else
		spawner_peer_spawn(s);
}

void spawner_peer_respawn_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, spawner.respawn);

	(void)now;
	if (s->spawner.pid <= 0)
		spawner_peer_spawn(s);
}

void spawner_peer_end(struct supervisor *s)
{
	timer_stop(&s->loop, &s->spawner.respawn);
	kill_spawner(s);
}
