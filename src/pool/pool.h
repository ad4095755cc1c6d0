/* SPDX-License-Identifier: MIT */
/*
 * pool.h - decisions without system calls, one header a decision would be many small ones: each
 * part below has a .c file of its own. Time comes in, actions come out.
 */
#ifndef BROOD_POOL_H
#define BROOD_POOL_H

#include "../base/base.h"
#include "../base/list.h"
#include "../wire/message.h"
#include "../wire/shared.h"

/*
 * backoff.c - when to spawn again. A death is young when the worker was not ready yet, or ended by
 * itself before its first job within healthy_ms. The first three in a row cost nothing (a kill that
 * happens to hit a birth is no crash loop), then the pause doubles from min to max, with up to a
 * quarter of jitter taken off. A worker ready for healthy_ms, or through one job, sets it back, if
 * it was born after the row began. start_limit in a row while no worker is ready: degraded. Deaths
 * while a pause runs are of the wave that began it: they count, but do not double it again.
 */
#define BACKOFF_FREE 3
struct backoff {
	uint32_t min_ms, max_ms, limit;
	/* in a row: young deaths, pauses for them, failed spawns */
	uint32_t young, pauses, failures;
	uint64_t row_ns; /* the first of these young deaths */
	/* the end of the pause for young deaths, and for failed spawns */
	uint64_t not_before, retry_at;
	uint64_t random;
	bool degraded;
};
void backoff_init(
	struct backoff *b, uint32_t min_ms, uint32_t max_ms, uint32_t limit, uint64_t seed);
/* may set degraded */
void backoff_young_death(struct backoff *b, uint64_t now, uint32_t ready_workers);
/* fork said no: pause (at most 1 s), but nobody is degraded by it */
void backoff_spawn_failed(struct backoff *b, uint64_t now);
/* a worker that became ready then is well. True: was degraded and is no more */
bool backoff_healthy(struct backoff *b, uint64_t ready_ns);
/* no spawn before this time; 0: at once */
uint64_t backoff_next(const struct backoff *b);

/*
 * fold.c - log lines that repeat. Each key (a hash of level, event and text without digits) may
 * pass `burst` lines in a window; further ones are counted. fold_due() gives, one a call, the
 * counts of windows that have ended (with TIME_NEVER as `now`: of all). A fixed table: when it is
 * full the oldest window is ended early.
 */
#define FOLD_KEYS 32
struct fold_entry {
	uint64_t key, began;
	uint32_t passed, held;
	struct message_log last;
};
struct fold {
	uint32_t burst;
	uint64_t window_ns;
	struct fold_entry entries[FOLD_KEYS];
};
void fold_init(struct fold *f, uint32_t burst, uint64_t window_ns);
/*
 * 1: pass it on, 0: held. When a window had to end for it (early, or because nobody asked
 * fold_due() in time), *ret_summary gets its line and *ret_has_summary is true: say that first.
 */
int fold_line(struct fold *f, uint64_t now, const struct message_log *line,
	struct message_log *ret_summary, bool *ret_has_summary);
/* "(37 more like this in 10 s) worker 3 ..." with event REPEATED */
bool fold_due(struct fold *f, uint64_t now, struct message_log *ret_summary);
/* TIME_NEVER: nothing held */
uint64_t fold_next(const struct fold *f);

/*
 * ladder.c - the end of a running job, step by step: soft (a signal that the job can notice), then
 * condemn (swap the desk word; the winner kills: SIGABRT first when the job asked, SIGKILL after
 * core_ms), then, when the swap was lost (the function has ended), a last wait for FINISHED, then a
 * kill all the same (stuck).
 */
