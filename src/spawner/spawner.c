/* SPDX-License-Identifier: MIT */
/*
 * spawner.c - makes workers: for each request one clone and one answer.
 *
 * A worker is made with CLONE_PARENT: it is the supervisor's child, as if the supervisor had made
 * it. So the supervisor reaps the worker, and the worker's death signal comes when the supervisor
 * dies. Its exit signal is the spawner's own, which is none. The worker lives on when the spawner
 * is killed.
 *
 * The kernel writes the worker's pid into the roster before clone() returns and before the worker
 * begins. So a spawner may be killed at any instruction: once it has ended, the roster has each
 * worker that it made, answered or not. For that the roster's page must be there for writing, since
 * a process that is being killed may not get a new page: the spawner itself has just written to the
 * same entry.
 *
 * When the supervisor dies, so does the spawner. A worker that is born in between sees that its
 * parent is not the supervisor, and ends (worker/main.c).
 *
 * All signals are blocked, as at each worker's birth: so a signal to the whole group or cgroup does
 * not end the spawner.
 */
#include "spawner.h"

#include "../os/fds.h"
#include "../os/proc.h"
#include "../os/title.h"
#include "../wire/frame.h"

#include <alloca.h>
#include <signal.h>

/*
 * Closes all files but those that workers need. Files with an fcntl lock, which stay open in the
 * supervisor (os/stale.h), are closed, too: a lock is not the spawner's, so a close() here does not
 * end it.
 */
static __attribute__((noinline)) void keep_only_ours(const struct spawner_config *c)
{
	int keep[FDS_KEEP_MAX];
	size_t n;

	stale_take_locked(&c->birth->stale);
	n = stale_keep_in_worker(&c->birth->stale, keep);
	for (size_t i = 0; i < c->keep_fds_count; i++)
		keep[n++] = c->keep_fds[i];
	keep[n++] = c->channel_fd;
	fds_close_all_but(keep, n);
}

/*
 * Moves the channel to the lowest free fd number from 3 up. Each worker gets a copy of the fd
 * table, and the kernel makes that copy as large as the highest open number needs.
 */
static void take_low_number(struct spawner_config *c)
{
	int low = fds_dup_above(c->channel_fd, 3);

	if (low > c->channel_fd)
		close_fd(low);
	else if (low >= 0) {
		close_fd(c->channel_fd);
		c->channel_fd = low;
	}
}

static void become_spawner(struct spawner_config *c)
{
	signals_block_all(NULL);
	signals_block_abort();
	/*
	 * Drops even the handlers that workers are to keep (options.keep_signals): a handler is
	 * code of the program, and the spawner runs none.
	 */
	signals_default_all(NULL, 0);
	if (process_set_pdeathsig(SIGKILL, c->birth->supervisor_pid) < 0)
		_exit(1);
	/*
	 * One session for all workers: a session is a group of its own for the kernel's scheduler
	 * (autogroup). With a group for each worker, one that wakes up may wait for all other
	 * groups.
	 */
	c->birth->session = setsid();
	/*
	 * The spawner closes its fds itself: helpers that close for others (os/closing.h) belong to
	 * the supervisor and the engine. If the close() of an init fd blocks here, births are late:
	 * after some seconds the supervisor makes the workers itself.
	 */
	closing_by(CLOSING_PLAIN, NULL);
	keep_only_ours(c);
	take_low_number(c);
	title_set("spawner");
	shared_keep_spawner(c->birth->shared);
	c->birth->spawner_fd = c->channel_fd;
	/*
	 * What is the same for all workers is prepared here, once. Where the preparation fails,
	 * each worker does that work at its own birth.
	 */
	c->birth->prepared = c->birth->worker_image && c->birth->worker_image(c->birth) == 0;
}

/* Returns the worker's pid, or -errno. */
static pid_t make_worker(struct spawner_config *c, const struct frame *f)
{
	const struct message_spawn *m = &f->birth.spawn;
	struct roster_entry *entry;
	pid_t pid;

	if (f->fds_lost || f->fds_count != f->header.fds)
		return -EMFILE;
	if (m->pool >= c->birth->pools->count || m->slot >= c->birth->shared->slots)
		return -EBADMSG;
	entry = &c->birth->shared->roster->workers[m->slot];
	entry->generation = m->generation;
	entry->born_ticks = proc_boot_ticks();
	atomic_store_explicit(&entry->session, c->birth->session, memory_order_relaxed);
	pid = process_spawn_sibling(&c->way, message_spawn_leaf(m, f->fds), &entry->pid);
	if (pid == 0)
		birth_worker(c->birth, m, f->fds);
	return pid;
}

/* Closes a request's fds. Mostly there are two, with neighbouring numbers: cgroup and channel. */
static void request_done(struct frame *f)
{
	if (f->fds_count == 2) {
		fds_close_pair(f->fds[0], f->fds[1]);
		f->fds_count = 0;
	}
	frame_done(f);
}

/* Closes the files of the request, and makes the answer of it. */
static void answer(const struct spawner_config *c, struct frame *f, pid_t result)
{
	const struct message_born born = { .slot = f->birth.spawn.slot,
		.generation = f->birth.spawn.generation,
		.result = result };

	request_done(f);
	frame_begin(f, MESSAGE_BORN)->birth.born = born;
	/*
	 * An answer that cannot be sent loses no worker: when the spawner has ended, the supervisor
	 * finds its workers in the roster, and makes another spawner.
	 */
	if (frame_send(c->channel_fd, f) < 0)
		_exit(1);
}

static __attribute__((noinline, noreturn)) void serve(struct spawner_config *c)
{
	struct frame f;

	while (frame_receive(c->channel_fd, &f, 0) == 1) {
		if (f.header.type == MESSAGE_SPAWN)
			answer(c, &f, make_worker(c, &f));
		else
			request_done(&f);
	}
	_exit(0);
}

/*
 * A clone shares the pages of the spawner and the worker, until one of the two writes there: so a
 * page that the spawner writes between two births costs memory, too, for the older worker keeps the
 * page as it was. The stack that both write to is less than a page, and begins here with a page.
 */
void spawner_main(struct spawner_config *config)
{
	volatile char *room;

	become_spawner(config);
	room = alloca((uintptr_t)__builtin_frame_address(0) % BIRTH_PAGE + 1);
	*room = 0;
	serve(config);
}
