/* SPDX-License-Identifier: MIT */
/*
 * strays.c - finds and kills processes that jobs started out of their worker's reach: children in
 * groups and sessions of their own whose parents are gone, and children made with CLONE_PARENT. The
 * supervisor is a subreaper, so all of them become its children, but nothing tells the supervisor.
 * So it sweeps: it looks through its children. It does so after the death of a worker that may have
 * left processes (slot_page.offspring), and after jobs that made system calls (a worker says so
 * once between two sweeps). Sweeps that find nothing come at most once a second.
 *
 * A stray belongs to a job if it carries the workers' mark (os/mark.h) or their oom_score_adj, or
 * if it is in the session of a worker. Orphans of the engine have none of these, and are only
 * reaped.
 *
 * The mark also names the worker. When strays of a dead worker are found, all its processes are
 * hunted wherever they are (os/hunt.h), since a fork bomb is faster than one sweep after the other.
 * When all workers are gone, each process with a mark of this brood is hunted.
 */
#include "strays.h"
#include "pool.h"
#include "spawn.h"
#include "../os/children.h"
#include "../os/proc.h"
#include "../os/hunt.h"
#include "../os/mark.h"
#include "../os/pidset.h"

#define SWEEP_EVERY_NS  NS_PER_S
#define HUNT_NS         (50 * NS_PER_MS) /* the longest that the supervisor may do nothing else */
#define HUNT_AT_STOP_NS NS_PER_S

static void forget_sessions(struct supervisor *s)
{
	struct roster *roster = s->config.shared->roster;
	const uint32_t room = (uint32_t)ROSTER_ENTRIES(roster->slots) - roster->slots;

	for (uint32_t i = 0; i < MIN(s->remains, room); i++)
		atomic_store(&roster->workers[roster->slots + i].pid, 0);
	s->remains = 0;
}

/*
 * True: the process is one of Brood's own. Workers whose birth the spawner has not yet reported are
 * not among these: strays_known() knows them, too.
 */
static bool is_ours(const struct supervisor *s, pid_t pid)
{
	return pidset_has(pid) || pid == s->engine.pid || pid == s->guard.pid ||
		pid == s->spawner.pid || pid == s->resolver.pid;
}

/*
 * True: the process is one of Brood's own, reported or not. This is asked often: so only ordered
 * slots, which are few, are looked at, and not all of them, which may be thousands.
 */
bool strays_known(void *supervisor, pid_t pid)
{
	struct supervisor *s = supervisor;

	if (is_ours(s, pid))
		return true;
	for_each_pool(pool, s)
	{
		list_for_each_safe(l, tmp, &pool->slots.lists[SLOT_ORDERED]) {
			if (spawn_process(container_of(l, struct slot, link.link)) == pid)
				return true;
		}
	}
	return false;
}

/*
 * Reaps strays that have ended. Called on SIGCHLD, which tells of strays only, or of any child
 * where workers are made by fork(). Brood's own processes are passed over: others reap them.
 */
void strays_reap(struct supervisor *s)
{
	while (children_reap_stray(strays_known, s) > 0)
		;
}

/*
 * True: the spawner is just making this process, a worker. The roster may not have it yet; but it
 * has not begun, and so is still in the spawner's group.
 */
static bool is_newborn(const struct supervisor *s, const struct proc_stat *stat)
{
	return s->spawner.pid > 0 && stat->pgid == s->spawner.pid;
}

/* True: a worker of that session lives, or has died since the last sweep that found nothing. */
static bool is_workers_session(const struct supervisor *s, pid_t session)
{
	const struct roster *roster = s->config.shared->roster;

	for (size_t i = 0; i < ROSTER_ENTRIES(roster->slots); i++)
		if (atomic_load_explicit(&roster->workers[i].pid, memory_order_relaxed) > 0 &&
			atomic_load_explicit(&roster->workers[i].session, memory_order_relaxed) ==
				session)
			return true;
	return false;
}

bool strays_is_jobs(struct supervisor *s, pid_t pid)
{
	struct proc_stat stat;
	bool seen;
	int adj;

	if (mark_of(pid) > 0)
		return true;
	seen = proc_stat(pid, &stat) == 0;
	if (seen ? is_newborn(s, &stat) : s->spawner.orders > 0)
		return false;
	if (s->oom_mark >= 0 && proc_oom_score_adj(pid, &adj) == 0 && adj == s->oom_mark)
		return true;
	if (!seen || stat.session == getsid(0))
		return false;
	return is_workers_session(s, stat.session) || (!mark_is_made() && s->oom_mark < 0);
}

