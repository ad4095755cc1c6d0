/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the supervisor's files share. Nothing outside src/supervisor includes it.
 *
 * Who owns what: the supervisor owns slots (places) and job records, both made once at start. A
 * slot owns its process: pid, pidfd, channel. A job record owns the job's fd until the verdict is
 * decided. A running job and its slot point at each other; finishing cuts both.
 *
 *   supervisor.c   prepare, run, the exit like the engine's; what to do later when a resource was
 *                  short
 *   spawn.c        births, and the pause between them
 *   worker_peer.c  what workers say
 *   death.c        deaths: the facts, the verdict
 *   engine_peer.c  what the engine says
 *   jobs.c         queue, assign, verdicts
 *   guard_peer.c   the guard, replaced when it dies
 *   climb.c        deadlines and cancel: the ladder, done
 *   lease.c        workers on lease: loan, end, taking back
 *   look.c         what they do, seen from outside
 *   undead.c       processes that cannot die
 *   strays.c       what jobs left outside of their workers
 *   stop.c         the pool's stop and the engine's
 *   signals.c      what comes by signalfd
 *   log.c          lines to the engine or stderr, folded
 *   notify.c       systemd
 */
#ifndef BROOD_SUPERVISOR_INTERNAL_H
#define BROOD_SUPERVISOR_INTERNAL_H

#include "supervisor.h"
#include "../loop/loop.h"
#include "../os/closing.h"
#include "../os/process.h"
#include "../os/stdlog.h"
#include "../pool/backoff.h"
#include "../pool/fate.h"
#include "../pool/fold.h"
#include "../pool/halt.h"
#include "../pool/records.h"
#include "../pool/slots.h"
#include "../pool/watch.h"
#include "../wire/frame.h"

/* after EAGAIN, ENOMEM, EMFILE, ETOOMANYREFS: try all that waits again */
#define RETRY_MS 10u
/*
 * a worker whose channel ended has this long to end itself: one that was killed, on a busy machine,
 * may take long from there to its end
 */
#define EOF_GRACE_MS 2000u
/* a second stop signal forces only when it comes this much later */
#define FORCE_AFTER_NS NS_PER_S
/* workers may die under a job that has not started so often; then it is crashed */
#define REDISPATCH_MAX 16u
/*
 * the kernel may not pass the fds of a reply on (ETOOMANYREFS), and a job can make that last: then
 * the verdict goes without them
 */
#define REPLY_FDS_NS NS_PER_S
#define RECALL_MAX   16u /* leases that are on their way back for others at a time */

struct job {
	struct record_link link; /* first: records.h */
	/*
	 * a request for one, then the lease itself: `lease` and `loan`, where a job has `message`
	 * and `arg`
	 */
	bool is_lease;
	struct message_lease lease;
	struct message_job message;
	union {
		unsigned char arg[BROOD_ARG_MAX];
		struct {
			struct message_lent lent;
			struct message_lease_over over;
		} loan;
	};
	struct list untold; /* LENT waits for the socket */
	/*
	 * of a job: its socket and the extra ones; once it has finished: those of the reply. Of a
	 * lease, until it is lent: its five
	 */
	int fds[1 + BROOD_JOB_FDS_MAX];
	uint32_t fds_count;
	uint32_t attempts, redispatched;
	uint32_t retries_left;
	uint64_t assigned_ns;
	struct slot *slot; /* that runs it */
	struct timer queue_timer;
	struct brood_verdict verdict; /* once decided, until the socket takes it */
	struct brood_verdict before;  /* of an attempt that had started, and is tried again */
	bool ran;                     /* there was one */
	bool replied;                 /* the fds are those of the reply */
	/* when the kernel first would not pass those on; 0: it has not */
	uint64_t refused_ns;
};
_Static_assert(sizeof(struct job) <= 2200, "there are many");

struct slot {
	struct slot_link link; /* first */
	struct supervisor *supervisor;
	uint32_t number, generation;
	pid_t pid;
	int pidfd; /* -1: none, or no process */
	struct source death, channel;
	bool channel_ended, paused;
	/*
	 * STARTING: init limit; IDLE: healthy; BUSY: the ladder; LEASED: the next look; ENDING: the
	 * kill, then looking for the end
	 */
	struct timer timer;
	struct timer undead_timer; /* since SIGKILL was sent to it */
	uint64_t killed_ns;        /* when that was */
	struct timer eof_timer;    /* its channel has ended, and it has not */
	uint64_t sequence;
	struct job *job; /* that it runs, or the lease that it is on */
	struct ladder ladder;
	struct lease_watch watch;   /* LEASED */
	uint64_t lent_ns, leave_ns; /* leave_ns: when it was asked to leave */
	/* a lease that may be taken back for others: the longest first */
	struct list lent;
	bool leave_unsent;
	uint64_t born_ns, ready_ns;
	uint32_t jobs_done;
	bool core_allowed;
	/* facts for the verdict, of this process or of this job */
	struct message_finished finished;
	bool has_finished;
	uint32_t escaped;
	uint64_t escaped_sequence;
	uint64_t word_before; /* the desk word that the condemning swap replaced */
	bool condemned, protocol, stuck, retiring;
	/* its pidfd could not be watched: a failed birth, not a death */
	bool unwatched;
	bool dead; /* it has ended; what its channel still holds is being read */
	int kill_signal;
	const char *end_reason; /* for the log: why Brood ended it; NULL: it did not */
};

