/* SPDX-License-Identifier: MIT */
/*
 * stepper_walk.c - a worker on its way from getting a job to being idle again, killed at each place
 * of it.
 *
 * A round: the engine says where, and gives a job once the tracer has armed both workers of the
 * pool. The one whose sleep ends has the job: it is led there and killed, the other is let go. The
 * pool lives on: the next round kills the replacement one instruction further.
 *
 * What must be true of each round, whatever the place:
 *   - the job has one verdict: done by the other worker, never begun by the first (attempts 2; of
 *     an explicit lease: refused, since it is over); or crashed, by a kill from outside, started;
 *     or done (attempts 1);
 *   - in this order along the way, and never back: before the function is entered, while it counts
 *     as running, and once its end was told;
 *   - the function was entered as often as the verdict says: by a worker that died before, not
 *     once;
 *   - then the pool is full again, no other worker has died, the dead one is reaped, and the next
 *     job is done at once.
 */
#define _GNU_SOURCE
#include "stepper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

/*
 * by how many instructions one way may be longer than another; reading the clock, for example,
 * sometimes takes a few more
 */
#define JITTER 64

static const struct plan *plan;

/* ---- which instructions were met on the way, and at which a worker was killed ---- */

static struct met {
	unsigned long address;
	bool killed;
} met[1 << 15];
#define MET (sizeof met / sizeof met[0])

static struct met *met_at(unsigned long address)
{
	for (size_t i = address % MET, n = 0; n < MET; n++, i = (i + 1) % MET)
		if (met[i].address == address || met[i].address == 0) {
			met[i].address = address;
			return &met[i];
		}
	FAIL("more than %zu instructions", MET);
}

static struct met *met_missed(void)
{
	for (size_t i = 0; i < MET; i++)
		if (met[i].address && !met[i].killed)
			return &met[i];
	return NULL;
}

/* ---- the tracer ---- */

/* Goes by system calls to the return of the one from which `want` counts. */
static void forward(struct tracee *t, struct stage *s)
{
	bool inside = false;

	while (s->got.call < s->want.call && !s->at_end) {
		enum trace_stop stop = trace_resume(t, PTRACE_SYSCALL);

		CHECK_MSG(stop != TRACE_ENDED, "the worker ended by itself, %u calls on",
			s->got.call);
		if (stop != TRACE_CALL)
			continue;
		if (inside)
			s->got.call++;
		else
			s->at_end = trace_at_sleep(t, true);
		inside = !inside;
	}
}

/* Steps to the next instruction. True: the last one was a system call that was made. */
static bool step(struct tracee *t, unsigned long from)
{
	bool call = trace_at_call(t, from);
	enum trace_stop stop;
	unsigned long to;

	do {
		stop = trace_resume(t, PTRACE_SINGLESTEP);
		CHECK_MSG(stop != TRACE_ENDED, "the worker ended by itself at %lx", from);
		if (stop == TRACE_SIGNAL)
			/* user dispatch turned it into a signal, and it will be made again */
			call = false;
		to = trace_at(t);
	} while (stop != TRACE_STEP || to == from || trace_in_vdso(to));
	return call;
}

/* False: it is there. */
static bool further(const struct stage *s, unsigned long address, const struct met *missed)
{
	if (s->want.step == STEP_MISSED)
		return !missed || address != missed->address;
	return s->got.step < s->want.step;
}

static void walk(struct tracee *t, struct stage *s)
{
	struct met *missed = s->want.step == STEP_MISSED ? met_missed() : NULL;
	unsigned long from;

	forward(t, s);
	while (from = trace_at(t), met_at(from), !s->at_end && further(s, from, missed)) {
		s->at_end = trace_at_call(t, from) && trace_at_sleep(t, false);
		if (s->at_end)
			break;
		if (!step(t, from)) {
			s->got.step++;
			continue;
		}
		s->lengths[s->got.call % CALLS_MAX] = s->got.step + 1;
		s->got = (struct place){ s->got.call + 1, 0 };
		if (s->want.step < STEP_MISSED)
			break;
	}
	s->lengths[s->got.call % CALLS_MAX] = s->got.step + 1;
	met_at(trace_at(t))->killed = true;
	if (missed)
		/* or the place was not met again, on a way that is not always taken */
		missed->killed = true;
	s->missed = met_missed() != NULL;
}

static void trace_round(struct stage *s, int round)
{
	struct tracee t[2];
	int first;

	s->got = (struct place){ 0, 0 };
	s->at_end = false;
	for (int i = 0; i < 2; i++)
		trace_arm(&t[i], s->workers[i]);
	stage_post(&s->armed, round);
	first = trace_first() == t[1].pid;
	CHECK_EQ(trace_wait(&t[first]), TRACE_CALL);
	trace_disarm(&t[!first]);
	walk(&t[first], s);
	s->killed = t[first].pid;
	trace_kill(&t[first]);
}

static void outside(pid_t case_pid)
{
	struct stage *s = stage();

	memset(met, 0, sizeof met);
	for (int round = 1; stage_wait(&s->asked, round, case_pid) && !atomic_load(&s->over);
		round++) {
		trace_patience();
		trace_round(s, round);
		stage_post(&s->told, round);
	}
}

