/* SPDX-License-Identifier: MIT */
/*
 * judge.c - the outer process: forks the program under test, waits for its end with a bound, counts
 * what is left, and adds up.
 *
 * The judge blocks in one sigtimedwait() until the next thing to do: a kill, the live line, an
 * overrun. The engine sends SIGUSR1 when its phase changes. In an idle run there is nothing to do,
 * so the judge does not wake up at all.
 */
#include "live.h"
#include "load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFT_NS NS_S /* how long after the end some process may still be ending */

struct judge {
	const struct options *options;
	struct tally *tally;
	struct findings *findings;
	struct chaos *chaos;
	sigset_t signals;
	pid_t supervisor;
	enum phase phase;
	/* When this phase counts as overrun. While jobs run, each verdict moves this time on. */
	uint64_t bound_ns, verdicts;
	uint64_t live_ns;    /* the next live line; UINT64_MAX: none */
	struct left stopped; /* what was left after brood_stop() */
	pid_t guard;
	bool ended, killed, overrun, asked;
	int status;
	uint64_t end_ns;
};

void findings_breach(struct findings *f, enum invariant invariant, const char *format, ...)
{
	va_list args;

	f->broken[invariant] = true;
	f->judged[invariant] = true;
	if (f->breaches == BREACHES_MAX)
		return;
	f->breach[f->breaches].invariant = invariant;
	va_start(args, format);
	vsnprintf(f->breach[f->breaches].text, sizeof f->breach[0].text, format, args);
	va_end(args);
	f->breaches++;
}

static uint64_t count_verdicts(const struct tally *t)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < t->shards; s++) {
		for (unsigned k = 0; k < KINDS; k++) {
			for (unsigned v = 0; v < BROOD_OUTCOMES; v++)
				sum += t->shard[s].verdicts[k][v];
		}
	}
	return sum;
}

/* ---- the run --------------------------------------------------------------------------------- */

static uint64_t phase_bound(const struct judge *j, enum phase phase)
{
	uint64_t pool = j->options->workers * (20 * NS_MS), job = options_bound_ns(j->options);

	switch (phase) {
	case PHASE_START: return 60 * NS_S + pool;
	case PHASE_WARM: return 80 * NS_S + pool;
	case PHASE_RUN:
		return (j->options->idle_s > 0 ? (uint64_t)(j->options->idle_s * (double)NS_S)
					       : 0) +
			job + 20 * NS_S;
	case PHASE_REFILL: return 90 * NS_S + pool;
	default: return 60 * NS_S + pool;
	}
}

/*
 * Looks at the process tree after the pool's stop, while supervisor and engine still stand. Only
 * now can a zombie of the supervisor or of the engine be seen.
 */
static void look_at_stopped(struct judge *j)
{
	const struct timespec pause = { .tv_nsec = 10 * (long)NS_MS };
	uint64_t end = load_now() + LEFT_NS;

	for (;;) {
		pid_t expected[2] = { j->tally->engine.engine_pid, left_guard(j->supervisor) };

		if (expected[1])
			j->guard = expected[1];
		left_look(j->tally->marker, j->supervisor, expected, 2, &j->stopped);
		if ((!j->stopped.processes && !j->stopped.zombies) || load_now() >= end)
			break;
		nanosleep(&pause, NULL);
	}
	atomic_store(&j->tally->judge.looked, 1);
	futex_wake(&j->tally->judge.looked);
}

static void enter_phase(struct judge *j, enum phase phase)
{
	j->phase = phase;
	j->bound_ns = load_now() + phase_bound(j, phase);
	if (phase == PHASE_RUN && j->chaos)
		chaos_begin(j->chaos, j->tally->engine.run_start_ns);
	if (phase == PHASE_RUN && !j->options->quiet && j->options->idle_s < 0)
		j->live_ns = load_now() + live_every_ns();
	if (phase >= PHASE_REFILL) {
		if (j->chaos && chaos_end(j->chaos))
			j->killed = true;
		if (!atomic_exchange(&j->tally->judge.calm, 1))
			futex_wake(&j->tally->judge.calm);
		live_end();
		j->live_ns = UINT64_MAX;
	}
	if (phase == PHASE_STOPPED)
		look_at_stopped(j);
}