struct init_data {
	int memfd;
	uint64_t size;
	uint32_t version;
	int fds[BROOD_INIT_FDS_MAX];
	uint32_t fds_count;
};

/*
 * What has happened, a bit each. Whoever changes something says so here; supervisor.c looks once
 * after each batch of events, before the loop sleeps, and does what follows, in one order.
 */
enum note {
	NOTE_SWEPT = 1 << 0,  /* a sweep has found no stray */
	NOTE_GAUGES = 1 << 1, /* numbers of the stats page have changed */
	NOTE_TELL = 1 << 2,   /* a verdict, LENT or LEASE_OVER waits for the engine's socket */
	NOTE_QUEUE = 1 << 3,  /* something waits that did not, or a worker or a lease is free */
	NOTE_BIRTH = 1 << 4,  /* a place is empty, or a reason not to fill it is gone */
	NOTE_POOL = 1 << 5,   /* the pool may be ready, degraded, or recovered */
	NOTE_STOP = 1 << 6,   /* the stop may go on */
	NOTE_RETRY = 1 << 7,  /* a resource was short: try all that waits again, in RETRY_MS */
};

struct supervisor {
	uint32_t notes; /* enum note */
	struct supervisor_config config;
	const struct brood_options *options;
	struct board *board;
	struct loop loop;
	pid_t pid;
	struct rlimit nofile, core; /* the caller's, for workers */
	int oom_score_adj;          /* the program's own */
	int oom_mark;               /* what workers get; -1: cannot be told apart by it */
	enum process_spawn way;

	struct slot *slot_array;
	uint32_t places; /* in it: those of the workers, then the spare ones */
	/* when the pool's stop was over: processes that live on, as far as they are known */
	uint32_t left;
	struct slots slots;
	struct records records;
	struct backoff backoff;
	struct timer spawn_timer, retry_timer;
	/*
	 * slots: lent by the library's wish, in that order; asked to leave, of all. library: how
	 * many on loan are no explicit ones
	 */
	struct {
		struct list lent, leavers, untold;
		uint32_t library;
		struct timer timer;
	} leases;
	/* said: to the service manager; told: the engine */
	bool pool_was_ready, degraded_said, degraded_told;

	struct {
		pid_t pid;
		int pidfd;
		struct source death, channel;
		bool exiting, ended, channel_ended, asked_to_stop, kill_sent, paused, stopped_pool;
		struct process_exit exit;
		uint64_t first_stop_ns;
		struct timer stop_timer, eof_timer;
	} engine;
	struct {
		pid_t pid;
		int pidfd;
		struct source death;
		struct timer respawn;
		uint64_t born_ns;
	} guard;

	struct halt halt;
	struct timer halt_timer;
	bool stop_asked, stopped_pending;
	uint64_t done_ns; /* when the last worker had ended */
	struct timer sweep_timer;
	uint64_t last_sweep_ns;
	uint32_t sweep_pause_ms;
	bool strays_seen, strays_blind; /* some were killed; they cannot be looked for */
	uint32_t strays_left;           /* of those that the last sweep found */
	bool left_said;                 /* that the stop leaves some */
	bool blind_said;                /* workers that cannot see what jobs leave */
	/* in the roster, behind its slots: how many since a sweep found nothing */
	uint32_t remains;

	int signal_fd;
	struct source signals;
	sigset_t pass;

	struct fold fold;
	struct timer fold_timer;
	struct stdlog stdlog;

	/* status: the engine's own words. still_said: that the engine is stopped */
	struct {
		bool engine_ready, ready_said, ready_pending, stopping_said, stopping_pending,
			status_pending;
		char status[208];
		bool still_said;
		struct timer watchdog;
	} notify;

	struct init_data init_data;
	struct {
		uint64_t began;
		uint32_t count;
		struct timer timer;
	} cores;
};

