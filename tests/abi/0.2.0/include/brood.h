/*
 * brood.h - run functions in other processes, safely.
 *
 * One program becomes a supervisor (the process that called brood_start(); it never returns from there), an engine (the
 * child in which brood_start() returns: your server) and a pool of warm workers. All are images of the same binary; nothing is
 * exec'd. The engine gives a worker a job: a function pointer and a connected socket. What crashes, hangs or leaks in the job
 * costs that job, and the engine gets exactly one verdict that says what happened.
 *
 * Two paths, one meaning. A handoff: the job travels through the supervisor. A lease: the supervisor lends a worker once, and from then on
 * engine and worker meet directly, through memory and a socket of their own, many times faster. The library takes and gives back leases by
 * itself; verdicts, deadlines, cancel, retries and limits are the same on both. options.dispatch and job options.dispatch force one of them.
 *
 * What may cross. A worker sees the memory of the program as it was at brood_start(): a snapshot. Later changes in the engine are
 * not seen there; a heap pointer that the engine made later is garbage in a worker. Send bytes (request, argument), fds (the job's
 * socket, brood_set_init_data()), and functions that were mapped at brood_start().
 *
 * Conventions of every call below.
 *   Errors    negative errno values; brood_error() has a sentence about the last failed call of this thread that says what to do.
 *   Sizes     each struct begins with `size`. Set it in those that you pass in ({ .size = sizeof options }); the library sets it in
 *             those that it fills. A zero in any field of an options struct means "the default".
 *   Output    ret_ parameters are untouched when a call fails, unless it says otherwise (brood_call() does).
 *   Names     the text that a ..._named() call gets must stay as it is while the program runs, as a literal does: it is looked at once a function.
 *   Times     milliseconds on CLOCK_MONOTONIC, unless the name says _us. BROOD_FOREVER means no limit. As a timeout_ms, 0 looks
 *             once and does not wait.
 *   Threads   every engine call may be made from any thread at any time, except brood_start(), and brood_stop(), which must be
 *             the last. The library starts no thread and takes no signal in the engine. Worker-side calls (those that take a
 *             struct brood_job) belong to the thread that runs the job, unless they say otherwise.
 *   Signals   EINTR never comes out, SIGPIPE is never raised by the library. No call is a cancellation point: blocking calls hold
 *             thread cancellation off until they return. Async-signal-safe: brood_job_cancelled() alone.
 *   Channel   verdicts and log lines arrive on the supervisor's channel. It is read, for all threads, by every blocking call (brood_call(), brood_wait(),
 *             brood_wait_ready(), brood_stop(), brood_queue_wait(), brood_lease(), brood_lease_end()), and by brood_dispatch(), brood_queue_dispatch()
 *             and brood_take(). brood_fd() says when it is worth it. All these may call the log callback; so do, now and then, brood_open() and
 *             brood_give() on a lease, and whatever waits for room in the supervisor's full socket (these two, brood_cancel(), brood_set_init_data(),
 *             brood_notify_...()). Hold no lock in them that the callback takes.
 *   Misuse    engine calls give -EPERM in a worker and in a process that the engine or a job forked (brood_release() does nothing there).
 *             After brood_stop() they give -ESHUTDOWN, but for brood_fetch(), brood_wait(), brood_id(), brood_release(),
 *             brood_stats(), and the calls that take results or end a queue or a lease. A second brood_start() gives -EALREADY.
 *             Anywhere: brood_version(), brood_error(), brood_role(), brood_rearm() (also in workers), the names and
 *             brood_verdict_format().
 */
