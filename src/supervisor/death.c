/* SPDX-License-Identifier: MIT */
/*
 * death.c - a worker's end, in an order that matters:
 *   1. waitid(WNOWAIT) says that the worker has ended. The zombie still holds the pid, so the group
 *      of that number can only be the worker's;
 *   2. the worker's channel is read to the end: a FINISHED that the worker still sent counts;
 *   3. the worker's group is killed, and the worker is reaped; the wait status, FINISHED, ESCAPED
 *      and the slot page together are the facts from which pool/fate.c makes the verdict;
 *   4. the roster keeps the session among those of dead workers, the slot is EMPTY, a birth is due;
 *   5. what its jobs started outside of its group is now a child of the supervisor (a subreaper). A
 *      sweep finds it; sweeps that find nothing come at most once a second. Until one has found
 *      nothing, the roster keeps the session of step 4: if the supervisor is killed before, the
 *      guard kills what is in that session.
 *      If the slot page says that the worker leaves nobody behind, no session is kept and no sweep
 *      is due. A worker that lies there gains only time: the sweep at the stop and the guard's hunt
 *      do not read slot pages.
 */
#include "death.h"
#include "cgroups.h"
#include "death_log.h"
#include "grant.h"
#include "poisoned.h"
#include "status_page.h"
#include "pool.h"
#include "reload.h"
#include "reports.h"
#include "strays.h"
#include "tails.h"
#include "verdict.h"
#include "waiting.h"
#include "worker_peer.h"
#include "lease_watch.h"
#include "../os/mark.h"
#include "../os/pidset.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the verdict of the job that the worker ran ---- */