static inline void note(struct supervisor *s, uint32_t notes) { s->notes |= notes; }

/* supervisor.c */
/* workers that are, idle or not */
uint32_t supervisor_ready(const struct supervisor *s);
bool supervisor_degraded(const struct supervisor *s);
/* an error of sending that goes by: try again later */
bool supervisor_passes(int r);
/* spawn.c */
/* places are empty: spawn now or when backoff allows */
void spawn_due(struct supervisor *s);
/* this worker is well, and a reason to be born again; what workers do, for the log */
void spawn_well(struct slot *slot, const char *what);
void spawn_timer_fired(struct loop *loop, struct timer *timer, uint64_t now);
void cores_count(struct supervisor *s, uint64_t now); /* one was made */
/* its limit, as it is to be now */
void cores_adjust(struct slot *slot, uint64_t now);
timer_fn cores_timer_fired;
void spawn_close_in_child(struct supervisor *s);
/* worker_peer.c */
source_fn worker_readable;
/* all messages that are there */
void worker_drain(struct slot *slot);
/* by pidfd; reason for the log, or NULL */
void worker_kill(struct slot *slot, int sig, const char *reason);
void worker_drop(struct slot *slot, const char *what); /* law 5: nonsense */
void worker_to_ending(struct slot *slot, uint64_t kill_at);
void worker_resume(struct slot *slot);
/* it ends by itself now. FINISHED's */
void worker_retire(struct slot *slot, const char *whose, uint32_t flags, uint32_t left);
/* its job or lease is over: idle, or not for another one */
void worker_free(struct slot *slot);
/* death.c */
source_fn death_readable;
/* has it ended? then all that follows */
void death_check(struct slot *slot);
bool death_noticed(const struct slot *slot, uint64_t sequence); /* that it was told to end */
/* it has ended and was reaped */
void death_forget_process(struct slot *slot);
/* undead.c */
timer_fn undead_time_up;
/* SIGKILL was sent: from now on its process has so long to end */
void undead_expect(struct slot *slot);
void undead_look_again(struct slot *slot);
void undead_bury(struct slot *slot); /* it has ended after all */
/* a sweep has found nothing: places whose process has ended are places again */
void undead_revive(struct supervisor *s);
uint32_t undead_alive(struct supervisor *s); /* processes */
/* of these, killed a short time ago: they may just be slow */
uint32_t undead_fresh(struct supervisor *s, uint64_t now);
/* strays.c */
void strays_sweep_soon(struct supervisor *s);
timer_fn strays_sweep_fired;
void strays_reap(struct supervisor *s);
/* how many there were: killed now, or still on their way */
uint32_t strays_sweep(struct supervisor *s);
pid_t strays_fork_of_engine(struct supervisor *s);
void strays_end_closers(struct supervisor *s); /* at our own end */
/* the same, when all workers are gone; 0: nothing of a job's is left */
uint32_t strays_end(struct supervisor *s);
bool strays_known(void *supervisor, pid_t pid);
/* it carries the workers' mark */
bool strays_is_jobs(struct supervisor *s, pid_t pid);
/* its worker's number, for os/mark.h */
uint32_t strays_mark(const struct slot *slot);
/* jobs.c */
struct job *job_of(struct record_link *l);
void job_accept(struct supervisor *s, struct frame *f);
void job_cancel(struct supervisor *s, uint64_t id);
void jobs_assign(struct supervisor *s);
void job_refuse(struct supervisor *s, struct job *job, enum brood_detail detail);
void jobs_refuse_queue(struct supervisor *s, enum brood_detail detail);
/* job->verdict has outcome, detail ...: fills the rest and tells */
void job_decided(struct supervisor *s, struct job *job);
/* back to the front of the queue */
void job_again(struct supervisor *s, struct job *job);
/* the same, for one that was not started; false: its caller forbids it, or that was often enough */
bool job_redispatch(struct supervisor *s, struct job *job);
/* the same, for one that was killed from outside */
bool job_retry(struct supervisor *s, struct job *job);
/* a record that was just claimed: all fields but arg, fds, lease */
void job_begin(struct job *job, const struct message_job *m);
void job_take_fds(struct job *job, struct frame *f);
/* its own fds are done with; those of the reply take their place */
void job_settle(struct job *job, struct frame *f);
/* a new one, or a request for a lease: to the queue, unless there is a reason to refuse it */
void job_enqueue(struct supervisor *s, struct job *job);
bool jobs_hopeless(const struct supervisor *s);
/* verdicts that wait for the engine's socket */
void jobs_flush(struct supervisor *s);
/* climb.c */
/* the ladder of a BUSY slot */
void job_deadline(struct slot *slot, uint64_t now);
void job_hurry(struct slot *slot, uint64_t now, enum ladder_cause cause);
void climb_start(struct slot *slot, const struct message_job *m, uint64_t now);
/* the ladder of what runs on a lease. false: the swap was lost, look again */
bool climb_lease(struct slot *slot, uint64_t now);
void climb_stuck(struct slot *slot);
bool under_debugger(struct supervisor *s, struct slot *slot);
/* lease.c */
void lease_accept(struct supervisor *s, struct frame *f);
/* 0 or -errno as frame_send() */
int lease_lend(struct supervisor *s, struct slot *slot, struct job *job, uint64_t now);
void lease_refuse(struct supervisor *s, struct job *job, enum brood_detail detail);
void lease_end(struct supervisor *s, uint64_t id);
void lease_kill(struct supervisor *s, const struct message_lease_kill *m);
void lease_left(struct slot *slot, const struct message_left *m);
struct lease_death {
	int code, status;
	uint64_t cpu_us, peak_kb;
	bool gave_up, memory, undead;
};
void lease_died(struct slot *slot, const struct lease_death *d);
int leases_tell_lent(struct supervisor *s); /* 0, or -errno: not now */
int lease_tell_over(struct supervisor *s, struct job *job);
bool lease_waits_for_limit(const struct supervisor *s, const struct job *job);
void lease_take_back(struct slot *slot);
/* those that could not be sent before */
void leases_send_leave(struct supervisor *s);
void leases_for_others(struct supervisor *s);
timer_fn leases_timer_fired;
/* look.c */
void lease_look_now(struct slot *slot, uint64_t now); /* at a slot in LEASED */
void lease_watch_start(struct slot *slot, const struct message_lease *m, uint64_t now);
void lease_look_id(struct supervisor *s, uint64_t id);
void leases_drain(struct supervisor *s); /* the stop's phases */
void lease_stop(struct slot *slot, uint64_t now);
void lease_force(struct slot *slot, uint64_t now);
/* engine_peer.c */
source_fn engine_readable, engine_death;
void engine_check(struct supervisor *s);
void engine_resume(struct supervisor *s);
timer_fn engine_eof_fired;
/* POOL_READY, POOL_DEGRADED, STOPPED */
int engine_tell(struct supervisor *s, enum message_type type);
/* guard_peer.c */
int guard_spawn(struct supervisor *s);
source_fn guard_death;
void guard_respawn_fired(struct loop *loop, struct timer *timer, uint64_t now);
void guard_end(struct supervisor *s);
void guard_check(struct supervisor *s);
/* stop.c */
void stop_pool(struct supervisor *s, uint32_t drain_ms, uint32_t stop_ms);
/* after any change that may move the stop on */
void stop_step(struct supervisor *s);
/* for what jobs left, since all else has ended */
bool stop_waited_enough(const struct supervisor *s, uint64_t now);
void stop_timer_fired(struct loop *loop, struct timer *timer, uint64_t now);
void stop_engine_signal(struct supervisor *s, int sig, bool from_terminal);
void stop_engine_timer_fired(struct loop *loop, struct timer *timer, uint64_t now);
bool stop_refusing(const struct supervisor *s);
/* signals.c */
int signals_prepare(struct supervisor *s);
source_fn signals_readable;
/* log.c */
/* past_engine: to stderr, for the engine cannot say it */
struct log_about {
	enum brood_level level;
	enum brood_event event;
	const struct slot *slot;
	uint64_t job;
	pid_t pid;
	bool past_engine;
};
void log_line(struct supervisor *s, const struct log_about *about, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_relay(struct supervisor *s, const struct message_log *line); /* a job's own */
timer_fn log_fold_fired;
void log_flush_folds(struct supervisor *s);
/* notify.c */
void notify_start(struct supervisor *s);
void notify_engine_said(struct supervisor *s, const struct message_notify *message);
/* readiness may have changed */
void notify_pool(struct supervisor *s);
void notify_stopping(struct supervisor *s);
void notify_flush(struct supervisor *s);
timer_fn notify_watchdog_fired;

#define slot_log(slot_, level_, event_, ...)                                                   \
	log_line((slot_)->supervisor,                                                          \
		&(struct log_about){ .level = (level_),                                        \
			.event = (event_),                                                     \
			.slot = (slot_),                                                       \
			.job = (slot_)->job && !(slot_)->job->is_lease ? (slot_)->job->link.id \
								       : 0 },                  \
		__VA_ARGS__)
#define plain_log(s_, level_, event_, ...) \
	log_line((s_), &(struct log_about){ .level = (level_), .event = (event_) }, __VA_ARGS__)

#endif