/* ---- the engine ---- */

enum phase { PHASE_UNTOUCHED, PHASE_RUNNING, PHASE_TOLD, PHASES };
struct tally {
	struct brood *brood;
	int round;
	unsigned born, kills, phases[PHASES];
	bool reached[PHASES];
	struct place first[PHASES]; /* where each was first seen */
};
/* at the end of the shared memory: the text to print */
struct outcome {
	unsigned places, missed, once, calls, kills, phases[PHASES];
};
static struct outcome *outcome(void)
{
	return (struct outcome *)(void *)((char *)case_shared() + REPORT_SHARED -
		sizeof(struct outcome));
}

/*
 * Checks what the verdict says of the worker that was killed. (A worker that took the job back from
 * a dead worker's ring before it had seen that need not count as an attempt.)
 */
static enum phase phase_of(
	const struct brood_verdict *v, pid_t killed, unsigned entered, unsigned left)
{
	bool leased = plan->way->dispatch == BROOD_PATH_LEASE, by_another = v->pid != killed;

	if (v->outcome == BROOD_DONE) {
		CHECK_MSG(entered == 1 && left == 1 && v->started, "entered %u times: %s", entered,
			jobs_text(v));
		CHECK_MSG(v->attempts == (by_another ? 2 : 1) || (leased && v->attempts == 1),
			"killed was %d: %s", (int)killed, jobs_text(v));
		return by_another ? PHASE_UNTOUCHED : PHASE_TOLD;
	}
	if (plan->way->kind == KIND_LEASE && v->outcome == BROOD_REFUSED) {
		CHECK_MSG(v->detail == BROOD_DETAIL_LEASE_OVER && entered == 0 && !v->started,
			"entered %u times: %s", entered, jobs_text(v));
		return PHASE_UNTOUCHED;
	}
	CHECK_MSG(v->outcome == BROOD_CRASHED && v->detail == BROOD_DETAIL_OUTSIDE && v->started &&
			v->attempts == 1 && !by_another,
		"%s", jobs_text(v));
	CHECK_MSG(entered <= 1 && v->signal == SIGKILL, "entered %u times: %s", entered,
		jobs_text(v));
	return PHASE_RUNNING;
}

/*
 * No earlier phase comes back once a later one was seen. Nothing can be said of a whole lease: the
 * worker may have slept once more before the job came, or not.
 */
static void check_order(struct tally *t, enum phase phase, const char *what)
{
	struct place at = stage()->got;

	if (plan->way->kind == KIND_LEASE)
		return;
	for (int later = phase + 1; later < PHASES; later++) {
		struct place first = t->first[later];

		CHECK_MSG(!t->reached[later] ||
				(at.call == first.call && at.step < first.step + JITTER),
			"killed %u instructions after call %u: %s; but it was further %u after "
			"call %u",
			at.step, at.call, what, first.step, first.call);
	}
	if (!t->reached[phase]) {
		t->reached[phase] = true;
		t->first[phase] = at;
	}
}

/* The supervisor may have heard of the job's end, and not yet of its worker's death. */
static bool replaced(const struct tally *t)
{
	struct brood_stats stats = pool_stats(t->brood);

	return stats.died >= t->kills && stats.ready == stats.workers;
}

/* The workers now: one is new. */
static void replace(struct tally *t, pid_t dead)
{
	struct stage *s = stage();

	CHECK_MSG(WAIT_UNTIL(replaced(t), 10000), "the pool is not full again");
	CHECK_MSG(atomic_load(&s->births) == ++t->born, "%u workers were born, not %u",
		atomic_load(&s->births), t->born);
	CHECK(dead == s->workers[0] || dead == s->workers[1]);
	s->workers[dead == s->workers[1]] = atomic_load(&s->born[(t->born - 1) % BORN_MAX]);
	CHECK_MSG(kill(dead, 0) < 0 && errno == ESRCH, "worker %d is still there: %c", (int)dead,
		proc_state(dead));
}

/* On a lease the engine may not know yet that its worker is dead. */
static void settle(struct tally *t)
{
	struct brood_verdict v;

	CHECK(jobs_give(t->brood, plan->way, &v));
	CHECK_MSG(v.outcome == BROOD_DONE &&
			v.attempts <= 1u + (plan->way->dispatch == BROOD_PATH_LEASE),
		"%s", jobs_text(&v));
}

static void round_of(struct tally *t, struct place want)
{
	struct stage *s = stage();
	struct brood_verdict v;
	enum phase phase;

	s->want = want;
	atomic_store(&s->entered, 0);
	atomic_store(&s->left, 0);
	stage_post(&s->asked, ++t->round);
	CHECK(stage_wait(&s->armed, t->round, 0));
	CHECK(jobs_give(t->brood, plan->way, &v));
	CHECK(stage_wait(&s->told, t->round, 0));
	phase = phase_of(&v, s->killed, atomic_load(&s->entered), atomic_load(&s->left));
	if (want.step < STEP_MISSED) /* the others are in no order */
		check_order(t, phase, jobs_text(&v));
	t->phases[phase]++;
	t->kills++;
	replace(t, s->killed);
	settle(t);
}