#ifndef BROOD_H
#define BROOD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define BROOD_NOEXCEPT noexcept
extern "C" {
#else
#define BROOD_NOEXCEPT
#endif

#if defined(__GNUC__)
#define BROOD_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define BROOD_PUBLIC __attribute__((visibility("default")))
#else
#define BROOD_PRINTF(f, a)
#define BROOD_PUBLIC
#endif

#define BROOD_VERSION_MAJOR 0
#define BROOD_VERSION_MINOR 2
#define BROOD_VERSION_PATCH 0

#define BROOD_FOREVER  UINT32_MAX     /* as a time: no limit */
#define BROOD_NAME_MAX 64             /* a function's name in verdicts and titles, with its NUL; longer ones are cut */
#define BROOD_ARG_MAX  1024           /* bytes of an argument that travels inside the job's message */
#define BROOD_INIT_FDS_MAX 16         /* fds that brood_set_init_data() takes */
#define BROOD_JOB_FDS_MAX  32         /* extra fds with a job, and fds with its reply */
#define BROOD_PROGRESS_MAX 256        /* bytes of a progress message */
#define BROOD_SIZE_UNKNOWN SIZE_MAX   /* brood_job_request_size(): a conversation, nobody knows */

struct brood;         /* the engine's end of it all */
struct brood_handle;  /* engine: one job that was given */
struct brood_queue;   /* engine: where jobs are submitted and their results come out */
struct brood_lease;   /* engine: one worker, kept for many jobs */
struct brood_job;     /* worker: the job that runs */
struct iovec;         /* <sys/uio.h> */

/* A job. Runs in a worker, on the worker's own stack, one at a time. Returning 0 is "done"; any other value is "failed" with that code. */
typedef int brood_fn(struct brood_job *job);

/* "0.2.0": the library that runs, where BROOD_VERSION_* is the one compiled against. Static string. */
BROOD_PUBLIC const char *brood_version(void) BROOD_NOEXCEPT;

/* Why the last call of this thread that gave an error did so, and what to do about it. Never NULL; valid until this thread's next call. */
BROOD_PUBLIC const char *brood_error(void) BROOD_NOEXCEPT;

/* ---- Verdicts: what became of a job ---------------------------------------------------------------------------------- */

enum brood_path {
	BROOD_PATH_AUTO,          /* options: whatever is faster */
	BROOD_PATH_HANDOFF,       /* through the supervisor */
	BROOD_PATH_LEASE,         /* to a worker on lease */
};

enum brood_outcome {
	BROOD_DONE = 1,       /* returned 0 */
	BROOD_FAILED,         /* returned `code`, not 0 */
	BROOD_CRASHED,        /* ended by `signal`, or left its frame (detail: longjmp, pthread_exit) */
	BROOD_EXITED,         /* called exit() or _exit() with `code` */
	BROOD_TIMED_OUT,      /* its run time was up, and it was killed */
	BROOD_CANCELLED,      /* brood_cancel(), or the pool stopped, before it had finished */
	BROOD_REFUSED,        /* never ran: `detail` says why */
	BROOD_LOST,           /* Brood gave up: the channel to the supervisor ended or was damaged, or the stop time ran out */
};
#define BROOD_OUTCOMES 9      /* one more than the largest */

enum brood_detail {
	BROOD_DETAIL_NONE,
	/* refused */
	BROOD_DETAIL_QUEUE_FULL,      /* as many jobs are out as the pool has room for: wait for a verdict, then try again */
	BROOD_DETAIL_QUEUE_TIME,      /* no worker was free within queue_ms */
	BROOD_DETAIL_DRAINING,        /* the pool is stopping */
	BROOD_DETAIL_DEGRADED,        /* workers die at birth: the pool waits (stats: next_spawn_ms) and tries again */
	BROOD_DETAIL_BAD_POINTER,     /* fn does not lie in code that was mapped at brood_start() and still is */
	BROOD_DETAIL_FD_LOST,         /* the job's fd could not be passed: a limit on open files was reached on the way */
	/* crashed */
	BROOD_DETAIL_OUTSIDE,         /* SIGKILL that Brood did not send: an administrator, the kernel's OOM killer */
	BROOD_DETAIL_MEMORY,          /* worker_memory was reached (said with failed, crashed and exited) */
	BROOD_DETAIL_LONGJMP,         /* longjmp() to somewhere outside the job */
	BROOD_DETAIL_THREAD_EXIT,     /* pthread_exit() */
	BROOD_DETAIL_PROTOCOL,        /* the worker sent nonsense and was killed */
	BROOD_DETAIL_STUCK,           /* the function had ended but its worker said nothing more, and was killed */
	/* cancelled */
	BROOD_DETAIL_STOPPED,         /* by the pool's stop while it ran, not by brood_cancel() */
	/* lost */
	BROOD_DETAIL_CHANNEL,         /* the channel to the supervisor ended or was damaged */
	BROOD_DETAIL_STOP_TIME,       /* brood_stop() ran out of time before a verdict came */
	/* refused, again */
	BROOD_DETAIL_LEASE_OVER,      /* the lease that the job was for has ended: its worker died, or its time was up */
	BROOD_DETAIL_PLUGIN,          /* the worker could not open the plugin, or it has no such symbol: its log line says why */
};
#define BROOD_DETAILS 18

/* What a finished job left behind in its worker (verdict.left, a set). Threads, fds, children and memory cost that worker: it is replaced.
 * The rest is put right, and the worker goes on. options.tolerate names those that shall cost nothing. */
enum brood_left {
	BROOD_LEFT_THREADS  = 1 << 0,
	BROOD_LEFT_FDS      = 1 << 1,
	BROOD_LEFT_CHILDREN = 1 << 2,
	BROOD_LEFT_MEMORY   = 1 << 3,   /* came close to worker_memory */
	BROOD_LEFT_MASK     = 1 << 4,   /* blocked signals */
	BROOD_LEFT_TIMERS   = 1 << 5,   /* alarm(), setitimer(), timer_create() */
	BROOD_LEFT_CWD      = 1 << 6,
	BROOD_LEFT_UMASK    = 1 << 7,
	BROOD_LEFT_HANDLERS = 1 << 8,   /* signal dispositions; those of real-time signals (32 to 64) are neither looked at nor put back */
};

struct brood_verdict {
	size_t size;              /* set by the library */
	uint64_t id;              /* the job's, never used twice */
	enum brood_outcome outcome;
	enum brood_detail detail;
	int code;                 /* failed: what fn returned; exited: the exit code; else 0 */
	int signal;               /* what ended the worker, if a signal did; else 0 */
	int core;                 /* not 0: a core was dumped */
	int started;              /* not 0: fn was entered. 0: not one instruction of it ran, a retry is safe */
	pid_t pid;                /* the worker, 0 if the job never got to one */
	uint32_t slot;            /* its place in the pool */
	uint32_t generation;      /* which process of that place: 1 is the first */
	uint32_t attempts;        /* times that it was given to a worker */
	uint32_t left;            /* enum brood_left */
	uint64_t queue_us;        /* from the call that gave it to the (last) worker */
	uint64_t run_us;          /* from there to the end */
	uint64_t cpu_us;          /* of a worker that died: CPU time of the process over its life. BROOD_ACCOUNT_CPU: of this job. Else 0 */
	uint64_t peak_kb;         /* of a worker that died: its peak resident memory. BROOD_ACCOUNT_MEMORY: while this job ran. Else 0 */
	uint64_t reply_size;      /* call, submit: bytes that the job wrote, also when they did not fit or are not complete (of a job that died on a lease up to 64 KiB) */
	char name[BROOD_NAME_MAX];/* the function, as written in the caller's source */
	uint32_t path;            /* enum brood_path: how it went to its (last) worker; AUTO: it got to none */
	uint32_t reserved32;
	uint64_t reserved[7];
};

BROOD_PUBLIC const char *brood_outcome_name(enum brood_outcome outcome) BROOD_NOEXCEPT;   /* "timed out"; "?" for anything else. Static */
BROOD_PUBLIC const char *brood_detail_name(enum brood_detail detail) BROOD_NOEXCEPT;      /* "queue full"; "" for none. Static */

/* One line, without a newline: "job 17 upper: crashed, SIGSEGV, core dumped; worker 3 (pid 4711, generation 2); queued 12 us, ran 1.2 ms".
 * Like snprintf: at most `size` bytes with the NUL, returns the length that it wanted. */
BROOD_PUBLIC int brood_verdict_format(const struct brood_verdict *verdict, char *text, size_t size) BROOD_NOEXCEPT;

/* ---- Logs ------------------------------------------------------------------------------------------------------------- */

enum brood_level { BROOD_ERR = 3, BROOD_WARNING = 4, BROOD_NOTICE = 5, BROOD_INFO = 6, BROOD_DEBUG = 7 };   /* syslog's numbers */

enum brood_event {
	BROOD_EVENT_JOB_LOG = 1,      /* a job called brood_job_log() */
	BROOD_EVENT_WORKER_DIED,
	BROOD_EVENT_WORKER_LEFT,      /* retired for what a job left behind */
	BROOD_EVENT_SPAWN_FAILED,
	BROOD_EVENT_DEGRADED,
	BROOD_EVENT_RECOVERED,
	BROOD_EVENT_GUARD_DIED,
	BROOD_EVENT_ENGINE_DIED,
	BROOD_EVENT_STOP_FORCED,      /* something did not end in time and was killed */
	BROOD_EVENT_STRAY_KILLED,     /* a process that a job left behind */
	BROOD_EVENT_PROTOCOL,         /* a worker sent nonsense */
	BROOD_EVENT_RESOURCE,         /* the supervisor met a limit (fds, memory) and waits */
	BROOD_EVENT_REPEATED,         /* equal lines, folded; the text has their count */
	BROOD_EVENT_SIGNAL,           /* a signal was passed on */
};

struct brood_log {
	size_t size;              /* set by the library */
	enum brood_level level;
	enum brood_event event;
	pid_t pid;                /* whom it is about; 0: the supervisor itself */
	uint32_t slot;            /* UINT32_MAX: no worker */
	uint64_t job;             /* 0: none */
	const char *text;         /* one line without newline; valid during the callback only */
};
BROOD_PUBLIC const char *brood_event_name(enum brood_event event) BROOD_NOEXCEPT;   /* "worker-died"; "?" for anything else. Static */

/* ---- Start ------------------------------------------------------------------------------------------------------------ */

enum brood_flags {
	BROOD_INLINE         = 1 << 0,  /* no processes: jobs run in the caller (see brood_start) */
	BROOD_DEBUGGING      = 1 << 1,  /* a stopped or traced worker, or one whose engine is, is not killed by deadlines */
	BROOD_NO_CORE        = 1 << 2,  /* workers never dump core */
	BROOD_ACCOUNT_CPU    = 1 << 3,  /* verdicts have the job's CPU time: about 1.5 us a job */
	BROOD_ACCOUNT_MEMORY = 1 << 4,  /* verdicts have the job's peak memory: about 30 us a job */
};

enum brood_spawn {                  /* how workers are made. AUTO takes the first that the kernel allows */
	BROOD_SPAWN_AUTO,
	BROOD_SPAWN_CLONE3,         /* pthread_atfork() handlers do not run in workers: use worker_init */
	BROOD_SPAWN_CLONE,          /* the same */
	BROOD_SPAWN_FORK,           /* fork(): pthread_atfork() handlers run. Slower to reap in pools of thousands */
};

struct brood_options {
	size_t size;
	uint32_t flags;           /* enum brood_flags */
	uint32_t workers;         /* 1 to 10000; 0: one a CPU that this process may use */
	uint32_t backlog;         /* jobs that may wait for a worker; 0: 1024; at most 65536 */
	uint32_t spawn;           /* enum brood_spawn */

	/* what a job gets when its own options say nothing */
	uint32_t queue_ms;        /* 0: 10000 */
	uint32_t run_ms;          /* 0: 60000 */
	uint32_t grace_ms;        /* soft step to SIGKILL; 0: 50 */

	/* the pool */
	uint32_t init_ms;         /* from birth to ready, worker_init included; 0: 10000 */
	uint32_t drain_ms;        /* brood_stop(): for queued and running jobs to finish; 0: 5000 */
	uint32_t stop_ms;         /* then for workers to end after they were asked, worker_exit included; 0: 1000 */
	uint32_t engine_stop_ms;  /* from SIGTERM to the engine until SIGKILL; 0: 60000 */
	uint32_t core_ms;         /* a core dump may take this long before SIGKILL ends it; 0: 5000 */
	uint32_t cores_per_minute;/* no more cores than this; 0: 6 */

	/* respawn: workers that die young (before they were ready, or by themselves before their first job within healthy_ms). The pauses may not be
	 * BROOD_FOREVER (-EINVAL) */
	uint32_t backoff_min_ms;  /* first pause, after three such deaths in a row; doubles, with jitter; 0: 100 */
	uint32_t backoff_max_ms;  /* 0: 30000 */
	uint32_t start_limit;     /* so many in a row, and no worker ready: the pool is degraded; 0: 10 */
	uint32_t healthy_ms;      /* a worker ready this long, or through one job, sets all that back; 0: 1000 */

	uint64_t worker_memory;   /* bytes that a worker may allocate beyond what it has when ready (RLIMIT_DATA); 0: no limit */
	size_t stack_size;        /* of the stack that jobs run on, 64 KiB to 1 TiB; 0: 8 MiB */
	uint32_t tolerate;        /* enum brood_left: what jobs may leave behind without costing their worker */

	/* Arrays: copied during the call. */
	const int *keep_fds;      /* stay open in workers and in the supervisor beside 0-2 */
	size_t keep_fds_count;    /* at most 64 */
	const int *pass_signals;  /* that the supervisor passes on to the engine beside HUP, USR1, USR2, WINCH and QUIT */
	size_t pass_signals_count;        /* at most 64 */
	const int *keep_signals;  /* whose dispositions (a sanitizer's SIGSEGV handler) stay in workers as inherited; others are default */
	size_t keep_signals_count;        /* at most 64 */

	/* Hooks, in the worker, before its first job and before an orderly end. Not 0 from worker_init: the worker ends, and counts as one
	 * that died young. They get hook_context, which points into the snapshot. */
	int (*worker_init)(void *hook_context);
	void (*worker_exit)(void *hook_context);
	void *hook_context;

	/* Log lines, in the engine, from whichever thread reads the channel (see Channel above), one at a time, with no lock of the library's held.
	 * NULL: the supervisor writes them to stderr, and drops (and counts) what would block. */
	void (*log)(void *log_context, const struct brood_log *log);
	void *log_context;

	const char *title;        /* "NAME: worker 3 upper" in ps; NULL: the program's own name. Copied: its first 128 bytes; ps shows what follows the last slash, at
	                           * most 63 of them */

	/* Since 0.2. */
	uint32_t dispatch;        /* enum brood_path, for jobs whose own options say AUTO */
	uint32_t leases;          /* workers that may be on lease at a time, explicit leases not counted; 0: all */
	uint32_t lease_idle_ms;   /* a worker on lease that had no job for so long goes back to the pool; 0: 1000 */
	uint32_t reserved32;
	uint64_t reserved[6];
};

/*
 * Starts the supervisor, and returns in the engine, a child of the process that called: 0, and the engine's end in *ret_brood, which
 * nobody frees. The caller's process becomes the supervisor and never returns; when the engine ends it stops the pool and ends with the
 * engine's exit code or signal. The call does not wait for workers; jobs given early are queued.
 *
 * Call it early, from main(), while the program has one thread. All that can fail does so before the first fork, in the caller:
 *   -EINVAL    an option is out of range, or a struct's size is wrong
 *   -EBUSY     the program has other threads (brood_error() names them): start before they do
 *   -EMFILE    RLIMIT_NOFILE's hard limit is too low for the pool (limit, need and cure in brood_error())
 *   -EALREADY  started already     -EPERM  called in a worker     -ENOMEM, -EAGAIN, -ENFILE  from the kernel
 *   -ECANCELED BROOD_INLINE: worker_init did not return 0
 *
 * The engine has the caller's memory, fds, signal mask and dispositions, and a parent: the supervisor. What belongs to a process and not
 * to its memory (fcntl locks, timers, mlockall, a pid file's pid) stays with the supervisor. getpid() differs from before. Before the
 * first fork all stdio streams are flushed. PR_SET_PDEATHSIG (SIGKILL) is set in the engine; a later setuid() in the engine clears it:
 * call brood_rearm().
 *
 * Reads the environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID (systemd), and unsets them, so that neither engine nor jobs speak
 * for the service.
 *
 * BROOD_INLINE: no process is made, brood_start() returns in the caller; brood_call(), brood_submit() and brood_give() run fn at once in the calling
 * thread (a submitted job's result waits to be dispatched or taken), brood_open() in a thread of its own. A lease is the program itself, and there are as many
 * as are asked for. A verdict's path is what `dispatch` or a lease asked for, else AUTO; peak_kb is 0, with BROOD_ACCOUNT_MEMORY, too; brood_give() says
 * -ENOTSOCK for -EPROTOTYPE, and -ENOTCONN for a socket that is not connected. For gdb, sanitizers and fuzzers: a crash is a crash of the caller, limits
 * are not enforced.
 */
BROOD_PUBLIC int brood_start(const struct brood_options *options, struct brood **ret_brood) BROOD_NOEXCEPT;

/* Waits until every place of the pool has had a ready worker; once that has come it answers 0 at once. 0; -ETIMEDOUT; -EHOSTDOWN: the pool
 * is degraded, workers die at birth (the log says how); -ESHUTDOWN; -ENOTCONN: the supervisor is gone. */
BROOD_PUBLIC int brood_wait_ready(struct brood *brood, uint32_t timeout_ms) BROOD_NOEXCEPT;

/*
 * Ends the pool: no new jobs, drain_ms for those queued and running, then the running ones are cancelled (detail STOPPED) and the queued
 * ones refused (DRAINING); workers get stop_ms to end, then SIGKILL.
 * Returns when every worker has ended and every job has its verdict: 0, or -ETIMEDOUT when the supervisor did not get there within the sum
 * of those times and a few seconds more (the jobs left are then lost), or -ENOTCONN: the supervisor is gone. Handles stay valid: their verdicts can still be fetched and must
 * still be released. It calls no on_done: results that came meanwhile are called back by brood_queue_dispatch() or brood_take() on their queue (brood_own_queue())
 * afterwards. The engine goes on without a pool; the supervisor ends when the engine does. Not needed before exit(): an engine that ends stops its pool the
 * same way.
 */
BROOD_PUBLIC int brood_stop(struct brood *brood) BROOD_NOEXCEPT;

/* FORKED: a child that the engine or a job forked. */
enum brood_role { BROOD_ROLE_NONE, BROOD_ROLE_ENGINE, BROOD_ROLE_WORKER, BROOD_ROLE_FORKED };
BROOD_PUBLIC enum brood_role brood_role(void) BROOD_NOEXCEPT;

/* Sets PR_SET_PDEATHSIG again after the engine, or a worker in worker_init, changed its credentials. 0, or -ESRCH: the supervisor is
 * gone. */
BROOD_PUBLIC int brood_rearm(void) BROOD_NOEXCEPT;

/* ---- Giving jobs (engine) ----------------------------------------------------------------------------------------------- */

enum brood_job_flags {
	BROOD_JOB_ONCE  = 1 << 0,  /* to one worker only: if it dies before fn is entered, the job is crashed, with started 0 */
	BROOD_JOB_ABORT = 1 << 1,  /* out of time: SIGABRT (a core) before SIGKILL */
	BROOD_JOB_TRUSTED = 1 << 2,/* on a lease: what it left behind is looked for only when its worker has nothing else to do. For functions that are
	                            * known to leave nothing. (A job that made no system call costs no look in any case, on Linux 5.11 and x86) */
	BROOD_JOB_MORE  = 1 << 3,  /* brood_submit(): another follows at once; its worker need not be woken for this one alone. The last of a batch goes
	                            * without it, or is followed by brood_queue_dispatch(), _wait() or brood_take() */
};

struct brood_result;
/* Called once for a submitted job that has its verdict, with no lock held, in the thread that dispatches its queue. May submit, cancel, take; must
 * not free the queue. What `result` points to is valid until the callback returns. */
typedef void brood_done_fn(void *context, const struct brood_result *result);
/* Called for each brood_job_progress(), the same way; by brood_call() in the calling thread. Never after the verdict. */
typedef void brood_progress_fn(void *context, uint64_t id, const void *data, size_t size);

struct brood_job_options {
	size_t size;
	uint32_t flags;           /* enum brood_job_flags */
	uint32_t queue_ms;        /* to wait for a worker; 0: the pool's */
	uint32_t run_ms;          /* to run; then brood_job_cancelled() turns true; 0: the pool's */
	uint32_t grace_ms;        /* after that, SIGKILL; 0: the pool's */
	uint32_t retries;         /* the job is idempotent: after a kill from outside (detail OUTSIDE), run it again up to so often. Never
	                           * after its own crash, and not with `lease` */
	const void *arg;          /* copied into the job's message, for brood_job_arg() */
	size_t arg_size;          /* at most BROOD_ARG_MAX */
	uint64_t *ret_id;         /* NULL, or where the job's id is stored before it is given: for cancelling a brood_call() from another thread, which
	                           * reads it with __atomic_load_n() (the library stores it with release order) */

	/* Since 0.2. */
	uint32_t dispatch;        /* enum brood_path. AUTO: the pool's. With a forced lease the job waits for one, up to queue_ms, and brood_open() and
	                           * brood_give() wait for the first. Says nothing with `lease` */
	uint32_t fds_count;
	const int *fds;           /* extra fds for the job, for brood_job_extra_fd(): duplicated here, the caller's stay the caller's. At most BROOD_JOB_FDS_MAX */
	struct brood_lease *lease;/* to this worker, behind what it already has; NULL: to any. What is submitted to it comes out of brood_lease_queue() */
	struct brood_queue *queue;/* brood_submit() without a lease: NULL: the brood's own, see brood_own_queue() */
	brood_done_fn *on_done;   /* brood_submit(): NULL: the result waits for brood_take() */
	brood_progress_fn *on_progress;       /* submit and call; NULL: progress is dropped */
	void *context;            /* for both, and in the result */
	const char *plugin, *symbol;          /* with fn NULL: the job is the function `symbol` of the shared object `plugin` (an absolute path), which the worker opens (and
	                                       * keeps open) itself; for what the engine loaded after the start. Both with their NULs at most BROOD_ARG_MAX less arg_size */
	int *ret_fds;             /* brood_call(): where the fds of brood_job_reply_fds() go; the caller's to close. NULL: they are closed */
	size_t ret_fds_room;      /* what is more is closed */
	size_t *ret_fds_count;    /* how many there are now; may be NULL */
	uint64_t reserved[4];
};

/*
 * open: a worker runs fn on the other end of *ret_fd, a connected stream socket (close-on-exec, blocking, the caller's to close). They talk
 * as they like. At the job's end the socket is shut down: the engine reads EOF. ret_handle may be NULL: nobody wants the verdict. Else it
 * must be released. options may be NULL: all defaults.
 * Does not wait for a worker, unless a lease is forced (`dispatch`, the pool's or the job's) and the brood has none: then until one comes, at most
 * queue_ms. (And up to a second for room in the supervisor's full socket, in a program that never called brood_fd().)
 * 0, or -EINVAL; -EFAULT: fn is not callable (law: it must lie in code mapped at brood_start()); -EAGAIN: refused, as many
 * jobs are out as there is room for (workers + backlog); -ESTALE: options.lease is over; -EBADF: one of options.fds is not open; -EMFILE, -ENFILE,
 * -ENOMEM; -ESHUTDOWN; -ENOTCONN: the supervisor is gone. A job that was accepted (0) gets exactly one verdict, whatever happens; one that was not
 * gets none.
 * With retries, a second attempt meets the same stream as the first left it.
 */
#define brood_open(brood, fn, options, ret_fd, ret_handle) brood_open_named(brood, fn, #fn, options, ret_fd, ret_handle)
BROOD_PUBLIC int brood_open_named(struct brood *brood, brood_fn *fn, const char *name, const struct brood_job_options *options,
                                  int *ret_fd, struct brood_handle **ret_handle) BROOD_NOEXCEPT;

/* The same with a connected socket of the caller's own: an accepted client, say. On success the library owns fd and has closed it here; on
 * error it stays the caller's. At the job's end it is shut down and closed, unless the job took it over (brood_job_take_fd()).
 * -ENOTSOCK: no socket; -EPROTOTYPE: one that listens, or is no stream; -EBADF: not open; and the errors of brood_open(). */
#define brood_give(brood, fn, fd, options, ret_handle) brood_give_named(brood, fn, #fn, fd, options, ret_handle)
BROOD_PUBLIC int brood_give_named(struct brood *brood, brood_fn *fn, const char *name, int fd, const struct brood_job_options *options,
                                  struct brood_handle **ret_handle) BROOD_NOEXCEPT;

/*
 * call: request in, reply out, waits for the verdict (which has a bound: queue_ms + run_ms + grace_ms and little more, once an attempt).
 * Any sizes, 0 included; the job may reply while it still reads. ret_verdict may be NULL. Returns the reply's size when the outcome is done
 * or failed: what fn returned is in verdict.code alone. Else
 *   -EMSGSIZE    the reply was larger than reply_size: the first bytes are there, verdict.reply_size has the whole size
 *   -EREMOTEIO   crashed or exited        -ETIMEDOUT  timed out          -ECANCELED  cancelled: what was written of the reply is there (on a lease if it was
 *                at most 64 KiB), verdict.reply_size says how much
 *   -EAGAIN      refused (-EFAULT: pointer; -ESTALE: its lease is over)  -ENOTCONN   lost
 *   and the errors of brood_open(). *ret_verdict is set in all those cases but for -EINVAL, -EPERM and -ESHUTDOWN.
 */
#define brood_call(brood, fn, request, request_size, reply, reply_size, options, ret_verdict) \
	brood_call_named(brood, fn, #fn, request, request_size, reply, reply_size, options, ret_verdict)
BROOD_PUBLIC ssize_t brood_call_named(struct brood *brood, brood_fn *fn, const char *name, const void *request, size_t request_size,
                                      void *reply, size_t reply_size, const struct brood_job_options *options,
                                      struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

/* The same with a request in pieces (at most 1024): they are one for the job. */
#define brood_callv(brood, fn, request, request_count, reply, reply_size, options, ret_verdict) \
	brood_callv_named(brood, fn, #fn, request, request_count, reply, reply_size, options, ret_verdict)
BROOD_PUBLIC ssize_t brood_callv_named(struct brood *brood, brood_fn *fn, const char *name, const struct iovec *request, size_t request_count,
                                       void *reply, size_t reply_size, const struct brood_job_options *options,
                                       struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

BROOD_PUBLIC uint64_t brood_id(const struct brood_handle *handle) BROOD_NOEXCEPT;

/* The verdict if it is there: 0, else -EAGAIN. Does not block and does not read the channel: call brood_dispatch() first. May be fetched
 * again. */
BROOD_PUBLIC int brood_fetch(struct brood_handle *handle, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

/* Waits for it: 0, or -ETIMEDOUT. One thread at a time per handle: -EBUSY for another. ret_verdict may be NULL, as in brood_fetch(). */
BROOD_PUBLIC int brood_wait(struct brood_handle *handle, uint32_t timeout_ms, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

/* Gives the handle back; NULL is fine. A job without a verdict goes on, and its verdict is dropped and counted. Always returns NULL. */
BROOD_PUBLIC struct brood_handle *brood_release(struct brood_handle *handle) BROOD_NOEXCEPT;

/* Cancels by id, from any thread, at any stage: queued jobs at once; a running one notices by brood_job_cancelled(), and is killed after
 * its grace. 0 says that the wish is on its way, the verdict says what came of it (a job may still finish first); -ENOENT: no such job is
 * out. */
BROOD_PUBLIC int brood_cancel(struct brood *brood, uint64_t id) BROOD_NOEXCEPT;

/* An fd to poll for reading, for any event loop, the library's to close, the same for life: readable when brood_dispatch() has something to
 * do. Do not read from it. */
BROOD_PUBLIC int brood_fd(struct brood *brood) BROOD_NOEXCEPT;

/* Reads the supervisor's channel until it is empty, calls the log callback and the callbacks of the brood's own queue, never blocks. (A
 * job that such a callback submits, and that is done at once, may have its own callback within the same call, for some rounds.) Returns how
 * many verdicts can be fetched (or taken from that queue) that could not before, also those that another thread's blocking call brought, or
 * -ENOTCONN: the supervisor is gone (all jobs have their verdict: lost). */
BROOD_PUBLIC int brood_dispatch(struct brood *brood) BROOD_NOEXCEPT;

/* ---- Submitting (engine): an id now, the verdict later --------------------------------------------------------------------------- */

/* What became of a submitted job. The library's memory: valid until the callback returns, or until the next brood_take(), brood_queue_wait(),
 * _dispatch() or _free() on that queue. */
struct brood_result {
	size_t size;              /* set by the library */
	void *context;            /* the job options' */
	const void *reply;        /* what the job wrote: all of it when the outcome is done or failed; else what was there when it died, on a lease if that was at most
	                           * 64 KiB. A reply for which the engine had no memory, or no file (its limit on open files), is lost: NULL, and reply_size 0; the outcome
	                           * stays what the function returned, and verdict.reply_size says how much it was */
	size_t reply_size;
	int *fds;                 /* of brood_job_reply_fds(): closed with the result, but those that the caller sets to -1 here are the caller's */
	size_t fds_count;
	struct brood_verdict verdict;
};

/*
 * A queue: jobs in, results out; with workers on lease of its own, so that two threads with a queue each share nothing on a job's path. Any thread
 * may use any queue. A program with one event loop needs none: brood_submit() without one uses the brood's own, whose fd is brood_fd() and
 * whose dispatch is brood_dispatch(). In a program with several loops each makes its own.
 */
struct brood_queue_options {
	size_t size;
	uint32_t jobs;            /* that may be out (submitted, and not taken or called back): beyond it submit refuses; 0: 4096; at most 65536 */
	uint32_t leases;          /* workers on lease for this queue; 0: no limit but the pool's */
	uint64_t reserved[4];
};
/* options may be NULL. 0, -EINVAL, -ENOMEM, -EMFILE, -ENFILE, -ESHUTDOWN. */
BROOD_PUBLIC int brood_queue_new(struct brood *brood, const struct brood_queue_options *options, struct brood_queue **ret_queue) BROOD_NOEXCEPT;
/* Jobs that are out are cancelled, their results dropped (and counted); no callback is called any more. NULL is fine. Not from a callback of its own, not
 * while another thread is in a call on it. Always returns NULL. After brood_stop(): still needed. */
BROOD_PUBLIC struct brood_queue *brood_queue_free(struct brood_queue *queue) BROOD_NOEXCEPT;
/* The brood's own; the library's, for life. (options.jobs of it: 4096.) */
BROOD_PUBLIC struct brood_queue *brood_own_queue(struct brood *brood) BROOD_NOEXCEPT;

/*
 * Gives a job without waiting: 0 and its id in *ret_id (may be NULL). The request is copied. options may be NULL. The result comes by
 * options.on_done, else by brood_take(). Never blocks; as much as `jobs` may be out. A job that was accepted has exactly one result.
 * The library has no thread: a job that found no worker on lease waits in the engine until somebody dispatches, takes or waits on this queue, and only
 * then begins, or is refused because its queue_ms are over. One that a worker has is bounded by the supervisor (run_ms, grace_ms), whoever looks. So poll
 * brood_fd() (brood_queue_fd()) and dispatch, or wait.
 *   -EAGAIN    as many are out as the queue has room for, or (forced handoff) as the supervisor has: dispatch or take, then again
 *   -ESTALE    options.lease is over            and the errors of brood_open()
 */
#define brood_submit(brood, fn, request, request_size, options, ret_id) brood_submit_named(brood, fn, #fn, request, request_size, options, ret_id)
BROOD_PUBLIC int brood_submit_named(struct brood *brood, brood_fn *fn, const char *name, const void *request, size_t request_size,
                                    const struct brood_job_options *options, uint64_t *ret_id) BROOD_NOEXCEPT;
#define brood_submitv(brood, fn, request, request_count, options, ret_id) brood_submitv_named(brood, fn, #fn, request, request_count, options, ret_id)
BROOD_PUBLIC int brood_submitv_named(struct brood *brood, brood_fn *fn, const char *name, const struct iovec *request, size_t request_count,
                                     const struct brood_job_options *options, uint64_t *ret_id) BROOD_NOEXCEPT;

/* An fd to poll for reading: readable when brood_queue_dispatch() has something to do. The library's, the same for life. Do not read from it. */
BROOD_PUBLIC int brood_queue_fd(struct brood_queue *queue) BROOD_NOEXCEPT;
/* Sees what has come, calls callbacks, never blocks. Returns how many results came, called back or ready to be taken; -ENOTCONN: the
 * supervisor is gone (and all results are there: lost). */
BROOD_PUBLIC int brood_queue_dispatch(struct brood_queue *queue) BROOD_NOEXCEPT;
/* The same, but waits until there is a result (called back or to be taken): their number, 0 when nothing is out and nothing waits to be taken, -ETIMEDOUT, -ENOTCONN. */
BROOD_PUBLIC int brood_queue_wait(struct brood_queue *queue, uint32_t timeout_ms) BROOD_NOEXCEPT;
/* Up to `room` results that have no callback, in the order in which they came, into ret_results; first sees what has come, as brood_queue_dispatch(). Their number, 0 when
 * there is none; never blocks. */
BROOD_PUBLIC int brood_take(struct brood_queue *queue, const struct brood_result **ret_results, size_t room) BROOD_NOEXCEPT;
/* Jobs submitted whose result was not yet taken or called back. */
BROOD_PUBLIC size_t brood_queue_out(struct brood_queue *queue) BROOD_NOEXCEPT;

/* ---- Leases (engine): one worker for a conversation ------------------------------------------------------------------------------- */

struct brood_lease_options {
	size_t size;
	uint32_t wait_ms;         /* for a worker to be free; 0: the pool's queue_ms */
	uint32_t limit_ms;        /* the lease ends by itself then (a job that runs is not ended by that; those behind it are refused); 0: 60000 */
	uint64_t reserved[4];
};
/*
 * Takes a worker for this engine alone: jobs with options.lease go to it, in order, and what one leaves in its memory (a session, a warm cache) the next
 * one finds. Waits for a worker. Its jobs have deadlines and verdicts as ever; a worker that dies ends the lease: the job that ran has its verdict, those behind it
 * are refused (LEASE_OVER), as is whatever comes later (-ESTALE). A worker that says that a job is done and does not give its result is killed within 10 s or so, if
 * somebody waits for it or dispatches; else limit_ms is the bound. Any thread may use it, brood_lease_end() is the last call. A job's `retries` and `dispatch`
 * say nothing on it; 65536 jobs may be out on it.
 * 0, -ETIMEDOUT: no worker within wait_ms; -EAGAIN: refused (draining, or as many jobs are out as there is room for); -EHOSTDOWN: degraded; -EINVAL, -ENOMEM, -EMFILE, -ENFILE,
 * -ESHUTDOWN, -ENOTCONN.
 */
BROOD_PUBLIC int brood_lease(struct brood *brood, const struct brood_lease_options *options, struct brood_lease **ret_lease) BROOD_NOEXCEPT;
/* Gives the worker back once the job that it runs has ended, and waits for that (its run time is the bound: cancel it first if that is long);
 * jobs behind it are refused. Handles of its jobs stay valid. NULL is fine. Always returns NULL. */
BROOD_PUBLIC struct brood_lease *brood_lease_end(struct brood_lease *lease) BROOD_NOEXCEPT;
/* Where the results of jobs that were submitted to it come out; the lease's, until brood_lease_end(), at which results that were not taken are dropped. */
BROOD_PUBLIC struct brood_queue *brood_lease_queue(struct brood_lease *lease) BROOD_NOEXCEPT;
/* Whom it is: 0, or -ESTALE when it is over (the figures are set all the same). Each pointer may be NULL. */
BROOD_PUBLIC int brood_lease_worker(struct brood_lease *lease, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation) BROOD_NOEXCEPT;

/* ---- The rest of the engine's side ---------------------------------------------------------------------------------------- */

/* Bytes and fds that workers born from now on get (brood_get_init_data() in worker_init): replaces what was set before. Copied; the fds
 * stay the caller's. At most 1 GiB. Returns the version (1, 2, ...), which is in effect for a worker born later than the supervisor's
 * reading this. -E2BIG: too many fds, or bytes; -EBADF: one of fds is not open; -EINVAL, -EMFILE, -ENFILE, -ENOMEM; -ESHUTDOWN; -ENOTCONN. */
BROOD_PUBLIC int brood_set_init_data(struct brood *brood, const void *data, size_t data_size,
                                     const int *fds, size_t fds_count) BROOD_NOEXCEPT;

/* systemd: says READY=1, once, when the pool is ready too, with the pool's figures as STATUS. Nothing happens without a NOTIFY_SOCKET. */
BROOD_PUBLIC int brood_notify_ready(struct brood *brood) BROOD_NOEXCEPT;
/* systemd: STATUS=text (one line; longer than 200 bytes is cut). */
BROOD_PUBLIC int brood_notify_status(struct brood *brood, const char *text) BROOD_NOEXCEPT;

struct brood_stats {
	size_t size;              /* set by the library */
	uint32_t workers, ready, idle, busy, starting;      /* places; of them with a ready worker = idle + busy */
	uint32_t queued;          /* at the supervisor: jobs that were handed off and wait for a worker, and requests for leases. (Submitted jobs that wait in the
	                           * engine are among those that brood_queue_out() counts) */
	uint32_t queued_peak;
	uint32_t degraded;        /* not 0: see BROOD_DETAIL_DEGRADED */
	uint32_t next_spawn_ms;   /* degraded or backing off: until the next try */
	uint32_t leased;          /* of those that are busy: on lease, with or without a job */
	uint64_t submitted;       /* jobs that brood_open(), _give(), _call() and _submit() accepted, retries not counted */
	uint64_t verdicts[BROOD_OUTCOMES];                  /* by outcome; [0] is unused */
	uint64_t dropped;         /* verdicts that came when nobody wanted them any more */
	uint64_t redispatched;    /* jobs whose worker died before fn was entered, given to another */
	uint64_t retried;         /* jobs run again after a kill from outside */
	uint64_t spawned, died, killed, retired;            /* worker processes; died counts all ends, killed those that Brood killed */
	uint64_t spawn_failures;
	uint64_t strays_killed;
	uint64_t guard_deaths;
	uint64_t logs_dropped;
	uint64_t leases;          /* given, over the life of the pool */
	uint64_t leases_revoked;  /* that the supervisor took back: idle, wanted elsewhere, or their time was up */
	uint64_t reserved[6];
};
/* The counters, from a page that the supervisor writes: no message, no waiting. Each figure is right, two may be a moment apart. 0. */
BROOD_PUBLIC int brood_stats(struct brood *brood, struct brood_stats *ret_stats) BROOD_NOEXCEPT;

/* ---- In a worker ------------------------------------------------------------------------------------------------------------ */

/* In worker_init and in jobs: what brood_set_init_data() had set when this worker was born. Version 0: nothing. Memory and fds are the
 * worker's for life. 0; -EPERM: not a worker. */
struct brood_init_data {
	size_t size;              /* set by the library */
	uint32_t version;
	const void *data;
	size_t data_size;
	const int *fds;
	size_t fds_count;
	uint64_t reserved[4];
};
BROOD_PUBLIC int brood_get_init_data(struct brood_init_data *ret_data) BROOD_NOEXCEPT;

/* Of a brood_call() or brood_submit() that was handed off and is retried: another for each attempt (log lines have it, too); verdict.id is what the
 * caller was told. */
BROOD_PUBLIC uint64_t brood_job_id(const struct brood_job *job) BROOD_NOEXCEPT;
BROOD_PUBLIC uint32_t brood_job_attempt(const struct brood_job *job) BROOD_NOEXCEPT;        /* 1 is the first */
BROOD_PUBLIC size_t brood_job_request_size(const struct brood_job *job) BROOD_NOEXCEPT;     /* call, submit: exact; open, give: BROOD_SIZE_UNKNOWN */
/* The argument that the job's options had: valid until fn returns, aligned for anything, never NULL. ret_size may be NULL. */
BROOD_PUBLIC const void *brood_job_arg(const struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT;

/* Up to `size` bytes of the request, 0 at its end, or -errno. Waits for the first byte only. brood_job_read_all() waits for `size` bytes or
 * the end. The soft step does not end the wait: a job that wants that polls brood_job_fd() and brood_job_cancel_fd(). */
BROOD_PUBLIC ssize_t brood_job_read(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT;
BROOD_PUBLIC ssize_t brood_job_read_all(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT;

/* All `size` bytes, or -EPIPE: the engine closed its end, or brood_job_reply() was called; on a lease also -ENOMEM, -EMFILE, -ENFILE: no memory or file
 * for a reply of that size, and -EPERM: in a child of the job. Returns size. May be called often; the reply is their sum. */
BROOD_PUBLIC ssize_t brood_job_write(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT;

/* The whole (or the last part of the) reply: writes it and ends the writing side, so that the reader sees EOF now, before fn returns. Errors as
 * brood_job_write(). */
BROOD_PUBLIC ssize_t brood_job_reply(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT;

/* The whole request, where it lies: no copy on a lease. NULL when it cannot be had (errno: ENOMEM; EINVAL: not a job of bytes, or some of it was read already;
 * EPIPE: the engine ended before all of it was there; or an error of the socket). Valid and unchanged until fn returns; not to be written to. ret_size may be
 * NULL. brood_job_read() finds nothing any more after it. */
BROOD_PUBLIC const void *brood_job_request(struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT;

/* Extra fds (job options.fds): the library's, closed at the job's end; -EINVAL: no such index. take: the job's own from now on. */
BROOD_PUBLIC size_t brood_job_extra_fds(const struct brood_job *job) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_job_extra_fd(struct brood_job *job, size_t index) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_job_take_extra_fd(struct brood_job *job, size_t index) BROOD_NOEXCEPT;

/* Sends fds with the reply (call and submit; at most BROOD_JOB_FDS_MAX in all): duplicated here, the caller's stay the caller's. They come with the verdict of a job that is done or failed. 0, -EINVAL,
 * -EBADF, -E2BIG, -EMFILE. */
BROOD_PUBLIC int brood_job_reply_fds(struct brood_job *job, const int *fds, size_t count) BROOD_NOEXCEPT;

/* A message to options.on_progress, while the job runs. Never blocks: 0; -EAGAIN: it is dropped; -EMSGSIZE: more than BROOD_PROGRESS_MAX;
 * -EINVAL: data is NULL, and size is not 0; -EPERM: in a child of the job. */
BROOD_PUBLIC int brood_job_progress(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT;

/* The socket of a job that was given by brood_open() or brood_give(), or of a brood_call() or brood_submit() that was forced to be a handoff; -ENOTSOCK: a job of bytes, on a lease or
 * not, need not have one. Blocking (O_NONBLOCK is cleared on one that was given, for all who share it), still the library's, closed at the end
 * of the job. A job may close() it itself. */
BROOD_PUBLIC int brood_job_fd(struct brood_job *job) BROOD_NOEXCEPT;
/* The same, but from now on the job's: neither shut down nor closed at the end. For a socket that a child process goes on with, or one that
 * a worker keeps (then see BROOD_LEFT_FDS). For brood_call() there is no EOF then until it is closed; the verdict still ends the call. */
BROOD_PUBLIC int brood_job_take_fd(struct brood_job *job) BROOD_NOEXCEPT;

/* Not 0 once the job shall end: cancelled, out of time, or the pool stops. Async-signal-safe, any thread. */
BROOD_PUBLIC int brood_job_cancelled(const struct brood_job *job) BROOD_NOEXCEPT;
/* An fd that becomes readable at that moment, for poll(); the library's; made on the first call. -errno on failure. */
BROOD_PUBLIC int brood_job_cancel_fd(struct brood_job *job) BROOD_NOEXCEPT;
/* Until the soft step; 0: it has come. BROOD_FOREVER: no limit. */
BROOD_PUBLIC uint32_t brood_job_time_left_ms(const struct brood_job *job) BROOD_NOEXCEPT;

/* A line to the engine's log (event job-log), cut at 400 bytes with the NUL. Never blocks: 0; -EAGAIN: it is dropped; -EINVAL: level or
 * format; -EPERM: in a child of the job. */
BROOD_PUBLIC int brood_job_log(struct brood_job *job, enum brood_level level, const char *format, ...) BROOD_NOEXCEPT BROOD_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