static void on_signal(struct judge *j, int signal)
{
	if (signal == SIGCHLD && waitpid(j->supervisor, &j->status, WNOHANG) == j->supervisor) {
		j->ended = true;
		j->end_ns = load_now();
	}
	if (signal != SIGINT && signal != SIGTERM)
		return;
	if (j->asked) {
		j->overrun = true;
		kill(j->supervisor, SIGKILL);
	}
	j->asked = true;
	atomic_store(&j->tally->judge.stop, 1);
	futex_wake(&j->tally->judge.stop);
	live_end();
	if (j->phase == PHASE_RUN && !j->options->quiet)
		fprintf(stderr, "brood-load: ending early; once more kills the run\n");
}

static void mind_bound(struct judge *j)
{
	uint64_t now = load_now(), verdicts = 0;

	if (now < j->bound_ns || j->ended)
		return;
	verdicts = count_verdicts(j->tally);
	if (j->phase == PHASE_RUN && verdicts != j->verdicts) {
		j->verdicts = verdicts;
		j->bound_ns = now + phase_bound(j, PHASE_RUN);
		return;
	}
	j->overrun = true;
	j->bound_ns = UINT64_MAX;
	kill(j->supervisor, SIGKILL);
}

static void wait_for_signal(struct judge *j)
{
	uint64_t next = j->bound_ns, now = load_now();
	struct timespec ts;
	int signal;

	if (j->chaos && chaos_next(j->chaos) < next)
		next = chaos_next(j->chaos);
	if (j->live_ns < next)
		next = j->live_ns;
	next = next > now ? next - now : 0;
	ts = (struct timespec){ .tv_sec = (time_t)(next / NS_S < INT32_MAX ? next / NS_S
									   : INT32_MAX),
		.tv_nsec = (long)(next % NS_S) };
	signal = sigtimedwait(&j->signals, NULL, &ts);
	if (signal > 0)
		on_signal(j, signal);
}

static void watch(struct judge *j)
{
	while (!j->ended) {
		enum phase phase = (enum phase)atomic_load(&j->tally->engine.phase);

		if (phase != j->phase)
			enter_phase(j, phase);
		else
			wait_for_signal(j);
		if (j->chaos && load_now() >= chaos_next(j->chaos) && chaos_act(j->chaos))
			j->killed = true;
		if (load_now() >= j->live_ns) {
			live_show(j->tally, j->chaos ? chaos_killed(j->chaos) : 0);
			j->live_ns = load_now() + live_every_ns();
		}
		mind_bound(j);
	}
	live_end();
}

static void begin(struct judge *j, const sigset_t *old)
{
	pid_t self = getpid();

	j->supervisor = fork();
	if (j->supervisor)
		return;
	/* A group of its own: Ctrl-C reaches the judge alone, which ends the run in order. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self)
		_exit(2);
	sigprocmask(SIG_SETMASK, old, NULL);
	exit(engine_main(j->options, j->tally));
}

/* ---- what is left ---------------------------------------------------------------------------- */

static void look_at_end(struct judge *j)
{
	const struct timespec pause = { .tv_nsec = 5 * (long)NS_MS };
	const pid_t expected[2] = { j->tally->engine.engine_pid, j->guard };
	struct findings *f = j->findings;
	struct left now;

	f->left = j->stopped;
	left_look(j->tally->marker, 0, expected, 2, &now);
	/*
	 * After an orderly end only the guard may die later than the supervisor. So any zombie here
	 * is a process that the supervisor did not reap.
	 */
	if (!j->killed && !j->overrun && now.zombies) {
		f->left.zombies += now.zombies;
		memcpy(f->left.names, now.names, sizeof now.names);
	}
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		left_look(j->tally->marker, 0, NULL, 0, &now);
		if ((!now.processes && !now.zombies) || load_now() >= j->end_ns + LEFT_NS)
			break;
		nanosleep(&pause, NULL);
	}
	if (now.processes + now.zombies > f->left.processes) {
		f->left.processes = now.processes + now.zombies;
		memcpy(f->left.names, now.names, sizeof now.names);
	}
	left_kill(j->tally->marker);
}

/* ---- the judgement --------------------------------------------------------------------------- */

