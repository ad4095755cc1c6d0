/* SPDX-License-Identifier: MIT */
/*
 * slot.h - a place for a worker: who is in it, what it does, and what is known of its end. slot.c
 * alone changes a slot's state, its timer and its job. A change notes what follows from it.
 */
#ifndef BROOD_SUPERVISOR_SLOT_H
#define BROOD_SUPERVISOR_SLOT_H

#include "logging.h"
#include "record.h"
#include "../pool/fate.h"
#include "../pool/watch.h"

/* What is known of a process that has ended, or shall end, beside what its job's verdict needs. */
struct slot_end {
	uint64_t escaped_sequence;
	bool retiring, was_idle; /* was_idle: when asked to end; counts in renewals.ending */
	/* the worker's pidfd could not be watched: that is a failed birth, not a death */
	bool unwatched;
	bool dead;          /* the process has ended; what its channel still holds is being read */
	const char *reason; /* for the log: why the worker was ended; NULL: it was not */
	char waits[BROOD_REPORT_TEXT]; /* what the worker did when it was about to be killed */
};

/* What the supervisor knows of a worker's lease. Used while the slot is LEASED. */
struct slot_lease {
	struct lease_watch watch;
	uint64_t granted_ns, recalled_ns;
	bool recall_unsent;
	/* in the pool's leases.granted until the recall, then in its leases.recalled */
	struct list list;
};

/* Whether the slot's worker is to be replaced although it is well: renew.c. */
struct slot_renewal {
	enum retire_cause cause; /* why the worker is due; NONE: it is not due */
	uint32_t epoch;          /* renewals.epoch of the pool when the worker was born */
	uint32_t init_version;   /* the version of the init data that the worker was born with */
	bool due, old;           /* the worker is counted in renewals.due, renewals.old */
	bool recalled;           /* the worker's lease was recalled softly, at recalled_ns */
	uint64_t recalled_ns;
	struct list leased; /* in renewals.leased or renewals.recalled */
	struct timer age;
	uint64_t age_ns; /* at this age the worker is due; 0: at no age */
};

struct slot {
	struct slot_link link; /* the first member */
	struct pool *pool;
	uint32_t number, generation;
	struct slot_strays strays;
	pid_t pid; /* 0: no process */
	int pidfd; /* -1: none, or no process; ORDERED: keeps its place (spawn.c) */
	struct source death, channel;
	bool channel_ended, paused;
	/* STARTING: init limit; BUSY: the ladder; LEASED: the next look */
	struct timer timer;
	struct timer healthy_timer; /* after deaths at birth: fires healthy_ms after ready_ns */
	struct timer end_timer;     /* ENDING: the kill; then, as in UNDEAD, looks for the end */
	struct timer eof_timer;     /* the worker's channel has ended, the worker has not */
	struct timer undead_timer;  /* UNDEAD_AFTER_NS after SIGKILL (killed_ns): undead */
	uint64_t killed_ns;
	uint64_t sequence; /* the last job's number in the slot page's word */
	struct job *job;   /* the job that the worker runs, or the lease it is on; or NULL */
	struct ladder ladder;
	struct slot_lease lease;
	struct slot_renewal renewal;
	struct slot_status status;
	uint64_t born_ns, ready_ns;
	uint64_t jobs_done;
	bool core_allowed;
	bool was_ready; /* a worker was ready here: the place counts in pool.ever_ready */
	struct slot_end end;
	/* What the verdict needs; death.c adds the last facts, and `word` if not condemned. */
	struct fate_facts facts;
};

#define for_each_slot(slot_, pool_)                    \
	for (struct slot *slot_ = (pool_)->slot_array; \
		slot_ < (pool_)->slot_array + (pool_)->places; slot_++)

static inline struct slot_page *slot_page(const struct slot *slot)
{
	return shared_slot_page(slot->pool->supervisor->config.shared, slot->number);
}
static inline struct lease_page *slot_lease_page(const struct slot *slot)
{
	return shared_lease_page(
		slot->pool->supervisor->config.shared, slot->job->lease.lease_page);
}
/* The low bits of a worker's mark are the slot's number, the other bits its generation. */
#define SLOT_MARK_BITS 14
_Static_assert(SLOTS_MAX <= 1 << SLOT_MARK_BITS, "each slot has a mark");
/* The mark (os/mark.h) of the slot's worker: slot number and generation in one. */
uint32_t slot_mark(const struct slot *slot);
/* True: the job with this sequence has noticed that it was told to end. */
bool slot_noticed(const struct slot *slot, uint64_t sequence);

/* ---- the slot's state ---- */
void slot_make_ordered(struct slot *slot);
void slot_make_starting(struct slot *slot);
void slot_make_ready(struct slot *slot);
/* The job or lease is over: IDLE. If the worker has ended, or is ending: ENDING. */
void slot_make_idle(struct slot *slot);
/* The slot becomes ENDING. If its worker still lives at kill_at, the worker is killed then. */
void slot_end(struct slot *slot, uint64_t kill_at);
void slot_make_undead(struct slot *slot);
/* The process is gone. EMPTY; SPARE if the pool has more places in use than it needs. */
void slot_make_empty(struct slot *slot);
void slot_use(struct slot *slot);       /* SPARE to EMPTY */
void slot_put_aside(struct slot *slot); /* EMPTY to SPARE */
/* Asks an idle worker to end, and kills it if it has not after stop_ms. reason: for the log. */
void slot_dismiss(struct slot *slot, const char *reason);
/* UNDEAD becomes EMPTY if the pool is short of places, else SPARE. */
void slot_revive(struct slot *slot);
/* In STARTING to LEASED: the worker is due from now on. cause NONE: it is not due any more. */
void slot_make_due(struct slot *slot, enum retire_cause cause);
void slot_note_recall(struct slot *slot); /* LEASED: notes that the lease was recalled softly */
/* Counts the worker anew in pool->renewals, after the epoch of slot or pool has changed. */
void slot_recount(struct slot *slot);
/* Puts `extra` more places into use than the pool's size, as far as there are spare places. */
void slot_set_extra(struct pool *pool, uint32_t extra);
/* The slot becomes BUSY with this job, or LEASED with this lease. */
void slot_take_job(struct slot *slot, struct job *job);
void slot_cut_job(struct slot *slot);
/* Lets the loop watch the worker's channel. If memory is short, this is tried again later. */
void slot_open_channel(struct slot *slot, int fd);
void slot_close_channel(struct slot *slot);
void slot_touch(struct slot *slot); /* the slot's record on the status page is to be written */
/* Sets slot->timer for the present state (STARTING, BUSY or LEASED). TIME_NEVER: stops it. */
void slot_set_timer(struct slot *slot, timer_fn *on, uint64_t when);

/* ---- the slot's process ---- */
/* Sends the signal to the worker; SIGKILL to its group, too. reason: for the log, or NULL. */
void slot_kill(struct slot *slot, int sig, const char *reason);
/* Kills a worker that sent or did what makes no sense. what: for the log. */
void slot_drop(struct slot *slot, const char *what);

#define slot_log(slot_, level_, event_, ...)                                                   \
	logging_line((slot_)->pool->supervisor,                                                \
		&(struct logging_about){ .level = (level_),                                    \
			.event = (event_),                                                     \
			.pid = (slot_)->pid,                                                   \
			.pool = (slot_)->pool,                                                 \
			.worker = (slot_)->number + 1,                                         \
			.job = (slot_)->job && !(slot_)->job->is_lease ? (slot_)->job->link.id \
								       : 0 },                  \
		__VA_ARGS__)

#endif
