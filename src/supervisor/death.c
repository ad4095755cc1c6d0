/* SPDX-License-Identifier: MIT */
/*
 * death.c - a worker's end, in an order that matters:
 *   1. its channel is read to the end: a FINISHED that it still sent counts;
 *   2. waitid(WNOWAIT) says that it has ended: the zombie pins its pid, so that the group with that
 *      number can only be its own; the group is killed;
 *   3. it is reaped; the wait status, FINISHED, ESCAPED and the desk word together are the facts
 *      from which pool/fate.c makes the verdict;
 *   4. its roster entry goes to the remains, the place is empty, a birth is due;
 *   5. what its jobs started outside of its group is now a child of the supervisor (a subreaper):
 *      the sweep finds it, at most once a second as long as it finds nothing.
 *      Until one has found nothing the guard keeps an eye on the session: the supervisor may be
 *      killed before.
 */
#include "internal.h"
#include "slot.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the verdict of the job that it ran ---- */

static bool memory_was_short(const struct slot *slot)
{
	return atomic_load(&shared_desk(slot->supervisor->config.shared, slot->number)->memory) !=
		0;
}

/* The exit code is the library's, and not a job's. */
static bool gave_up(const struct slot *slot, const struct process_exit *e)
{
	uint32_t said = atomic_load(
		&shared_desk(slot->supervisor->config.shared, slot->number)->gave_up);

	return e->code == CLD_EXITED && said != 0 && e->status == (int)said;
}