#define LADDER_LAST_WAIT_MS 1000
enum ladder_step { LADDER_RUNNING, LADDER_SOFT, LADDER_ABORTED, LADDER_KILLED, LADDER_ENDED };
enum ladder_action {
	LADDER_NOTHING,
	LADDER_DO_SOFT,
	LADDER_DO_CONDEMN,
	LADDER_DO_KILL,
	LADDER_DO_KILL_STUCK
};
enum ladder_cause {
	LADDER_CAUSE_NONE,
	LADDER_CAUSE_DEADLINE,
	LADDER_CAUSE_CANCEL,
	LADDER_CAUSE_STOP
};
/* told: the soft step was made */
struct ladder {
	enum ladder_step step;
	enum ladder_cause cause;
	uint64_t next;
	uint32_t grace_ms, core_ms;
	bool abort, told;
};
void ladder_start(struct ladder *l, uint64_t now, uint32_t run_ms, uint32_t grace_ms,
	uint32_t core_ms, bool abort);
/*
 * The wish to end it now, from cancel or stop: makes the soft step due at once (no effect when it
 * is past).
 */
void ladder_hurry(struct ladder *l, uint64_t now, enum ladder_cause cause);
/*
 * The end of all patience (the pool's KILL): what the ladder waits for, for ever perhaps, is over.
 * A job that runs is to be condemned now, with or without a soft step before.
 */
void ladder_force(struct ladder *l, uint64_t now, enum ladder_cause cause);
/*
 * what is due; call until NOTHING. DO_CONDEMN must be answered by ladder_condemned(): nothing is
 * due before
 */
enum ladder_action ladder_due(struct ladder *l, uint64_t now);
/* what to do now: DO_KILL (SIGABRT if l->step is ABORTED after the call) or NOTHING */
enum ladder_action ladder_condemned(struct ladder *l, uint64_t now, bool won);
uint64_t ladder_next(const struct ladder *l); /* TIME_NEVER: nothing more */
/* of enum brood_verdict_flags */
static inline uint32_t ladder_flag(enum ladder_cause cause)
{
	return cause == LADDER_CAUSE_NONE        ? 0
		: cause == LADDER_CAUSE_DEADLINE ? BROOD_TOLD_DEADLINE
		: cause == LADDER_CAUSE_CANCEL   ? BROOD_TOLD_CANCEL
						 : BROOD_TOLD_STOP;
}

/*
 * lease.c - what a look at a worker on lease says. Nobody tells the supervisor of a lease's jobs:
 * now and then it looks at desk and ledger, and this finds which job runs, since when, which steps
 * of its ladder are due, whether the worker is to be taken back, and when to look again. The desk
 * is hostile: a worker that lies there gains one run time for a job that was really published, at
 * most.
 *
 *   runs    RUNNING(N): the ladder is about N, from when the worker says that it began, but not
 *           before the look that did not see it yet
 *   waits   nothing runs, and something is published: the ladder is about that, from when it was
 *           seen first: a worker that does not begin is ended, too
 *   rests   nothing runs, nothing is published; or it was asked to leave, and shall do so
 */
/*
 * a lease is not taken back for others sooner after its loan; and who shall go back, and is longer
 * in a job, is not waited for
 */
#define LEASE_HOLD_MS 5u
/* but one that rests so long since it began its last job is */
#define LEASE_REST_MS  1u
#define LEASE_DRAIN_MS 10u /* how long one may rest while the pool drains */
/* DROP: what stands on its desk makes no sense. STUCK: asked to leave, it does not */
enum lease_wish { LEASE_GO_ON, LEASE_TAKE_BACK, LEASE_DROP, LEASE_STUCK };
struct lease_watch {
	/* the sequence before the first job; when its time is up */
	uint64_t base, limit_at;
	uint64_t looked_ns; /* the last look, or the loan */
	/* as the last look saw them. place: 2 N while N runs, 2 N + 1 when it is done */
	uint64_t place, published;
	uint64_t changed_ns; /* when one of the two was seen to be new */
	/* whom the ladder is about, 0: nobody; from when on */
	uint64_t subject, since;
	uint64_t cancel; /* said since the last look, 0: none */
	/* to be hurried when they begin: a bit each, at sequence % RING_DEPTH */
	uint64_t cancels[RING_DEPTH / 64];
	/* the soonest end of the time of those that wait behind it; TIME_NEVER */
	uint64_t behind;
	/* grace_ms: for it to leave when it was asked */
	uint32_t idle_ms, grace_ms, core_ms, cancel_ms;
	bool waits, kept, leaving;
};
struct lease_terms {
	uint64_t base;
	uint32_t limit_ms, idle_ms, grace_ms, core_ms;
	bool kept;
};
/* word was read before published */
struct lease_sight {
	uint64_t word, began_ns, published;
	const struct ledger_entry *entries;
};
void lease_begin(struct lease_watch *w, const struct lease_terms *terms, uint64_t now);
enum lease_wish lease_look(
	struct lease_watch *w, struct ladder *l, const struct lease_sight *sight, uint64_t now);
