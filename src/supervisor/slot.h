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
	bool retiring, was_idle; /* was_idle: told to end while idle: counted in renewals.ending */
	/* its pidfd could not be watched: a failed birth, not a death */
	bool unwatched;
	bool dead; /* it has ended; what its channel still holds is being read */
	/* for the log: why it was ended; NULL: it was not */
	const char *reason;
};

/* of a slot in LEASED */
struct slot_lease {
	struct lease_watch watch;
	uint64_t granted_ns, recalled_ns;
	bool recall_unsent;
	/* in leases.granted, while it may be taken back for others; then in leases.recalled */
	struct list list;
};

/* whether its worker is to be replaced although it is well: renew.c */
struct slot_renewal {
	enum retire_cause cause; /* why it is due; NONE: it is not */
	uint32_t epoch;          /* that of the pool's renewals at its birth */
	uint32_t init_version;   /* of the init data that it was born with */
	bool due, old;           /* it is counted there */
	bool recalled;           /* its lease was recalled softly, at recalled_ns */
	uint64_t recalled_ns;
	struct list leased; /* in renewals.leased or renewals.recalled */
	struct timer age;
	uint64_t age_ns; /* how old it may be; 0: as old as it likes */
};

struct slot {
	struct slot_link link; /* first */
	struct pool *pool;
	uint32_t number, generation;
	uint32_t sweeps; /* UNDEAD, without a process: sweeps before its end */
	pid_t pid;       /* 0: no process */
	int pidfd;       /* -1: none, or no process */
	struct source death, channel;
	bool channel_ended, paused;
	/* STARTING: init limit; BUSY: the ladder; LEASED: the next look */
	struct timer timer;
	struct timer healthy_timer; /* ready after young deaths: will have lived for healthy_ms */
	struct timer end_timer;     /* ENDING: the kill; then, as in UNDEAD, looks for the end */
	struct timer eof_timer;     /* its channel has ended, and it has not */
	struct timer undead_timer;  /* since SIGKILL was sent to it, at killed_ns */
	uint64_t killed_ns;
	uint64_t sequence; /* of the last job */
	struct job *job;   /* that its worker runs, or the lease it is on; NULL */
	struct ladder ladder;
	struct slot_lease lease;
	struct slot_renewal renewal;
	uint64_t born_ns, ready_ns, idle_ns; /* idle_ns: IDLE since, of an elastic pool */
	uint32_t jobs_done;
	bool core_allowed;
	bool was_ready; /* one of its workers was, and the place counts in pool.ever_ready */
	struct slot_end end;
	/* as they become known; death.c adds the rest. word: only once it is condemned */
	struct fate_facts facts;
};

#define for_each_slot(slot_, pool_)                    \
	for (struct slot *slot_ = (pool_)->slot_array; \
		slot_ < (pool_)->slot_array + (pool_)->places; slot_++)

static inline struct slot_page *slot_page(const struct slot *slot)
{
	return shared_slot_page(slot->pool->supervisor->config.shared, slot->number);
}
/* the page of the lease that it is on */
static inline struct lease_page *slot_lease_page(const struct slot *slot)
{
	return shared_lease_page(
		slot->pool->supervisor->config.shared, slot->job->lease.lease_page);
}
/* of a mark, the number of the slot. The rest is the generation */
#define SLOT_MARK_BITS 14
_Static_assert(SLOTS_MAX <= 1 << SLOT_MARK_BITS, "each slot has a mark");
/* its worker's number and generation in one, for os/mark.h */
uint32_t slot_mark(const struct slot *slot);
/* its worker has noticed that this job was told to end */
bool slot_noticed(const struct slot *slot, uint64_t sequence);

/* ---- its state ---- */
void slot_make_ordered(struct slot *slot);
void slot_make_starting(struct slot *slot);
void slot_make_ready(struct slot *slot);
/* Its job is over: IDLE; or ENDING, where it cannot have another one. */
void slot_make_idle(struct slot *slot);
/* ENDING: at that time, if its worker still lives, it is killed, and looked at again. */
void slot_end(struct slot *slot, uint64_t kill_at);
void slot_make_undead(struct slot *slot);
/* Its process is gone: EMPTY, or SPARE where the pool has more places in use than it needs */
void slot_make_empty(struct slot *slot);
void slot_use(struct slot *slot);       /* SPARE to EMPTY */
void slot_put_aside(struct slot *slot); /* EMPTY to SPARE */
/* An idle worker is asked to end, and killed after stop_ms. reason: for the log */
void slot_dismiss(struct slot *slot, const char *reason);
/* UNDEAD: EMPTY where the pool is short of places, else SPARE */
void slot_revive(struct slot *slot);
/* STARTING to LEASED: it is due from now on; NONE: it is not any more */
void slot_make_due(struct slot *slot, enum retire_cause cause);
/* LEASED: its lease was recalled softly */
void slot_note_recall(struct slot *slot);
/* after a change of its epoch, or of the pool's */
void slot_recount(struct slot *slot);
/* So many places more than the pool's size wants are in use, as far as there are some. */
void slot_set_extra(struct pool *pool, uint32_t extra);
/* BUSY or LEASED, with that job or lease */
void slot_take_job(struct slot *slot, struct job *job);
void slot_cut_job(struct slot *slot);
/* Reads what comes there; if there is no memory for that now: paused, and tried again later. */
void slot_open_channel(struct slot *slot, int fd);
void slot_close_channel(struct slot *slot);
/* STARTING, BUSY and LEASED have one limit each; TIME_NEVER: none */
void slot_set_timer(struct slot *slot, timer_fn *on, uint64_t when);

/* ---- its process ---- */
/* reason: for the log, or NULL */
void slot_kill(struct slot *slot, int sig, const char *reason);
/* It sent, or did, what makes no sense: it is killed and replaced. */
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