/* Walks the whole way in single steps, to learn the lengths of its parts. */
static unsigned measure(struct tally *t, unsigned *lengths, unsigned *ret_calls)
{
	struct stage *s = stage();
	unsigned places = 0;

	round_of(t, (struct place){ 0, STEP_END });
	CHECK(s->at_end);
	CHECK_LT(s->got.call, CALLS_MAX);
	for (unsigned call = 0; call <= s->got.call; call++)
		places += lengths[call] = s->lengths[call];
	*ret_calls = s->got.call;
	return places;
}

/* A sample: around each system call, and spread between. */
static void walk_sample(struct tally *t, const unsigned *lengths, unsigned calls, unsigned places)
{
	unsigned stride = places / plan->sample ? places / plan->sample : 1,
		 at = plan->seed % stride;

	for (unsigned call = 0; call <= calls; call++)
		for (unsigned n = 0; n < lengths[call]; n++)
			if (at++ % stride == 0 || n == 0 || n + 1 == lengths[call])
				round_of(t, (struct place){ call, n });
}

/*
 * The end of each part is found by getting there. Where ways differ by a few instructions one place
 * may have been jumped over: these are looked for.
 */
static unsigned walk_every(struct tally *t)
{
	struct stage *s = stage();
	struct place want = { 0, 0 };
	unsigned places = 0;

	do {
		round_of(t, want);
		want = (struct place){ s->got.call, s->got.step + 1 };
		places++;
	} while (!s->at_end);
	while (s->missed) {
		round_of(t, (struct place){ 0, STEP_MISSED });
		if (s->at_end)
			outcome()->once++;
		else
			outcome()->missed++;
	}
	return places;
}

static void check_sums(const struct tally *t)
{
	struct brood_stats stats = pool_stats(t->brood);
	uint64_t sum = 0;

	for (int i = 0; i < BROOD_OUTCOMES; i++)
		sum += stats.verdicts[i];
	/* whose jobs may come too late to be accepted */
	if (plan->way->kind != KIND_LEASE) {
		CHECK_EQ(sum, stats.submitted);
		CHECK_EQ(stats.submitted, 2 * (uint64_t)t->round + 2);
	}
	CHECK_EQ(stats.verdicts[BROOD_CRASHED], t->phases[PHASE_RUNNING]);
	CHECK_EQ(stats.dropped, 0);
	CHECK_EQ(stats.died, t->kills);
	CHECK_EQ(stats.killed, 0);
}

static void body(void)
{
	static unsigned lengths[CALLS_MAX];
	/* one lease: who wakes up has the job, and no grant for the next one */
	struct tally t = { .brood = jobs_start(1), .born = 2 };
	struct stage *s = stage();
	int fds[2];

	CHECK(t.brood);
	CHECK_EQ(atomic_load(&s->births), 2);
	for (int i = 0; i < 2; i++)
		s->workers[i] = atomic_load(&s->born[i]);
	settle(&t);
	settle(&t);
	fds[0] = proc_own_fds();
	fds[1] = proc_fds(proc_supervisor());
	outcome()->places = measure(&t, lengths, &outcome()->calls);
	if (plan->every)
		outcome()->places = walk_every(&t);
	else
		walk_sample(&t, lengths, outcome()->calls, outcome()->places);
	CHECK_MSG(proc_own_fds() == fds[0], "the engine had %d fds and has %d", fds[0],
		proc_own_fds());
	CHECK_MSG(proc_fds(proc_supervisor()) == fds[1], "the supervisor had %d fds and has %d",
		fds[1], proc_fds(proc_supervisor()));
	check_sums(&t);
	outcome()->kills = t.kills;
	memcpy(outcome()->phases, t.phases, sizeof t.phases);
	atomic_store(&s->over, 1);
	stage_post(&s->asked, t.round + 1);
	pool_stop(t.brood);
}

bool walk_prove(const struct plan *p, char *text, size_t size)
{
	struct case_options options = {
		.body = body, .timeout_ms = p->every ? 1500000 : 240000, .outside = outside
	};
	static struct case_result result;
	const struct outcome *o;
	char again[128] = "";

	plan = p;
	case_try(&options, &result);
	if (!case_fine(&result, 0, text, size))
		return false;
	o = outcome();
	if (o->missed + o->once > 0)
		snprintf(again, sizeof again,
			"; %u instructions had been jumped over, and were found; %u more were met "
			"on no later way",
			o->missed, o->once);
	snprintf(text, size,
		"%u steps, %u system calls; killed %u times: %u jobs were not begun, %u crashed, "
		"%u were done%s",
		o->places, o->calls, o->kills, o->phases[PHASE_UNTOUCHED], o->phases[PHASE_RUNNING],
		o->phases[PHASE_TOLD], again);
	for (int i = 0; i < PHASES; i++)
		if (o->phases[i] == 0)
			return false;
	return true;
}