static void add_up(struct judge *j)
{
	struct totals *all = &j->findings->totals;

	for (unsigned s = 0; s < j->tally->shards; s++) {
		const struct shard *shard = &j->tally->shard[s];

		for (unsigned k = 0; k < KINDS; k++) {
			all->kind_submitted[k] += shard->submitted[k];
			all->submitted += shard->submitted[k];
			all->wrong += shard->wrong[k];
			for (unsigned v = 0; v < BROOD_OUTCOMES; v++) {
				all->outcomes[v] += shard->verdicts[k][v];
				all->kind_verdicts[k] += shard->verdicts[k][v];
				all->verdicts += shard->verdicts[k][v];
			}
		}
		counters_add(shard, all);
		all->twice += shard->twice;
		all->strange += shard->strange;
		all->overdue += shard->overdue;
		all->bad_replies += shard->bad_replies;
	}
	all->missing = all->submitted > all->verdicts ? all->submitted - all->verdicts : 0;
	if (j->killed)
		all->cut_off = all->missing < j->options->concurrency ? all->missing
								      : j->options->concurrency;
	all->missing -= all->cut_off;
	all->unaccounted = all->missing + all->wrong + all->twice;
}

static void judge_verdicts(struct judge *j)
{
	struct findings *f = j->findings;
	const struct totals *all = &f->totals;
	const struct brood_stats *stats = &j->tally->engine.stats;

	f->judged[ONE_VERDICT] = f->judged[REPLIES_INTACT] = true;
	if (all->twice)
		findings_breach(f, ONE_VERDICT, "%llu verdicts were given twice", (llu)all->twice);
	if (all->missing)
		findings_breach(f, ONE_VERDICT,
			"%llu of %llu jobs had no verdict within their bound", (llu)all->missing,
			(llu)all->submitted);
	if (all->strange)
		findings_breach(f, ONE_VERDICT, "%llu verdicts were those of other jobs",
			(llu)all->strange);
	if (all->wrong)
		findings_breach(
			f, ONE_VERDICT, "%llu verdicts were wrong for their jobs", (llu)all->wrong);
	if (!j->killed && stats->dropped > all->overdue)
		findings_breach(f, ONE_VERDICT, "%llu verdicts more came for jobs that had theirs",
			(llu)(stats->dropped - all->overdue));
	if (all->bad_replies)
		findings_breach(f, REPLIES_INTACT, "%llu replies were not what was sent",
			(llu)all->bad_replies);
	for (unsigned s = 0; s < j->tally->shards; s++) {
		for (unsigned n = 0; n < j->tally->shard[s].notes; n++)
			findings_breach(f, (enum invariant)j->tally->shard[s].note[n].invariant,
				"for example: %s", j->tally->shard[s].note[n].text);
	}
}

static const char *phase_text(enum phase phase)
{
	static const char *const texts[] = { "starting", "getting ready", "under load",
		"refilling the pool", "stopping", "being looked at", "ending" };

	return (unsigned)phase < COUNT_OF(texts) ? texts[phase] : "?";
}

static void judge_end(struct judge *j)
{
	const struct tally_engine *te = &j->tally->engine;
	struct findings *f = j->findings;
	enum invariant early = j->phase <= PHASE_RUN ? ONE_VERDICT
		: j->phase == PHASE_REFILL           ? POOL_FULL
						     : NOTHING_LEFT;

	if (atomic_load(&te->broke_off))
		findings_breach(f, ONE_VERDICT, "the run broke off: %s", te->trouble);
	if (j->overrun)
		findings_breach(f, early, "%s, while %s",
			j->asked ? "killed by the user" : "the time was up, and all was killed",
			phase_text(j->phase));
	else if (!j->killed && WIFSIGNALED(j->status))
		findings_breach(f, early,
			"the supervisor, or the engine before it, was ended by signal %d (%s), "
			"while %s",
			WTERMSIG(j->status), strsignal(WTERMSIG(j->status)), phase_text(j->phase));
	else if (!j->killed && (j->phase < PHASE_STOPPED || WEXITSTATUS(j->status)) &&
		!atomic_load(&te->broke_off))
		findings_breach(f, early, "the supervisor ended with %d, while %s",
			WEXITSTATUS(j->status), phase_text(j->phase));
}

/*
 * No job here corrupts its worker's messages. So if a worker was killed for a corrupt message, the
 * library was wrong.
 */
static void judge_nonsense(struct judge *j)
{
	const struct tally_engine *te = &j->tally->engine;

	if (te->logs[BROOD_EVENT_PROTOCOL])
		findings_breach(j->findings, POOL_FULL,
			"%llu workers were taken for liars, and no job here lies: %s",
			(llu)te->logs[BROOD_EVENT_PROTOCOL], te->nonsense);
}