static uint64_t cpu_us(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000u +
		(uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

/* True: the job has another attempt. False: it ends with job->verdict. */
static bool again(struct job *job, const struct fate_facts *facts)
{
	if (!fate_decide(facts, &job->verdict))
		return waiting_redispatch(job);
	return !(job->message.key && poisoned_count(job)) && waiting_retry(job);
}

void death_end_job(struct slot *slot, const struct process_exit *e)
{
	struct fate_facts *facts = &slot->facts;
	struct brood_verdict used = { 0 };
	struct job *job = slot->job;

	facts->sequence = slot->sequence;
	if (!facts->condemned)
		facts->word = atomic_load(&slot_page(slot)->word);
	facts->abort = slot->ladder.abort;
	facts->cause = slot->ladder.cause;
	facts->told = slot->ladder.told;
	facts->noticed = slot_noticed(slot, slot->sequence);
	facts->undead = !e;
	if (e) {
		facts->ended = true;
		facts->code = e->code;
		facts->status = e->status;
		facts->memory = atomic_load(&slot_page(slot)->memory) != 0;
		facts->gave_up = death_log_gave_up(slot, e);
		used.cpu_us = cpu_us(&e->usage);
		used.peak_kb = (uint64_t)e->usage.ru_maxrss;
	}
	if (job && job->is_lease) {
		grant_end_by_death(slot, &used);
	} else if (job) {
		job->verdict = used;
		if (!again(job, facts)) {
			record_take_so_far(job,
				shared_trace_page(
					slot->pool->supervisor->config.shared, slot->number),
				slot->sequence);
			verdict_give(job);
			status_page_death_judged(slot);
		}
	}
}

/* ---- what the log and the counters hear of the death ---- */

/* True: the worker had begun a job. Then the job is to blame, and the death is no failed birth. */
static bool at_work(const struct slot *slot)
{
	uint64_t word = atomic_load(&slot_page(slot)->word);

	return slot->job &&
		(!slot->job->is_lease || slot->facts.condemned ||
			watch_moved(slot->lease.watch.base, word));
}

/* True: the end counts as a death at birth. */
static bool count(struct slot *slot, const struct process_exit *e, bool expected)
{
	struct pool *pool = slot->pool;
	uint64_t now = now_ns();
	bool outside = e->code == CLD_KILLED && e->status == SIGKILL &&
		slot->facts.kill_signal != SIGKILL;
	bool young = slot->ready_ns == 0 ||
		(slot->jobs_done == 0 && !at_work(slot) && !outside &&
			now - slot->ready_ns < (uint64_t)pool->options->healthy_ms * NS_PER_MS);

	pool->died++;
	if (e->code == CLD_DUMPED)
		pool_count_core(pool, now);
	young = young && !slot->end.unwatched && (!expected || slot->ready_ns == 0) &&
		slot->pool->supervisor->halt.phase <= HALT_DRAIN;
	if (young)
		backoff_young_death(&pool->backoff, now, pool_ready(pool));
	return young;
}

static void degraded_news(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;
	uint64_t now = now_ns(), next = backoff_next(&pool->backoff);
	bool hopeless = pool_hopeless(pool);

	if (!pool->backoff.degraded || s->halt.phase > HALT_DRAIN)
		return;
	pool_log(pool, BROOD_ERR, BROOD_EVENT_DEGRADED,
		"the pool is degraded: %u workers in a row died at birth; %snext try in %" PRIu64
		" ms",
		pool->backoff.young, hopeless ? "jobs are refused; " : "",
		next > now ? (next - now) / NS_PER_MS : 0);
	if (hopeless) /* if not, a ready worker may still do the jobs */
		verdict_refuse_all(pool, BROOD_DETAIL_DEGRADED);
	note_pool(pool, NOTE_POOL | NOTE_GAUGES);
}

/* ---- the end of a worker ---- */

/*
 * True: jobs of the worker may have left processes, so a sweep is due and the session is kept. That
 * is always so where processes carry no mark (os/mark.h): a stray is then known only by its
 * session.
 */
static bool may_leave_strays(const struct slot *slot)
{
	return slot->link.state == SLOT_UNDEAD || slot->facts.protocol || !mark_is_made() ||
		atomic_load(&slot_page(slot)->offspring) != 0;
}

/*
 * Keeps the dead worker's session in the roster until a sweep finds no stray. A worker that had not
 * signed its entry has run no code of the program, so its session is not kept. If the room for such
 * entries is used up, a sweep at once may free it.
 */
static void remember_session(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;
	struct roster *roster = s->config.shared->roster;
	struct roster_entry *entry = &roster->workers[slot->number], *to;
	const uint32_t room = (uint32_t)ROSTER_ENTRIES(roster->slots) - roster->slots;

	if (atomic_load(&entry->pid) != slot->pid || !may_leave_strays(slot))
		return;
	if (s->remains >= room)
		strays_sweep(s);
	to = &roster->workers[roster->slots + s->remains++ % room];
	atomic_store(&to->pid, 0);
	to->generation = entry->generation;
	to->born_ticks = entry->born_ticks;
	atomic_store(&to->session, atomic_load(&entry->session));
	atomic_store_explicit(&to->pid, slot->pid, memory_order_release);
}

static void forget_process(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;

	slot_close_channel(slot);
	tails_close(slot);
	loop_remove(&s->loop, &slot->death);
	slot->pidfd = close_fd(slot->pidfd);
	timer_stop(&s->loop, &slot->timer);
	timer_stop(&s->loop, &slot->healthy_timer);
	timer_stop(&s->loop, &slot->end_timer);
	timer_stop(&s->loop, &slot->eof_timer);
	timer_stop(&s->loop, &slot->undead_timer);
	timer_stop(&s->loop, &slot->renewal.age);
	list_remove(&slot->strays.called);
	remember_session(slot);
	atomic_store(&s->config.shared->roster->workers[slot->number].pid, 0);
	pidset_remove(slot->pid);
	slot->pid = 0;
}

/* Puts back flags of the engine's stdout and stderr that a dead job changed (os/standard.h). */
static void put_standard_back(struct slot *slot)
{
	const struct supervisor_config *c = &slot->pool->supervisor->config;
	struct slot_page *page = slot_page(slot);

	for (int i = 0; i < STANDARD_FILES; i++) {
		uint32_t note = atomic_exchange(&page->standard[i], 0);

		if (note & SLOT_PAGE_STANDARD)
			standard_put_back_shared(
				i, c->standard.start[i], (int)(note & ~SLOT_PAGE_STANDARD));
	}
}

static void bury_undead(struct slot *slot, const struct process_exit *e)
{
	struct supervisor *s = slot->pool->supervisor;

	slot_log(slot, BROOD_NOTICE, BROOD_EVENT_UNDEAD,
		"worker %u (pid %d), which was killed, has ended after %" PRIu64 " ms",
		slot->number, slot->pid, (now_ns() - slot->killed_ns) / NS_PER_MS);
	slot->pool->died++;
	forget_process(slot);
	cgroups_worker_ended(slot);
	slot->strays.sweeps = s->sweeps;
	status_page_death(slot, e);
	slot->status.died_ns = 0; /* another slot has taken over long ago */
	slot_touch(slot);
	note_pool(slot->pool, NOTE_GAUGES | NOTE_STOP);
}

/*
 * Counts a failed birth for the reload. Two ends say nothing against the new workers, and do not
 * count: somebody outside killed the worker, or there was no memory to watch it.
 */
static void birth_failed(struct slot *slot, const struct process_exit *e)
{
	char how[160], text[64];

	if (slot->end.unwatched ||
		(e->code == CLD_KILLED && e->status == SIGKILL &&
			slot->facts.kill_signal != SIGKILL))
		return;
	snprintf(how, sizeof how, "%s%s%s", death_log_how(slot, e, text, sizeof text),
		slot->end.reason ? ": " : "", slot->end.reason ? slot->end.reason : "");
	memcpy(slot->pool->birth_end, how, sizeof slot->pool->birth_end);
	reload_birth_failed(slot, how);
}

static void bury_worker(struct slot *slot, const struct process_exit *e)
{
	struct supervisor *s = slot->pool->supervisor;
	bool expected = slot->end.retiring || slot->facts.kill_signal != 0 ||
		s->halt.phase >= HALT_CANCEL;
	bool young;

	slot->facts.oom = e->code == CLD_KILLED && e->status == SIGKILL &&
		slot->facts.kill_signal != SIGKILL && cgroups_was_oom(slot);
	if (death_log_say(slot, e, slot->end.retiring || s->halt.phase >= HALT_CANCEL))
		reports_add(slot, e);
	slot_end(slot, TIME_NEVER);
	young = count(slot, e, expected);
	put_standard_back(slot);
	status_page_death(slot, e);
	death_end_job(slot, e);
	forget_process(slot);
	cgroups_worker_ended(slot);
	slot_make_empty(slot);
	if (slot->ready_ns == 0)
		birth_failed(slot, e);
	if (young)
		degraded_news(slot->pool);
}

static void bury(struct slot *slot, const struct process_exit *e)
{
	struct supervisor *s = slot->pool->supervisor;
	bool sweeps = may_leave_strays(slot);

	if (slot->link.state == SLOT_UNDEAD)
		bury_undead(slot, e);
	else
		bury_worker(slot, e);
	if (s->way == PROCESS_FORK)
		strays_reap(s); /* the worker's zombie may have hidden those of strays */
	if (sweeps)
		strays_sweep_soon(s);
}

void death_bury_if_ended(struct slot *slot)
{
	struct process_exit e = { 0 };
	int r;

	if (slot->pid <= 0)
		return;
	r = process_wait(slot->pid, true, &e);
	if (r == 0)
		return;
	if (r < 0 && r != -ECHILD) {
		note(slot->pool->supervisor, NOTE_RETRY);
		slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
		return;
	}
	slot->end.dead = true;
	worker_peer_drain(slot);
	if (slot->pid <= 0)
		return;
	tails_drain(slot); /* its last words come before the line about its death */
	process_kill_group(slot->pid);
	if (r == 1)
		r = process_wait(slot->pid, false, &e);
	/* another process reaped the worker: nobody knows how it ended */
	if (r == -ECHILD)
		e = (struct process_exit){ 0 };
	else if (r != 1) {
		slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
		return;
	}
	bury(slot, &e);
}

void death_readable(struct source *source, uint32_t events)
{
	struct slot *slot = container_of(source, struct slot, death);

	(void)events;
	death_bury_if_ended(slot);
	/*
	 * waitid() failed for now, or a debugger gets the news first. The pidfd stays readable and
	 * would wake the loop for ever: so the loop drops it, and a timer looks again.
	 */
	if (slot->pid > 0) {
		loop_remove(&slot->pool->supervisor->loop, &slot->death);
		slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
	}
}

/*
 * The timer of an ENDING slot kills its worker (again). If the worker has no pidfd, or the loop
 * cannot watch it, the timer then looks again and again whether the worker is gone.
 */
void death_end_fired(struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, end_timer);
	struct supervisor *s = slot->pool->supervisor;

	death_bury_if_ended(slot);
	if (slot->pid <= 0)
		return;
	if (slot->facts.kill_signal != SIGKILL && slot->link.state == SLOT_ENDING) {
		slot_log(slot, BROOD_NOTICE, BROOD_EVENT_STOP_FORCED,
			"worker %u (pid %d) did not end when asked and is killed", slot->number,
			slot->pid);
		slot_kill(slot, SIGKILL,
			slot->end.reason ? slot->end.reason : "it did not end when asked");
	}
	/* A watched pidfd tells the worker's end. Without one, the timer looks again. */
	if (slot->death.fd >= 0)
		return;
	if (slot->link.state == SLOT_UNDEAD)
		slot_end(slot, 0);
	else
		timer_set(&s->loop, timer, now + RETRY_MS * NS_PER_MS);
}

static bool job_runs(const struct slot *slot)
{
	return atomic_load(&slot_page(slot)->word) ==
		SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_RUNNING);
}

