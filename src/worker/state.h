/* SPDX-License-Identifier: MIT */
/*
 * state.h - what the worker's own files share. One worker a process, so its state is one global:
 * handlers must reach it, and the public calls too.
 *
 *   worker.c    birth, the loop, the end
 *   signals.c   dispositions, the soft step, what children of a job get
 *   frame.c     nothing gets past it (law 10)
 *   hygiene.c   what a job left behind
 *   run.c       what all jobs have in common: the desk, the frame, the look at the end
 *   handoff.c   one job, from RUN to FINISHED
 *   job.c       the public calls of a job: who it is, its limits, its log
 *   lease.c     on lease: from LEND to LEFT
 *   bytes.c     those for request and reply
 *   ring.c      one job, from entry to completion
 *   files.c     those for fds
 *   reply.c     a reply in memory
 *   plugin.c    functions of shared objects
 *   account.c   CPU time and peak memory a job
 *   disown.c    what main() left to be destructed
 *   stack.c     the stack that jobs run on
 *   outside.c   signals to the whole service
 *
 * Trap: a job may fork, and its child has all of this in memory, the desk and the channel included.
 * Whatever speaks for the worker asks worker_is_self() first. Trap: a job that made a system call
 * may have closed any fd, and have opened something else that got its number. So each fd of the
 * worker's own is looked at (identity) before something is written there, the first time after such
 * a job: worker_suspect_fds().
 */
#ifndef BROOD_WORKER_STATE_H
#define BROOD_WORKER_STATE_H

#include "../os/fds.h"
#include "../os/standard.h"
#include "../os/syscalls.h"
#include "../wire/frame.h"
#include "../wire/ring.h"
#include "worker.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Of a job of bytes on a ring. Positions are those of lease.space. */
struct job_reply {
	uint64_t start, size; /* the piece, while memfd is -1 */
	int memfd;
	bool streams; /* it goes over job.stream */
	bool ended;   /* by brood_job_reply() */
	int error;    /* negative: there was no room for it, it is lost */
};

struct brood_job {
	uint64_t id, sequence, soft_ns;
	size_t request_size;
	brood_fn *fn;
	const void *arg;
	size_t arg_size;
	uint32_t attempt;
	uint32_t plugin_size; /* behind the argument; 0: fn is the function */
	/* its system calls do not matter: what is owed is a look at everything anyway */
	bool unwatched;
	bool no_plugin; /* it could not be had: fn was not entered */
	bool on_ring;
	/* on a ring, and has no socket: request and reply lie in memory */
	bool bytes;
	int fd;                   /* -1: none */
	struct identity identity; /* of the fd, when it came */
	/* on a ring: the library's socket for large bytes; -1: none */
	int stream;
	struct identity stream_identity;
	/* a thread of the engine waits, and reads what is written there */
	bool engine_waits;
	bool taken;                       /* the job's own: not ours to close */
	_Atomic int cancel_fd;            /* -1: not asked for */
	const struct job_inline *in_line; /* inline mode: not NULL */

	const unsigned char *request; /* in memory: bytes, or after brood_job_request() */
	size_t request_read;          /* how far it was read */
	bool asked;                   /* by brood_job_request(), which takes it as a whole */
	void *mapped;
	size_t mapped_size; /* what of it is to be unmapped */
	struct job_reply reply;
	uint32_t extra_count, extra_taken; /* taken: a set */
	int extra[BROOD_JOB_FDS_MAX];
	struct identity extra_identity[BROOD_JOB_FDS_MAX];
	uint32_t back_count; /* fds that go back with the reply: duplicates, ours */
	int back[BROOD_JOB_FDS_MAX];
	char name[BROOD_NAME_MAX];
};
_Static_assert(BROOD_JOB_FDS_MAX <= 32, "job.extra_taken has a bit for each");
#define SEQUENCE_NONE   UINT64_MAX /* no desk has it: words have 61 bits for it */
#define SEQUENCE_INLINE (UINT64_MAX - 1)