/* it was asked to leave */
void lease_leaving(struct lease_watch *w, const struct ledger_entry *entries, uint64_t now);
/* the pool drains: explicit ones, too, may rest for LEASE_DRAIN_MS only */
void lease_drain(struct lease_watch *w);
/*
 * right before a look: hurry that one, should it run; wait for it when it is about to. Each of many
 */
void lease_cancel(struct lease_watch *w, uint64_t sequence);
/* the swap that should condemn was lost: look again */
void lease_lost(struct lease_watch *w);
/* when to look again; TIME_NEVER */
uint64_t lease_next(const struct lease_watch *w, const struct ladder *l, uint64_t now);
/* The soonest end of the time of jobs first .. last, if they all began now. */
uint64_t lease_soonest(
	const struct ledger_entry *entries, uint64_t first, uint64_t last, uint64_t now);
/* it has at least begun a job */
static inline bool lease_moved(uint64_t base, uint64_t word) { return DESK_SEQUENCE(word) > base; }

/*
 * fate.c - the verdict. One author: the supervisor.
 */
struct fate_facts {
	const struct message_finished *finished; /* valid one for this job, or NULL */
	uint32_t escaped;                        /* ESCAPED_*, 0 */
	/*
	 * the desk word, hostile. When condemned: as it was before the swap, for CONDEMNED does not
	 * tell whether fn was entered
	 */
	uint64_t word;
	uint64_t sequence;
	/* the process has ended: code and status are si_code (CLD_*) and si_status */
	bool ended;
	int code, status;
	int kill_signal; /* the last that Brood sent to end it, 0 */
	/* the job asked for SIGABRT (ladder.abort): when condemned, that came before any SIGKILL */
	bool abort;
	bool condemned; /* the swap was won */
	enum ladder_cause cause;
	/* the soft step was sent to this job, for that cause */
	bool told;
	bool noticed;  /* and it has noticed */
	bool protocol; /* dropped for nonsense */
	bool stuck;
	/* killed, and it does not end: nobody knows how it will, and there is no second try */
	bool undead;
	/* the library's code in the worker ended it: the exit code is not the job's */
	bool gave_up;
	/* the dying worker noted that worker_memory refused it memory */
	bool memory;
};
/*
 * Sets outcome, detail, code, signal, core, started, left, flags. Returns false when there should
 * be another try: the worker died before fn was entered, by no condemning (or says that it finished
 * what it never began). They are set then too, for a job that may have no other try: crashed,
 * started 0.
 */
bool fate_decide(const struct fate_facts *facts, struct brood_verdict *verdict);
bool fate_retryable(const struct brood_verdict *verdict); /* a kill from outside */

/*
 * halt.c - the pool's stop: DRAIN (no new jobs; queued and running ones may finish), CANCEL (queued
 * refused, running ones hurried, idle workers asked to end), KILL, DONE. Each step is bounded.
 * CANCEL ends early when no worker is alive and no job is out; then KILL is left out.
 */
#define HALT_KILL_MS 5000
enum halt_phase { HALT_NONE, HALT_DRAIN, HALT_CANCEL, HALT_KILL, HALT_DONE };
struct halt {
	enum halt_phase phase;
	uint64_t next;
	uint32_t stop_ms;
};
/* again: only ever shortens */
void halt_begin(struct halt *h, uint64_t now, uint32_t drain_ms, uint32_t stop_ms);
/*
 * Moves on when time is up or the work is done. Returns true when the phase changed: act, then call
 * again.
 */