/* A helper that closes files names itself long before it is this many ticks of 10 ms old. */
#define BEGINNING_TICKS 20u

/* True: the process is a helper for a close() that may block (os/closing.h). */
static bool is_closer(const struct proc_stat *stat)
{
	return strcmp(stat->comm, CLOSING_NAME) == 0;
}

/* True: the engine forked this process. It is no helper, and no child from before the start. */
static bool is_fork_of_engine(const struct supervisor *s, pid_t pid)
{
	struct proc_stat stat;

	return proc_same_program(pid) && proc_stat(pid, &stat) == 0 && !is_closer(&stat) &&
		!is_newborn(s, &stat) && stat.start_ticks >= s->engine.start_ticks;
}

/*
 * Returns a child of the engine that runs the same program, or 0. The engine has ended, so the
 * child is the supervisor's now.
 */
pid_t strays_fork_of_engine(struct supervisor *s)
{
	pid_t children[64];
	int n = children_list(children, ARRAY_SIZE(children));

	for (int i = 0; i < n; i++)
		if (!strays_is_jobs(s, children[i]) && is_fork_of_engine(s, children[i]) &&
			!strays_known(s, children[i]))
			return children[i];
	return 0;
}

/*
 * True: the process has the mark of a worker that is gone, so a hunt may kill it. Processes of a
 * living worker may belong to the job that runs.
 */
static bool is_prey(void *supervisor, pid_t pid)
{
	struct supervisor *s = supervisor;
	int64_t mark = mark_of(pid);
	uint32_t number = (uint32_t)mark & ((1u << SLOT_MARK_BITS) - 1);
	const struct slot *slot;

	if (mark <= 0)
		return false;
	slot = pool_slot(s, number);
	if (!slot)
		return true;
	if (slot->link.state == SLOT_UNDEAD)
		return pid != slot->pid;
	return (slot->pid <= 0 && slot->link.state != SLOT_ORDERED) ||
		slot_mark(slot) != (uint32_t)mark;
}

static void say_killed(struct supervisor *s, uint32_t killed)
{
	if (killed == 0)
		return;
	s->strays_seen = true;
	atomic_fetch_add_explicit(&s->stats_page->strays_killed, killed, memory_order_relaxed);
	plain_log(s, BROOD_NOTICE, BROOD_EVENT_STRAY_KILLED,
		"%u process%s that jobs left behind were killed", killed, killed == 1 ? "" : "es");
}

static uint32_t go_hunting(struct supervisor *s, uint64_t limit_ns)
{
	return mark_is_made() ? (uint32_t)hunt(is_prey, s, now_ns() + limit_ns).killed : 0;
}

/*
 * Kills a stray, and its group if it leads one. The stray is not reaped yet, so no other process or
 * group can have its number.
 */
static bool end_child(pid_t pid)
{
	struct proc_stat stat;

	if (proc_stat(pid, &stat) == 0 && stat.doomed)
		return false; /* an earlier sweep killed the child, which is about to end */
	process_kill_group(pid);
	return process_signal(-1, pid, SIGKILL) == 0;
}

/*
 * Clears the flags by which workers say only once between two sweeps that a job made system calls:
 * they may say so again.
 */
static void hear_again(struct supervisor *s)
{
	list_for_each_safe(l, tmp, &s->called) {
		list_remove(l);
		atomic_store(&slot_page(container_of(l, struct slot, strays.called))->called, 0);
	}
}

void strays_called(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;

	if (list_empty(&slot->strays.called))
		list_append(&slot->strays.called, &s->called);
	strays_sweep_soon(s);
}

static void say_blind(struct supervisor *s)
{
	if (s->strays_blind)
		return;
	s->strays_blind = true;
	plain_log(s, BROOD_WARNING, BROOD_EVENT_STRAY_KILLED,
		"/proc does not show the supervisor its children: processes that jobs start in "
		"sessions of their own, or with CLONE_PARENT, are ended at the stop only");
}

/*
 * True: the child lives, and is a stray. Reaps a child that has ended. While births are under way,
 * the child may be a new worker, which the roster did not have a moment ago: so the roster is read
 * after the child was looked at.
 */
static bool is_living_stray(struct supervisor *s, pid_t pid)
{
	int ended = process_wait(pid, true, NULL);
	bool jobs = ended == 0 && strays_is_jobs(s, pid);

	if (s->spawner.orders > 0 && strays_known(s, pid))
		return false;
	if (ended != 0)
		process_wait(pid, false, NULL);
	return jobs;
}