/* What the process was like when it said READY. */
#define HYGIENE_SIGNALS 32 /* the standard ones */
struct hygiene {
	int threads, fds; /* fds < 0: nobody can count them here */
	int threads_now;  /* as the last look found them */
	bool standard_open[3];
	/* of the files at 0 to 2: what is put in their place does not change how many are open */
	struct identity standard[3];
	bool children;      /* worker_init started some: no telling them from a job's */
	bool children_kept; /* a former job left some, and that is tolerated */
	bool itimers[3];    /* running since then: not a job's */
	/* the kernel numbers them upwards: those from here on are a job's; -1: no timers here */
	int posix_timer;
	sigset_t mask;
	mode_t umask;
	bool cwd_known;
	struct identity cwd;
	char cwd_path[PATH_MAX];
	struct sigaction actions[HYGIENE_SIGNALS];
	stack_t alternate;
	unsigned rotation;
	/* all dispositions were looked at when the last job had ended */
	bool all_known;
	/*
	 * threads beside the one that runs jobs, whose calls may be a job's doing; or children to
	 * reap: look after each job
	 */
	bool others;
	uint64_t floating; /* control words of the floating point unit */
};
/* left: enum brood_left. broken: something could not be put right */
struct hygiene_result {
	uint32_t left;
	bool broken;
};
int hygiene_snapshot(struct hygiene *h);
/* All of it. ran_ns: how long the job ran; a short one is not made long by rare checks. */
struct hygiene_result hygiene_restore(struct hygiene *h, uint64_t ran_ns);
/* After a job that made no system call: only what can be changed without one. */
struct hygiene_result hygiene_glance(struct hygiene *h);
/* so many are open now that are ours */
static inline void hygiene_fds(struct hygiene *h, int more)
{
	h->fds = h->fds < 0 ? -1 : h->fds + more;
}
/* After a job whose worker goes on: what it left is the next one's to find, and not its doing. */
void hygiene_tolerated(struct hygiene *h, uint32_t left);

struct usage {
	uint64_t cpu_us, peak_kb;
};
struct account {
	bool cpu;
	/* /proc/self/clear_refs, to begin a peak anew; -1: not accounted */
	int refs_fd;
	struct identity refs;
	bool suspect;
	uint64_t cpu_ns;
};

/* The worker's half of a lease. */
struct lease {
	uint64_t id;
	const struct ring_down *down;
	struct ring_up *up;
	const struct ring_lane *lane;
	int link, bell;
	struct identity link_identity, bell_identity;
	bool suspect_link, suspect_bell;
	bool gone;          /* nobody reads the link: no more jobs from there */
	bool leaving;       /* LEAVE was heard */
	bool owed;          /* a trusted job is still to be looked after, */
	uint64_t owed_ns;   /* since then */
	uint64_t last;      /* sequence of the last entry that was dealt with: up.done */
	uint64_t published; /* down.published, as it was seen last */
	uint64_t told;      /* what was `last` when the engine was told, */
	uint64_t rung;      /* and that it was; 0: not yet */
	uint64_t word;      /* the desk word, as this worker left it */
	/* when the last job ended, if that is now; 0: look at the clock */
	uint64_t now;
	uint32_t left;           /* that the last look found */
	struct ring_space space; /* of up.bytes */
	/* up to where it is free again once that job was harvested */
	uint64_t ends[RING_DEPTH];
	const void *callable; /* the function that was found to be callable last */
	bool trusted;         /* the job that runs is */
	bool caller;          /* a thread may sleep for it: RING_CALLER */
};

struct worker {
	struct worker_config *config;
	pid_t pid; /* 0: this is no worker */
	struct desk *desk;
	struct identity channel;
	bool suspect_channel;
	rlim_t files; /* the limit on open files when it was ready */
	/*
	 * in a child that fork() made: what it writes in memory that is shared would spoil its
	 * parent's
	 */
	volatile bool forked;
	struct brood_job job;
	_Alignas(16) unsigned char arg[BROOD_ARG_MAX + 1];
	struct lease lease;
	struct hygiene hygiene;
	struct account account;
	struct brood_init_data init_data;
	struct standard standard; /* flags of stdout and stderr, */
	bool standard_shared;     /* and whether somebody else has them, too */
	/* the function's name that stands in the title, hidden or not */
	char shown[BROOD_NAME_MAX];
};
extern struct worker the_worker;

/*
 * signals.c. The sequence of the job that runs decides whether a soft step is meant for it;
 * SEQUENCE_NONE: none runs.
 */
int worker_signals_prepare(const struct brood_options *options);
/* after worker_init: SIGTERM is ours whatever it did */
void worker_signals_ready(void);
void worker_soft_expect(uint64_t sequence);
bool worker_soft_came(uint64_t sequence); /* async-signal-safe */
/* from its handler: the default action takes place once that has returned */
void worker_step_aside(int sig);
uint32_t worker_soft_told(uint64_t sequence); /* the same, as enum brood_verdict_flags */

/* disown.c */
/* destructors that main()'s thread has registered do not run here */
void worker_disown_thread_locals(void);

/* flags.c: the flags of stdout and stderr */
void flags_open_own(void); /* at birth */
void flags_note(void);
/* files_left: a job may have put other files there */
void flags_put_back(bool files_left);