bool halt_step(struct halt *h, uint64_t now, uint32_t jobs_out, uint32_t workers_alive);

/*
 * slots.c - the places of the pool and who is in them. Idle slots are a stack, the warmest on top;
 * empty ones a queue. All O(1).
 */
/* BUSY: with a job that was handed off */
enum slot_state {
	SLOT_EMPTY,
	SLOT_STARTING,
	SLOT_IDLE,
	SLOT_BUSY,
	SLOT_LEASED,
	SLOT_ENDING,
	/*
                   * its process was killed and does not end; or what that left may still live: the
                   * place is used for nothing
                   */
	SLOT_UNDEAD,
	/*
                   * takes the place of one that is undead, so that the pool keeps its number of
                   * working ones
                   */
	SLOT_SPARE,
	SLOT_STATES
};
/* embedded in the supervisor's slot */
struct slot_link {
	struct list link;
	enum slot_state state;
};
struct slots {
	struct list lists[SLOT_STATES];
	uint32_t counts[SLOT_STATES];
};
void slots_init(struct slots *s);
void slots_add(struct slots *s, struct slot_link *l);       /* a new place, EMPTY */
void slots_add_spare(struct slots *s, struct slot_link *l); /* a new place, SPARE */
/* places that are neither undead nor spare */
uint32_t slots_working(const struct slots *s);
/* ENDING to UNDEAD; a spare place, if there is one, becomes EMPTY for it */
void slots_undead(struct slots *s, struct slot_link *l);
/* UNDEAD to EMPTY where the pool is short of places, else to SPARE */
void slots_revive(struct slots *s, struct slot_link *l, uint32_t workers);
/* aborts on a move that makes no sense: a bug of ours */
void slots_move(struct slots *s, struct slot_link *l, enum slot_state to);
struct slot_link *slots_first(struct slots *s, enum slot_state state); /* IDLE: the warmest. NULL */

/*
 * records.c - job records, made once. A job's id modulo their number is its record.
 */
/* CLAIMED: new, in no list yet. TOLD: the verdict waits for the socket */
enum record_state {
	RECORD_FREE,
	RECORD_CLAIMED,
	RECORD_QUEUED,
	RECORD_PARKED,
	RECORD_RUNNING,
	RECORD_TOLD
};
/* embedded; first member of the owner's record */
struct record_link {
	struct list link;
	uint64_t id;
	enum record_state state;
};
/* queued: with those parked */
struct records {
	char *memory;
	size_t stride;
	uint32_t count;
	struct list queue, parked, told;
	uint32_t queued, parked_count, queued_peak, out;
};
/* 0; -ENOMEM; -EINVAL. Records are zeroed, and their memory is untouched until they are claimed */
int records_init(struct records *r, uint32_t count, size_t stride);
void records_free(struct records *r);
/* CLAIMED. NULL: taken, or id 0 */
struct record_link *records_claim(struct records *r, uint64_t id);
struct record_link *records_find(struct records *r, uint64_t id); /* out, not FREE; NULL */
/*
 * From any state but FREE and TOLD; a move that makes no sense (a second verdict) aborts: a bug of
 * ours.
 */
void records_queue(struct records *r, struct record_link *l, bool front);
/* the first in the queue, still in it; NULL */
struct record_link *records_next(struct records *r);
/* out of the others' way, for what it waits for is not a worker; still queued */
void records_park(struct records *r, struct record_link *l);
/* the first of those; NULL */
struct record_link *records_parked(struct records *r);
void records_run(struct records *r, struct record_link *l);
void records_tell(struct records *r, struct record_link *l);
/* the first verdict that waits; NULL */
struct record_link *records_told(struct records *r);
/* from any state: free again */
void records_release(struct records *r, struct record_link *l);