static uint64_t cpu_us(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000u +
		(uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

bool death_noticed(const struct slot *slot, uint64_t sequence)
{
	return atomic_load(&shared_desk(slot->supervisor->config.shared, slot->number)->noticed) ==
		sequence;
}

static void job_after_death(struct slot *slot, const struct process_exit *e)
{
	struct supervisor *s = slot->supervisor;
	struct job *job = slot->job;
	struct fate_facts facts = {
		.escaped = slot->escaped,
		.sequence = slot->sequence,
		.ended = true,
		.code = e->code,
		.status = e->status,
		.kill_signal = slot->kill_signal,
		.condemned = slot->condemned,
		.abort = slot->ladder.abort,
		.cause = slot->ladder.cause,
		.told = slot->ladder.told,
		.noticed = death_noticed(slot, slot->sequence),
		.protocol = slot->protocol,
		.stuck = slot->stuck,
		.memory = memory_was_short(slot),
		.gave_up = gave_up(slot, e),
	};
	uint64_t word = atomic_load(&shared_desk(s->config.shared, slot->number)->word);
	bool again;

	facts.word = slot->condemned ? slot->word_before : word;
	job->verdict = (struct brood_verdict){ .cpu_us = cpu_us(&e->usage),
		.peak_kb = (uint64_t)e->usage.ru_maxrss };
	again = !fate_decide(&facts, &job->verdict);
	if (again ? !job_redispatch(s, job) : !job_retry(s, job))
		job_decided(s, job);
}

static void lease_after_death(struct slot *slot, const struct process_exit *e)
{
	lease_died(slot,
		&(struct lease_death){
			.code = e->code,
			.status = e->status,
			.cpu_us = cpu_us(&e->usage),
			.peak_kb = (uint64_t)e->usage.ru_maxrss,
			.memory = memory_was_short(slot),
			.gave_up = gave_up(slot, e),
		});
}

/* ---- what is said and counted ---- */

/* It had begun something: its end is that job's, and not of one that never got so far. */
static bool at_work(const struct slot *slot)
{
	uint64_t word = atomic_load(
		&shared_desk(slot->supervisor->config.shared, slot->number)->word);

	return slot->job &&
		(!slot->job->is_lease || slot->condemned || watch_moved(slot->watch.base, word));
}

static const char *why_gave_up(const struct slot *slot, const struct process_exit *e)
{
	switch (e->status) {
	case WORKER_EXIT_BIRTH: return "it could not begin";
	case WORKER_EXIT_INIT: return "worker_init did not succeed";
	case WORKER_EXIT_CHANNEL:
		return slot->ready_ns ? "a job closed or replaced descriptors of the library's"
				      : "worker_init closed or replaced its channel";
	case WORKER_EXIT_ESCAPED: return "a job left its function by longjmp() or pthread_exit()";
	default: return "memory that it shares with the library was written over";
	}
}

/* The job that runs on a lease: its id, as the engine published it, else 0. */
static uint64_t job_on_lease(const struct slot *slot)
{
	const struct shared *shared = slot->supervisor->config.shared;
	const struct ledger *ledger = shared_ledger(shared, slot->job->lease.ledger);
	uint64_t word = slot->condemned ? slot->word_before
					: atomic_load(&shared_desk(shared, slot->number)->word);
	uint64_t sequence = DESK_SEQUENCE(word);

	if (DESK_STATE(word) != DESK_RUNNING || sequence <= slot->watch.base ||
		sequence > atomic_load(&ledger->published))
		return 0;
	return ledger->entries[sequence % RING_DEPTH].id;
}

/* The worker's own word for it: only what can be printed. */
static void name_on_lease(const struct slot *slot, char name[BROOD_NAME_MAX])
{
	const struct desk *desk = shared_desk(slot->supervisor->config.shared, slot->number);

	memcpy(name, desk->name, BROOD_NAME_MAX);
	name[BROOD_NAME_MAX - 1] = '\0';
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* What it was at, in words; the job's id, or 0. */
static uint64_t doing(const struct slot *slot, char *what, size_t size)
{
	char name[BROOD_NAME_MAX];
	uint64_t id;

	if (!slot->job) {
		snprintf(what, size, slot->ready_ns ? " while idle" : " before it was ready");
		return 0;
	}
	if (!slot->job->is_lease) {
		id = slot->job->link.id;
		snprintf(what, size, " in %s, job %" PRIu64, slot->job->message.name, id);
		return id;
	}
	id = job_on_lease(slot);
	name_on_lease(slot, name);
	if (id)
		snprintf(what, size, " in %s, job %" PRIu64 ", on lease", name, id);
	else
		snprintf(what, size, " on lease, between jobs");
	return id;
}

static void say(struct slot *slot, const struct process_exit *e, bool planned)
{
	bool by_signal = e->code == CLD_KILLED || e->code == CLD_DUMPED;
	bool as_planned = planned && (by_signal ? e->status == slot->kill_signal : e->status == 0);
	char name[16], how[64], what[BROOD_NAME_MAX + 64] = "";
	uint64_t id;

	if (as_planned)
		/* a normal stop is silent; a retirement was told when it began */
		return;
	if (!by_signal && e->status == 0 && slot->channel_ended && !slot->end_reason)
		slot->end_reason = "a job shut its channel down";
	if (gave_up(slot, e) && !slot->end_reason)
		slot->end_reason = why_gave_up(slot, e);
	if (by_signal)
		snprintf(how, sizeof how, "by %s%s", signals_name(e->status, name),
			e->code == CLD_DUMPED ? " (core dumped)" : "");
	else if (gave_up(slot, e))
		snprintf(how, sizeof how, "itself");
	else
		snprintf(how, sizeof how, "with exit code %d", e->status);
	id = doing(slot, what, sizeof what);
	log_line(slot->supervisor,
		&(struct log_about){ .level = slot->kill_signal ? BROOD_NOTICE : BROOD_WARNING,
			.event = BROOD_EVENT_WORKER_DIED,
			.slot = slot,
			.job = id },
		"worker %u (pid %d) ended %s%s%s%s", slot->number, slot->pid, how, what,
		slot->end_reason ? ": " : "", slot->end_reason ? slot->end_reason : "");
}

static void count(struct slot *slot, const struct process_exit *e, bool expected)
{
	struct supervisor *s = slot->supervisor;
	uint64_t now = now_ns();
	bool outside = e->code == CLD_KILLED && e->status == SIGKILL &&
		slot->kill_signal != SIGKILL;
	bool young = slot->ready_ns == 0 ||
		(slot->jobs_done == 0 && !at_work(slot) && !outside &&
			now - slot->ready_ns < (uint64_t)s->options->healthy_ms * NS_PER_MS);

	atomic_fetch_add_explicit(&s->board->died, 1, memory_order_relaxed);
	if (e->code == CLD_DUMPED)
		cores_count(s, now);
	if (young && !slot->unwatched && (!expected || slot->ready_ns == 0) &&
		s->halt.phase <= HALT_DRAIN)
		backoff_young_death(&s->backoff, now, supervisor_ready(s));
}

static void degraded_news(struct supervisor *s)
{
	uint64_t now = now_ns(), next = backoff_next(&s->backoff);
	bool hopeless = jobs_hopeless(s);

	if (!s->backoff.degraded || s->halt.phase > HALT_DRAIN)
		return;
	plain_log(s, BROOD_ERR, BROOD_EVENT_DEGRADED,
		"the pool is degraded: %u workers in a row died at birth; %snext try in %" PRIu64
		" ms",
		s->backoff.young, hopeless ? "jobs are refused; " : "",
		next > now ? (next - now) / NS_PER_MS : 0);
	if (hopeless) /* else there is one that may do them yet */
		jobs_refuse_queue(s, BROOD_DETAIL_DEGRADED);
	note(s, NOTE_POOL | NOTE_GAUGES);
}

/* ---- the end ---- */

/*
 * None signed it: then nothing of the program has run there. More deaths than there is room for,
 * and no sweep meanwhile: one is due now.
 */
static void remember_session(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	struct roster *roster = s->config.shared->roster;
	struct roster_entry *entry = &roster->workers[slot->number], *to;
	const uint32_t room = (uint32_t)ROSTER_ENTRIES(roster->slots) - roster->slots;

	if (atomic_load(&entry->pid) != slot->pid)
		return;
	if (s->remains >= room)
		strays_sweep(s);
	to = &roster->workers[roster->slots + s->remains++ % room];
	atomic_store(&to->pid, 0);
	to->generation = entry->generation;
	to->born_ticks = entry->born_ticks;
	atomic_store_explicit(&to->pid, slot->pid, memory_order_release);
}

void death_forget_process(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	int fd = slot->channel.fd;

	loop_remove(&s->loop, &slot->channel);
	closing_pair_end(fd);
	loop_remove(&s->loop, &slot->death);
	slot->pidfd = close_fd(slot->pidfd);
	timer_stop(&s->loop, &slot->timer);
	timer_stop(&s->loop, &slot->eof_timer);
	timer_stop(&s->loop, &slot->undead_timer);
	remember_session(slot);
	atomic_store(&s->config.shared->roster->workers[slot->number].pid, 0);
	slot->pid = 0;
}

/* A job that died may have changed the flags of the engine's stdout (os/standard.h). */
static void put_standard_back(struct slot *slot)
{
	const struct supervisor_config *c = &slot->supervisor->config;
	struct desk *desk = shared_desk(c->shared, slot->number);

	for (int i = 0; i < STANDARD_FILES; i++) {
		uint32_t note = atomic_exchange(&desk->standard[i], 0);

		if (note & DESK_STANDARD)
			standard_put_back_shared(
				i, c->standard.start[i], (int)(note & ~DESK_STANDARD));
	}
}

static void bury(struct slot *slot, const struct process_exit *e)
{
	struct supervisor *s = slot->supervisor;
	bool expected = slot->retiring || slot->kill_signal != 0 || s->halt.phase >= HALT_CANCEL;

	if (slot->link.state == SLOT_UNDEAD) {
		undead_bury(slot);
		return;
	}
	say(slot, e, slot->retiring || s->halt.phase >= HALT_CANCEL);
	if (slot->link.state != SLOT_ENDING)
		slot_move(slot, SLOT_ENDING);
	count(slot, e, expected);
	put_standard_back(slot);
	if (slot->job && slot->job->is_lease)
		lease_after_death(slot, e);
	else if (slot->job)
		job_after_death(slot, e);
	death_forget_process(slot);
	slot_move(slot, SLOT_EMPTY);
	if (slot->ready_ns == 0)
		degraded_news(s);
	if (s->way == PROCESS_FORK)
		strays_reap(s); /* its zombie may have stood before theirs */
	strays_sweep_soon(s);
}

void death_check(struct slot *slot)
{
	struct process_exit e = { 0 };
	int r;

	if (slot->pid <= 0)
		return;
	r = process_wait(slot->pid, true, &e);
	if (r == 0)
		return;
	if (r < 0 && r != -ECHILD) {
		note(slot->supervisor, NOTE_RETRY);
		worker_to_ending(slot, now_ns() + RETRY_MS * NS_PER_MS);
		return;
	}
	slot->dead = true;
	worker_drain(slot);
	if (slot->pid <= 0)
		return;
	process_kill_group(slot->pid);
	if (r == 1)
		r = process_wait(slot->pid, false, &e);
	/* somebody else reaped it: as good as an end, but nobody knows how */
	if (r == -ECHILD)
		e = (struct process_exit){ 0 };
	else if (r != 1) {
		worker_to_ending(slot, now_ns() + RETRY_MS * NS_PER_MS);
		return;
	}
	bury(slot, &e);
}

void death_readable(struct loop *loop, struct source *source, uint32_t events)
{
	struct slot *slot = container_of(source, struct slot, death);

	(void)events;
	death_check(slot);
	/*
	 * waitid failed for now, or a debugger has it first: look again, but do not spin on a
	 * readable pidfd
	 */
	if (slot->pid > 0) {
		loop_remove(loop, &slot->death);
		worker_to_ending(slot, now_ns() + RETRY_MS * NS_PER_MS);
	}
}