/*
 * frame.c. Calls call(arg). If control leaves it in any way but by returning, `escaped` is called,
 * in the frame's own place, and must not return.
 */
struct job_frame {
	int (*call)(void *arg);
	void *arg;
	void (*escaped)(void *arg, int how); /* ESCAPED_* */
};
int job_frame_run(const struct job_frame *frame);

/* run.c */
/*
 * True: ours now, and *word is what stands there. False does not return: condemned, it waits for
 * SIGKILL; anything else stands there only if somebody wrote over it.
 */
void worker_desk_swap(uint64_t *word, uint64_t to);
/*
 * calls: it made system calls, or nobody knows. memory: it failed, and worker_memory had refused it
 * memory. told: enum brood_verdict_flags
 */
struct ran {
	int code;
	bool calls, memory;
	uint32_t told;
	uint64_t ended_ns;
	struct usage usage;
};
/* The desk word from `word` to RUNNING: from now on the soft step is meant for this job. */
void worker_begin(const struct brood_job *job, uint64_t *word);
/*
 * Calls the job's function, with the desk word from `word` to RUNNING, unless it is there, to DONE.
 */
struct ran worker_run_job(struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word);
struct ending {
	uint32_t left;
	bool retiring;
};
struct ending worker_judge(struct hygiene_result result); /* what that costs */
struct ending worker_look(const struct ran *ran, uint64_t ran_ns);
void worker_release_job(struct brood_job *job, bool suspect); /* its fds and memory */
void worker_suspect_fds(void);

/* handoff.c */
void worker_handoff(struct frame *f);

/* lease.c */
void worker_lend(struct frame *f);
void lease_tell(struct lease *l); /* the engine */
/* on the link; waits for room. False: nobody is there, or the kernel does not take its fds */
bool lease_say(struct lease *l, struct frame *f);
void lease_retire(struct lease *l, uint32_t left) __attribute__((noreturn));
/* what was put off; does not return where it costs the worker */
void lease_look_after(struct lease *l);
bool lease_published(struct lease *l); /* there is another entry */

/* ring.c: the next entry. */
void ring_job(struct lease *l);

/* reply.c */
ssize_t reply_write(struct brood_job *job, const void *data, size_t size);
void reply_begin(struct brood_job *job);
/* seals it, and says BACK when there is something to send */
void reply_finish(struct brood_job *job, struct ring_done *done);

/* plugin.c: the job's function, or NULL. */
brood_fn *plugin_find(struct brood_job *job, const char *text, size_t size);

/* account.c */
void account_ready(struct account *a, uint32_t flags);
void account_begin(struct account *a);
struct usage account_end(struct account *a);

/* worker.c. Sends or ends the process: never loses a message, never sends to a stranger. */
/* sending it failed with this: wait a moment and try again? *since is 0 at first */
bool worker_waits(int r, const struct frame *f, uint64_t *since);
void worker_say(struct frame *f);
void worker_check_channel(void);
void worker_end(bool with_hook) __attribute__((noreturn));
/* says why in the slot's page: the exit code may be a job's, too */
void worker_give_up(enum worker_exit why) __attribute__((noreturn));
void worker_log(uint64_t job, enum brood_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* files.c */
void job_take_fd(struct brood_job *job, int fd, bool own_pair);
/* before fn: which files they are, now or when that can have changed */
void job_note_fds(const struct brood_job *job);
void job_take_stream(struct brood_job *job, int fd); /* the library's: blocking */
void job_close_stream(struct brood_job *job);
void job_take_extra(struct brood_job *job, struct frame *f, size_t first);
/* shuts down and closes, if it still is the one that came */
void job_finish_fd(struct brood_job *job, bool suspect);
void job_close_extra(struct brood_job *job, bool suspect);
void job_close_back(struct brood_job *job);

/* bytes.c: the request's memory. */
/* all of it, or -errno. -EPIPE: nobody reads */
ssize_t bytes_write(int fd, const void *data, size_t size);
void job_unmap_request(struct brood_job *job);

/* job.c */
void job_close_cancel_fd(struct brood_job *job);

/* Holds cancellation off for the rest of the scope, and what is done in it is not the job's. */
static inline int cancellation_off(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}
static inline void cancellation_back(int *old)
{
	int now;

	pthread_setcancelstate(*old, &now);
}
#define LIBRARY_CALL   \
	SYSCALLS_OURS; \
	int cancellation_ __attribute__((cleanup(cancellation_back), unused)) = cancellation_off()

#endif