/*
 * pick.c - the engine's side of a lease: which of its workers takes the next job, and when to ask
 * for another one. A worker that is awake takes several short jobs for less than it costs to wake
 * another (some ten microseconds on the same CPU, fifty on another one), so short jobs are stacked
 * up to a budget of time; long ones, and those that nobody has seen run yet, go to workers that
 * have nothing to do.
 */
#define PICK_UNKNOWN  UINT32_MAX /* as an estimate: nobody has seen this function run */
#define PICK_GUESS_NS 100000u
/* of work that may lie before a job while another worker is idle */
#define PICK_WARM_NS 30000u
#define PICK_FULL_NS 200000u /* and while none is */
enum pick_choice { PICK_WARM, PICK_IDLE, PICK_LEAST, PICK_NONE };
struct pick_view {
	/* TIME_NEVER: there is no worker that was given the last job and is still at work */
	uint64_t warm_cost;
	uint64_t least_cost; /* of those looked at; TIME_NEVER: none has room */
	bool idle;           /* some worker has nothing to do */
	bool once;           /* never behind another job */
	uint32_t est_ns;
};
enum pick_choice pick_lease(const struct pick_view *view);
static inline uint32_t pick_estimate(uint32_t est_ns)
{
	return est_ns == PICK_UNKNOWN ? PICK_GUESS_NS : est_ns;
}
/*
 * A worker whose desk says that a job is done of which its ring knows nothing, and keeps saying so
 * for longer than any look at what a job left behind takes: it lies, or was made to.
 */
#define PICK_LIE_NS (10 * NS_PER_S)
struct pick_doubt {
	uint64_t word, since;
}; /* zero at first */
bool pick_lies(struct pick_doubt *doubt, uint64_t word, uint64_t harvested, uint64_t now);
/* the estimate after one more run */
uint32_t pick_learn(uint32_t est_ns, uint64_t ran_ns);
/*
 * May jobs stay behind others in a ring, while another worker could take them? Sequences as the
 * ring has them: published, harvested (the one after it is the first in the ring, since
 * head_since); seen: the last one in it at the last look, which was at seen_ns. began_ns: when the
 * job began that runs now; TIME_NEVER: none does, the worker has no CPU yet. A worker without a CPU
 * is no reason to move jobs before PICK_NO_CPU_NS, for on a busy machine no worker has one.
 * stalled: a look has found the first job to be long.
 */
#define PICK_STAND_NS  (400 * NS_PER_US)
#define PICK_NO_CPU_NS (5 * NS_PER_MS)
struct pick_stand {
	uint64_t published, harvested, head_since, began_ns, seen, seen_ns;
	bool stalled;
};
enum pick_standing { PICK_STAY, PICK_MOVE, PICK_MOVE_SLOW }; /* SLOW: and the first one is long */
enum pick_standing pick_stands(const struct pick_stand *stand, uint64_t now);
/* When to look; TIME_NEVER. head: also when nobody stands behind the first one. */
uint64_t pick_stand_due(const struct pick_stand *stand, bool head, uint64_t now);
/*
 * How many more leases to ask for: one for the first jobs, then one for as much work as is worth
 * the price of a loan.
 */
/* stalled: of the active ones, those busy with a job for long */
struct pick_load {
	size_t waiting;
	uint64_t waiting_ns;
	uint32_t active, stalled, asked, limit;
};
uint32_t pick_more(const struct pick_load *load);
/*
 * May a lane ask for one more? workers, and how many wishes may wait beyond them; those lent or
 * asked for, of all lanes; its own wishes.
 */
struct pick_room {
	uint32_t workers, waiting, out, asked;
};
bool pick_may_ask(const struct pick_room *room);
/*
 * Idle workers that no lease on its way will take. out: leases lent or asked for; leased: workers
 * on lease. Both idle and leased are the supervisor's last word, so a wish counts until it has
 * answered. library: leased without those of explicit leases; limit: as many may be. No worker is
 * spare beyond.
 */
struct pick_pool {
	uint32_t idle, leased, library, out, limit;
};
uint32_t pick_spare(const struct pick_pool *pool);

#endif