uint32_t strays_sweep(struct supervisor *s)
{
	/* static: the array is too large for a stack, and the supervisor must not allocate now */
	static pid_t children[CHILDREN_MAX];
	uint32_t found = 0, killed = 0;
	bool hunts = false;
	int n;

	hear_again(s);
	count_one(&s->stats_page->sweeps);
	s->strays_left = 0;
	n = children_list(children, CHILDREN_MAX);
	for (int i = 0; i < n; i++) {
		pid_t pid = children[i];

		if (is_ours(s, pid) || !is_living_stray(s, pid))
			continue;
		found++;
		s->strays_left++;
		if (is_prey(s, pid))
			hunts = true;
		else
			killed += end_child(pid);
	}
	if (hunts)
		killed += go_hunting(s, HUNT_NS);
	say_killed(s, killed);
	for (int i = 0; found && i < n; i++)
		if (!is_ours(s, children[i]))
			(void)is_living_stray(s, children[i]); /* reaps strays that have ended */
	strays_reap(s);
	if (n < 0)
		say_blind(s);
	else if (found == 0)
		forget_sessions(s);
	if (found == 0) {
		s->sweeps++;
		note(s, NOTE_SWEPT);
	}
	return found;
}

/*
 * A list of children that is read while children come and go may miss some. So if strays were met
 * before, or no list can be read, nothing is left only when a hunt meets nobody.
 */
uint32_t strays_end(struct supervisor *s)
{
	uint32_t found = strays_sweep(s), killed;

	if (found > 0 || (!s->strays_seen && !s->strays_blind))
		return found;
	killed = go_hunting(s, HUNT_AT_STOP_NS);
	say_killed(s, killed);
	strays_reap(s);
	s->strays_left = killed;
	return killed;
}

/* Kills a helper that closes files. True: the helper was still there, so look again. */
static bool end_closer(const struct supervisor *s, pid_t pid)
{
	struct proc_stat stat;

	if (pid <= 0 || proc_stat(pid, &stat) < 0 || stat.ppid != s->pid)
		return false;
	/*
	 * The helper may be long gone, and another orphan of the engine may have its number. But a
	 * helper that has only begun has no name yet: then the caller looks again.
	 */
	if (!is_closer(&stat))
		return proc_same_program(pid) &&
			stat.start_ticks + BEGINNING_TICKS >= proc_boot_ticks();
	process_signal(-1, pid, SIGKILL);
	return true;
}

/* Ends the close helpers of supervisor and engine: nobody waits for the helpers any more. */
void strays_end_closers(struct supervisor *s)
{
	struct tally *tally = s->config.shared->tally;
	const struct timespec ms = { .tv_nsec = (long)NS_PER_MS };
	int found = 1;

	for (int round = 0; found > 0 && round < 1000; round++) {
		found = 0;
		for (int i = 0; i < CLOSING_HELPERS; i++)
			found += end_closer(s, atomic_load(&tally->closers[0][i])) +
				end_closer(s, atomic_load(&tally->closers[1][i]));
		strays_reap(s);
		if (found > 0)
			nanosleep(&ms, NULL);
	}
}

/*
 * After a sweep that found something, the next sweep is due soon: the killed processes may have had
 * children, which are the supervisor's now.
 */
void strays_sweep_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, sweep_timer);

	s->last_sweep_ns = now;
	if (strays_sweep(s) > 0) {
		s->sweep_pause_ms = s->sweep_pause_ms ? MIN(s->sweep_pause_ms * 2, 1000u)
						      : RETRY_MS;
		timer_set(&s->loop, timer, now + s->sweep_pause_ms * NS_PER_MS);
		if (strays_given_up(s, now))
			note(s, NOTE_STOP); /* some strays cannot be killed: the stop gives up */
	} else {
		s->sweep_pause_ms = 0;
		note(s, NOTE_STOP);
	}
}

void strays_sweep_soon(struct supervisor *s)
{
	uint64_t now = now_ns(), when = s->last_sweep_ns ? s->last_sweep_ns + SWEEP_EVERY_NS : now;

	if (!timer_running(&s->sweep_timer))
		timer_set(&s->loop, &s->sweep_timer, MAX(when, now));
}

bool strays_given_up(const struct supervisor *s, uint64_t now)
{
	return s->done_ns &&
		now - s->done_ns >= (uint64_t)s->options->stop_ms * NS_PER_MS + NS_PER_S;
}