static void judge_pool(struct judge *j)
{
	const struct tally_engine *te = &j->tally->engine;
	struct findings *f = j->findings;

	if (j->killed || !atomic_load(&te->pool_judged))
		return;
	f->judged[POOL_FULL] = true;
	if (!atomic_load(&te->pool_full))
		findings_breach(f, POOL_FULL,
			"%u of %u places had a ready worker at the end (%u starting%s)",
			te->stats.ready, j->options->workers, te->stats.starting,
			te->stats.degraded ? ", degraded" : "");
	else if (te->stats.busy || te->stats.queued)
		findings_breach(f, POOL_FULL,
			"at the end %u workers were still busy and %u jobs queued", te->stats.busy,
			te->stats.queued);
}

static void judge_left(struct judge *j)
{
	const struct tally_engine *te = &j->tally->engine;
	struct findings *f = j->findings;

	f->judged[NOTHING_LEFT] = true;
	/* An engine may see the supervisor's death just before its own, and cannot stop then. */
	if (j->phase >= PHASE_STOPPED && !j->killed) {
		f->fds = te->fds_more > 0 ? (unsigned)te->fds_more : 0;
		if (f->fds)
			findings_breach(f, NOTHING_LEFT, "%u fds more than at the warm start: %s",
				f->fds, te->fd_names);
		if (te->stop_result)
			findings_breach(
				f, NOTHING_LEFT, "brood_stop(): %s", strerror(-te->stop_result));
	}
	if (f->left.processes)
		findings_breach(
			f, NOTHING_LEFT, "%u processes: %s", f->left.processes, f->left.names);
	if (f->left.zombies)
		findings_breach(f, NOTHING_LEFT, "%u zombies: %s", f->left.zombies, f->left.names);
}

static void measure(struct judge *j)
{
	const struct tally_engine *te = &j->tally->engine;
	uint64_t start = atomic_load(&te->run_start_ns), end = atomic_load(&te->run_end_ns);
	struct findings *f = j->findings;

	if (start)
		f->elapsed_s = (double)((end ? end : j->end_ns) - start) / (double)NS_S;
	tally_latencies(j->tally, f->latency, f->raw);
	f->death_to_verdict = tally_death_to_verdict(j->tally);
	f->death_to_ready = te->death_to_ready;
	f->workers_killed = j->chaos ? chaos_killed(j->chaos) : 0;
	f->supervisor_killed = j->killed;
	if (j->chaos)
		chaos_counts(j->chaos, f->chaos);
	f->asked = j->asked;
}

static int judge_all(struct judge *j)
{
	struct findings *f = j->findings;

	add_up(j);
	if (atomic_load(&j->tally->engine.broke_off) && !f->totals.submitted) {
		fprintf(stderr, "brood-load: %s\n", j->tally->engine.trouble);
		return 2;
	}
	measure(j);
	judge_verdicts(j);
	judge_end(j);
	judge_nonsense(j);
	judge_pool(j);
	if (!j->killed) {
		counters_judge(j->tally, f);
		times_judge(j->tally, f);
	}
	judge_left(j);
	chaos_judge(j->tally, f);
	for (unsigned i = 0; i < INVARIANTS; i++) {
		if (f->broken[i])
			return 1;
	}
	return 0;
}

static bool prepare(struct judge *j, sigset_t *old)
{
	sigemptyset(&j->signals);
	sigaddset(&j->signals, SIGCHLD);
	sigaddset(&j->signals, SIGINT);
	sigaddset(&j->signals, SIGTERM);
	sigaddset(&j->signals, SIGUSR1);
	/* A SIGCHLD that was inherited as ignored would never come. */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &j->signals, old);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return false;
	j->tally = tally_create(j->options);
	return j->tally != NULL;
}

int judge_run(const struct options *o, struct findings *ret)
{
	struct judge j = { .options = o, .findings = ret, .live_ns = UINT64_MAX };
	sigset_t old;
	int r;

	memset(ret, 0, sizeof *ret);
	ret->options = o;
	if (prepare(&j, &old)) {
		ret->tally = j.tally;
		begin(&j, &old);
	}
	if (j.supervisor <= 0) {
		fprintf(stderr, "brood-load: there is no room to begin: %s\n", strerror(errno));
		return 2;
	}
	if (o->idle_s < 0)
		j.chaos = chaos_new(o, j.tally, j.supervisor);
	j.bound_ns = load_now() + phase_bound(&j, PHASE_START);
	watch(&j);
	look_at_end(&j);
	r = judge_all(&j);
	j.chaos = chaos_free(j.chaos);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* The judge still reads this tally. Processes of a next run shall not inherit it. */
	madvise(j.tally, j.tally->size, MADV_DONTFORK);
	return r;
}
