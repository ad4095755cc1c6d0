/* SPDX-License-Identifier: MIT */
/*
 * undead.c - a worker that was sent SIGKILL and does not end. It waits in the kernel for a disk or
 * a server (state D), or a process that traces it holds it at its exit, or it has become a set-uid
 * program that the supervisor may not signal.
 *
 * The worker's job does not wait for its end: a second after SIGKILL the job has its verdict, and
 * is never tried again. The place is undead. Its slot page, its roster entry and its memory are
 * used for nothing, for the process still has them mapped and may yet write there. A spare place
 * takes over, so that the pool keeps its number of working workers. If no spare place is left, the
 * pool is degraded.
 *
 * When the process has ended after all, the place waits for one sweep that finds nothing: processes
 * that the job started may have the same memory.
 */
#include "undead.h"
#include "../os/proc.h"
#include "death.h"
#include "pool.h"
#include "reports.h"
#include "status_page.h"
#include "strays.h"
#include "tails.h"
#include "verdict.h"
#include "worker_peer.h"

/* ---- what is known of the worker ---- */

static const char *why(const struct slot *slot, pid_t tracer)
{
	struct proc_stat stat;

	if (tracer)
		return "a process that traces it holds it";
	if (proc_stat(slot->pid, &stat) == 0 && stat.state == 'D')
		return "it waits in the kernel (state D)";
	return "the kernel has not ended it yet";
}

/*
 * Kills a child of the job that left the worker's group and holds the worker by tracing it. Other
 * debuggers are left alone.
 */
static void kill_tracer(struct slot *slot, pid_t tracer)
{
	struct supervisor *s = slot->pool->supervisor;
	int pidfd;

	if (tracer <= 1 || strays_known(s, tracer))
		return;
	pidfd = process_pidfd_open(
		tracer); /* before the checks, which then hold for the process behind the pidfd */
	if (pidfd != -ESRCH && proc_tracer(slot->pid) == tracer && strays_is_jobs(s, tracer))
		process_signal(pidfd, tracer, SIGKILL);
	close_fd(pidfd);
}

/* ---- the worker's place ---- */

static void say(struct slot *slot)
{
	pid_t tracer = proc_tracer(slot->pid);

	slot_log(slot, BROOD_WARNING, BROOD_EVENT_UNDEAD,
		"worker %u (pid %d) was killed%s%s, and does not end: %s; its place is out of use "
		"until it has",
		slot->number, slot->pid, slot->end.reason ? " because " : "",
		slot->end.reason ? slot->end.reason : "", why(slot, tracer));
	kill_tracer(slot, tracer);
	count_one(&slot->pool->stats_page->undead_ever);
}

static void say_degraded(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;
	uint32_t working = slots_working(&pool->slots);

	if (working >= pool->size.target || s->halt.phase > HALT_DRAIN)
		return;
	pool_log(pool, BROOD_ERR, BROOD_EVENT_DEGRADED,
		"the pool is degraded: %u workers that were killed do not end, and there is no "
		"spare place left; %u of %u places work",
		pool->slots.counts[SLOT_UNDEAD], working, pool->size.target);
	if (pool_hopeless(pool))
		verdict_refuse_all(pool, BROOD_DETAIL_DEGRADED);
}

static void begin(struct slot *slot)
{
	tails_drain(slot);
	say(slot);
	reports_add(slot, NULL);
	slot_close_channel(slot);
	slot_make_undead(slot);
	status_page_undead(slot);
	death_end_job(slot, NULL);
	if (slot->death.fd < 0)
		slot_end(slot, 0); /* no pidfd tells the end: a timer looks */
	say_degraded(slot->pool);
}

void undead_time_up(struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, undead_timer);

	(void)now;
	death_bury_if_ended(slot);
	if (slot->pid <= 0)
		return;
	worker_peer_drain(slot); /* a FINISHED that the worker still sent counts */
	if (slot->pid > 0 && slot->link.state != SLOT_UNDEAD)
		begin(slot);
}

/* ---- the worker's end ---- */

void undead_revive(struct pool *pool)
{
	bool was_degraded = pool_degraded(pool);

	list_for_each_safe(l, tmp, &pool->slots.lists[SLOT_UNDEAD]) {
		struct slot *slot = container_of(l, struct slot, link.link);

		/* a sweep that found nothing must have come after the end of the process */
		if (slot->pid <= 0 && slot->strays.sweeps != pool->supervisor->sweeps)
			slot_revive(slot);
	}
	if (was_degraded && !pool_degraded(pool))
		pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RECOVERED,
			"the pool has recovered: all places work again");
}

uint32_t undead_alive(struct pool *pool, uint64_t now)
{
	uint32_t count = 0;

	list_for_each_safe(l, tmp, &pool->slots.lists[SLOT_UNDEAD]) {
		struct slot *slot = container_of(l, struct slot, link.link);

		count += slot->pid > 0 && now < slot->killed_ns + HALT_KILL_MS * NS_PER_MS;
	}
	return count;
}