/*
 * The worker's channel has ended, but the worker lives on. A running job may have closed the
 * channel, with all descriptors or by exec. If the job was handed off, its deadline decides as
 * before: so this timer is not slot->timer. A lease is taken back: a worker that then does not
 * leave is stuck, unless a job runs, whose deadline decides. Any other worker is killed.
 */
static void eof_time_up(struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, eof_timer);

	death_bury_if_ended(slot);
	if (slot->pid <= 0 || slot->link.state == SLOT_ENDING)
		return;
	if (slot->link.state == SLOT_LEASED) {
		lease_watch_take_back(slot, now);
	} else if (slot->link.state != SLOT_BUSY || !job_runs(slot)) {
		slot_drop(slot, "closed its channel but did not end");
	}
}

void death_channel_readable(struct source *source, uint32_t events)
{
	struct slot *slot = container_of(source, struct slot, channel);

	(void)events;
	worker_peer_read(slot);
	if (!slot->channel_ended || slot->pid <= 0)
		return;
	death_bury_if_ended(slot);
	if (slot->pid > 0 && slot->facts.kill_signal != SIGKILL &&
		slot->link.state != SLOT_ENDING) {
		/* a worker on a lease reads its channel, and sees the end, only after a recall */
		lease_watch_recall(slot);
		slot->eof_timer.on = eof_time_up;
		timer_set(&slot->pool->supervisor->loop, &slot->eof_timer,
			now_ns() + EOF_GRACE_MS * NS_PER_MS);
	}
}
