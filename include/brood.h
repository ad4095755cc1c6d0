/* SPDX-License-Identifier: MIT */
/*
 * brood.h - run functions in other processes, safely.
 *
 * brood_start() makes several processes of one program. All are images of the same binary.
 *   supervisor  the process that called brood_start(); the call never returns there
 *   engine      the child in which brood_start() returns: the program goes on there
 *   workers     children that run jobs, one at a time each; they are started ahead
 *   guard       a process that kills what is left when the supervisor is killed
 *   spawner     a process that makes the workers for the supervisor, if there are many
 *
 * A job is a function that runs in a worker. A crash, a hang or a leak costs one job at most. The
 * engine gets exactly one verdict for each job that was accepted.
 *
 * A job reaches its worker by one of two transports. Handoff: the supervisor passes the job on.
 * Lease: the supervisor grants a worker to the engine; jobs then go to the worker directly, many
 * times faster, until the supervisor recalls the lease. The library chooses. Verdicts, deadlines,
 * cancelling, retries and limits are the same on both.
 *
 * A worker sees the memory of the program as it was at brood_start(), and no later change. Send
 * bytes, fds, and functions that were mapped at brood_start(). Send no pointer to later memory.
 *
 * This file has the contracts. brood(7) is the overview, and each function has a man page.
 * These rules hold for every call.
 *   Errors     A call that fails returns a negative errno value. brood_error() has a sentence
 *              about it. ret_ parameters are untouched then, unless the contract says otherwise.
 *              These errors mean the same everywhere, and a contract gives their names alone:
 *                -EINVAL     a pointer is NULL, an option is out of range, or a size is wrong:
 *                            mend the program. Every engine call gives it for a NULL first argument
 *                -EPERM      this process is not the engine, but a worker, or a child that the
 *                            engine or a job forked. Every engine call gives it
 *                -ESHUTDOWN  brood_stop() was called before: give no more jobs
 *                -ENOTCONN   the supervisor is gone, and all jobs are lost: end the program
 *                -EMFILE, -ENFILE, -ENOMEM  this process has no fd or no memory: try again later
 *   Anywhere   brood_version(), brood_error(), brood_role(), brood_verdict_format(), _format_tag(),
 *              brood_report_format(), brood_histogram_quantile() and the ..._name() calls work in
 *              every process and at any time.
 *   Sizes      Each struct begins with `size`. The program sets the size of a struct that it passes
 *              in; the library sets the size of a struct that it fills. 0 in any other field of an
 *              options struct means the default. `reserved` fields are 0.
 *   Times      Milliseconds of CLOCK_MONOTONIC; microseconds where the name ends in _us.
 *              BROOD_FOREVER means no limit. A timeout_ms of 0 looks once and does not wait.
 *   Names      The library copies the first name with which a function is given. The function keeps
 *              this name. There is room for 4096 names; later functions are called "?". In C++, fn
 *              may be a lambda without captures, or a template with commas.
 *   Threads    Any thread may make any engine call at any time. brood_start() is the first call,
 *              brood_stop() the last. A call with a struct brood_job belongs to the thread that
 *              runs the job. A contract has a line "Threads" where other rules hold.
 *   Addresses  A bad address is -EFAULT or SIGSEGV.
 *   Signals    The library starts no thread and takes no signal in the engine. No call returns
 *              -EINTR, raises SIGPIPE, or is a cancellation point. brood_job_cancelled() alone is
 *              async-signal-safe.
 *   Channel    Verdicts and log lines arrive on the supervisor's channel. Each call that waits
 *              reads the channel for all threads; so do the dispatch calls and brood_take(). These
 *              calls may call the log callback. So may brood_open() and brood_give(), and, while
 *              the supervisor's socket is full, the brood_cancel(), brood_set_init_data(),
 *              brood_reload(), brood_keep() and brood_notify_...() calls and
 *              brood_queue_cancel(). Hold no lock in them that the log callback takes.
 *   Stopped    After brood_stop() these still work: brood_fetch(), brood_wait(), brood_id(),
 *              brood_tag(), brood_release(), brood_stats(), brood_pool_stats(), brood_workers(),
 *              brood_kept(), brood_histogram(), brood_metrics(), brood_report(), brood_rearm(), the
 *              calls that take results, or end a queue or a lease, and those of a buffer
 *              (brood_request_memory(), _out(), _free()) and of a reply (brood_reply_free()).
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
#define BROOD_PUBLIC       __attribute__((visibility("default")))
#else
#define BROOD_PRINTF(f, a)
#define BROOD_PUBLIC
#endif

/* The version of this header. brood_version() has the version of the library that runs. */
#define BROOD_VERSION_MAJOR 0
#define BROOD_VERSION_MINOR 3
#define BROOD_VERSION_PATCH 0

#define BROOD_FOREVER       UINT32_MAX /* as a time: no limit */
#define BROOD_NAME_MAX      64         /* bytes of a function's name with its NUL; more are cut */
#define BROOD_ARG_MAX       1024       /* bytes of a job's argument */
#define BROOD_TAG_MAX       64         /* bytes of a job's tag with its NUL. Since 0.3.0 */
#define BROOD_INIT_FDS_MAX  16         /* fds that brood_set_init_data() takes */
#define BROOD_JOB_FDS_MAX   32         /* extra fds of a job; fds of its reply. Since 0.2.0 */
#define BROOD_PROGRESS_MAX  256        /* bytes of a progress message. Since 0.2.0 */
#define BROOD_POOLS_MAX     64         /* pools of a brood. Since 0.3.0 */
#define BROOD_NOTIFY_MAX    1000       /* bytes of brood_notify()'s fields with their NUL. 0.3.0 */
#define BROOD_POOL_NAME_MAX 32         /* bytes of a pool's name with its NUL. Since 0.3.0 */
#define BROOD_REPORT_FRAMES 20         /* of a death report. Since 0.3.0 */
#define BROOD_REPORT_SYMBOL 96         /* bytes of a function's name there, with its NUL */
#define BROOD_REPORT_TEXT   128        /* bytes of other texts there. Since 0.3.0 */
#define BROOD_REPORTS       64         /* how many death reports are kept. Since 0.3.0 */
#define BROOD_REPORT_LINES  20         /* of what a worker wrote on stderr, there. Since 0.3.0 */
#define BROOD_REPORT_STDERR 4096       /* bytes of these lines, with their NUL. Since 0.3.0 */
#define BROOD_SIZE_UNKNOWN  SIZE_MAX   /* brood_job_request_size(): the job has a socket */

struct brood;         /* engine: the whole pool, as the engine sees it */
struct brood_handle;  /* engine: a job of brood_open() or brood_give() */
struct brood_queue;   /* engine: jobs are submitted to a queue; results come out. Since 0.2.0 */
struct brood_lease;   /* engine: a worker that is pinned for many jobs. Since 0.2.0 */
struct brood_pool;    /* engine: one pool of several, brood_pool(). Since 0.3.0 */
struct brood_request; /* engine: memory for requests that workers read in place. Since 0.3.0 */
struct brood_job;     /* worker: the job that runs */
struct iovec;         /* <sys/uio.h> */

/*
 * A job's function. It runs in a worker, on the stack of the thread, one job at a time.
 * Parameters: job: the library's, valid until the function returns.
 * Returns: 0: the outcome is "done". Any other value: "failed" with this value as `code`.
 * Since: 0.1.0.
 */
typedef int brood_fn(struct brood_job *job);

/*
 * The version of the library that runs, such as "0.3.0".
 * Returns: a static string. Since: 0.1.0.
 */
BROOD_PUBLIC const char *brood_version(void) BROOD_NOEXCEPT;

/*
 * A sentence for people: why the last failed call of this thread failed, and what to do.
 * Returns: a string, never NULL; valid until this thread's next call of the library. Since: 0.1.0.
 */
BROOD_PUBLIC const char *brood_error(void) BROOD_NOEXCEPT;

/* ---- Verdicts: what became of a job ---------------------------------------------------------- */

/* The transport of a job. Since: 0.2.0. */
enum brood_path {
	BROOD_PATH_AUTO,    /* in options: the faster one; in a verdict: no worker had the job */
	BROOD_PATH_HANDOFF, /* through the supervisor */
	BROOD_PATH_LEASE,   /* to a worker on lease */
};

/* How a job ended. A later library may have more. Since: 0.1.0. */
enum brood_outcome {
	BROOD_DONE = 1,  /* the function returned 0 */
	BROOD_FAILED,    /* the function returned `code`, not 0 */
	BROOD_CRASHED,   /* `signal` ended the worker, or the job left its frame (longjmp) */
	BROOD_EXITED,    /* the job called exit() or _exit() with `code` */
	BROOD_TIMED_OUT, /* run_ms was over: Brood killed the job, or SIGTERM what it exec'd */
	BROOD_CANCELLED, /* brood_cancel() or the pool's stop ended the job before its end */
	BROOD_REFUSED,   /* the job never ran; `detail` says why */
	BROOD_LOST,      /* nobody knows: the channel broke, or the time of a stop was over */
};
#define BROOD_OUTCOMES 9 /* one more than the largest */

/* Why a job ended so. A later library may have more. Since: 0.1.0. */
enum brood_detail {
	BROOD_DETAIL_NONE,
	/* refused */
	BROOD_DETAIL_QUEUE_FULL,  /* no room: wait for a verdict, then give the job again */
	BROOD_DETAIL_QUEUE_TIME,  /* no worker was idle within queue_ms */
	BROOD_DETAIL_DRAINING,    /* the pool stops */
	BROOD_DETAIL_DEGRADED,    /* workers die at birth; the supervisor tries again and again */
	BROOD_DETAIL_BAD_POINTER, /* fn is not in code that was mapped at brood_start() */
	BROOD_DETAIL_FD_LOST,     /* a limit on open files kept the job's fd from the worker */
	/* crashed */
	BROOD_DETAIL_OUTSIDE, /* SIGKILL, but not from Brood: an administrator, the OOM killer */
	BROOD_DETAIL_MEMORY,  /* worker_memory refused memory; with failed and exited, too */
	BROOD_DETAIL_LONGJMP, /* longjmp() out of the job */
	BROOD_DETAIL_THREAD_EXIT, /* pthread_exit() */
	BROOD_DETAIL_PROTOCOL,    /* the worker sent nonsense, or the job damaged shared state */
	BROOD_DETAIL_STUCK,       /* the function ended, but its worker said no more: killed */
	/* cancelled */
	BROOD_DETAIL_STOPPED, /* by the pool's stop, not by brood_cancel() */
	/* lost */
	BROOD_DETAIL_CHANNEL,   /* the channel to the supervisor ended or was damaged */
	BROOD_DETAIL_STOP_TIME, /* brood_stop() ran out of time */
	/* refused; since 0.2.0 */
	BROOD_DETAIL_LEASE_OVER, /* the pinned lease ended before the job began */
	BROOD_DETAIL_PLUGIN,     /* the plugin does not open, or has no such symbol: see the log */
	/* refused; since 0.3.0 */
	BROOD_DETAIL_POISONED, /* jobs with this key ended too many workers (poison_after) */
	/* crashed; since 0.3.0 */
	BROOD_DETAIL_OPERATOR, /* brood-ctl kill ended the worker */
	BROOD_DETAIL_OOM,      /* the kernel killed the worker for want of memory: needs a cgroup */
};
#define BROOD_DETAILS 21 /* one more than the largest */

/*
 * The residue of a finished job in its worker: a set in verdict.left and in options.tolerate.
 * Threads, fds, children, memory and group cost the worker: the supervisor replaces it. The worker
 * itself puts the rest right. Tolerated residue costs nothing; only the verdict of the job that
 * left it has the bit. While a tolerated child lives, no other child is noticed. Since: 0.1.0.
 */
enum brood_left {
	BROOD_LEFT_THREADS = 1 << 0,
	BROOD_LEFT_FDS = 1 << 1, /* open fds; stand-ins do not count (options.keep_fds) */
	BROOD_LEFT_CHILDREN = 1 << 2,
	BROOD_LEFT_MEMORY = 1 << 3, /* less than an eighth of worker_memory is free */
	BROOD_LEFT_MASK = 1 << 4,   /* blocked signals */
	BROOD_LEFT_TIMERS = 1 << 5, /* alarm(), setitimer(), timer_create() */
	BROOD_LEFT_CWD = 1 << 6,
	BROOD_LEFT_UMASK = 1 << 7,
	BROOD_LEFT_HANDLERS = 1 << 8, /* dispositions of signals below 32 */
	BROOD_LEFT_GROUP = 1 << 9,    /* another process group; since 0.3.0 */
};

/*
 * verdict.flags, a set: the library told the job to end before its function ended. The result of
 * such a job may be partial, although its outcome is done or failed. Since: 0.3.0.
 */
enum brood_verdict_flags {
	BROOD_TOLD_DEADLINE = 1 << 0, /* because run_ms was over */
	BROOD_TOLD_CANCEL = 1 << 1,   /* because of brood_cancel() */
	BROOD_TOLD_STOP = 1 << 2,     /* because the pool stops */
	BROOD_NOTICED = 1 << 3,       /* the job asked: brood_job_cancelled() or _time_left_ms() */
	/* not about the end: the job's options allow another attempt, retry_percent does not */
	BROOD_NOT_RETRIED = 1 << 4,
};

/* What became of a job; filled by the library. brood_verdict(3) tells more. Since: 0.1.0. */
struct brood_verdict {
	size_t size; /* set by the library */
	uint64_t id; /* the job's id; no id is used twice */
	enum brood_outcome outcome;
	enum brood_detail detail;
	int code;            /* failed: what fn returned; exited: the exit code; else 0 */
	int signal;          /* the signal that ended the worker, or 0 */
	int core;            /* not 0: a core was dumped */
	int started;         /* 0: no instruction of fn ran, and a retry is safe; else not 0 */
	pid_t pid;           /* the worker; 0: no worker had the job */
	uint32_t slot;       /* the worker's slot; spare slots have numbers from `workers` on */
	uint32_t generation; /* which process of the slot; the first is 1 */
	uint32_t attempts;   /* how many times a worker was given the job */
	uint32_t left;       /* enum brood_left: the job's residue */
	uint64_t queue_us;   /* from the call to the time at which the (last) worker had the job */
	uint64_t run_us;     /* from then to the end */
	/* CPU time. Of a dead worker's whole life; BROOD_ACCOUNT_CPU: of the job; else 0 */
	uint64_t cpu_us;
	/* Peak resident KiB. Of a dead worker's life; BROOD_ACCOUNT_MEMORY: of the job; else 0 */
	uint64_t peak_kb;
	/* brood_call(), brood_submit(): bytes that the job wrote, whether or not they arrived */
	uint64_t reply_size;
	char name[BROOD_NAME_MAX];      /* the function's name, as the caller's source has it */
	uint32_t path;                  /* enum brood_path: the (last) transport. Since 0.2.0 */
	uint32_t flags;                 /* enum brood_verdict_flags. Since 0.3.0 */
	char pool[BROOD_POOL_NAME_MAX]; /* the pool's name; "": the brood has one. Since 0.3.0 */
	uint64_t reserved[3];
};

/*
 * The name of an outcome, such as "timed out", and of a detail, such as "queue full".
 * Returns: a static string; "" for BROOD_DETAIL_NONE, "?" for an unknown number. Since: 0.1.0.
 */
BROOD_PUBLIC const char *brood_outcome_name(enum brood_outcome outcome) BROOD_NOEXCEPT;
BROOD_PUBLIC const char *brood_detail_name(enum brood_detail detail) BROOD_NOEXCEPT;

/*
 * Writes a verdict as one line without a newline: "job 17 upper: crashed, SIGSEGV, core dumped;
 * worker 3 (pid 4711, generation 2); queued 12 us, ran 1.2 ms".
 * Parameters: text: the caller's memory; size: its bytes, the NUL included.
 * Returns: the length of the whole line without the NUL, as snprintf() does. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_verdict_format(
	const struct brood_verdict *verdict, char *text, size_t size) BROOD_NOEXCEPT;

/*
 * Does the same, and names the job's tag behind the function: "job 17 upper [GET /index]: crashed,
 * ...". A verdict has no tag. The program has the tag that it gave; a result has it (result->tag),
 * and a handle (brood_tag()).
 * Parameters: tag: cut after BROOD_TAG_MAX - 1 bytes; a control character becomes "?". NULL or "":
 *   the line is that of brood_verdict_format().
 * Returns: as brood_verdict_format(). Since: 0.3.0.
 */
BROOD_PUBLIC int brood_verdict_format_tag(const struct brood_verdict *verdict, const char *tag,
	char *text, size_t size) BROOD_NOEXCEPT;

/* ---- Logs ------------------------------------------------------------------------------------ */

/* The level of a log line; the numbers are syslog's. Since: 0.1.0. */
enum brood_level {
	BROOD_ERR = 3,
	BROOD_WARNING = 4,
	BROOD_NOTICE = 5,
	BROOD_INFO = 6,
	BROOD_DEBUG = 7
};

/* What a log line is about. A later library may have more. Since: 0.1.0. */
enum brood_event {
	BROOD_EVENT_JOB_LOG = 1, /* a job called brood_job_log() */
	BROOD_EVENT_WORKER_DIED,
	BROOD_EVENT_WORKER_LEFT, /* a worker retired: for residue, or it could not go on */
	BROOD_EVENT_SPAWN_FAILED,
	BROOD_EVENT_DEGRADED,
	BROOD_EVENT_RECOVERED,
	BROOD_EVENT_GUARD_DIED,
	BROOD_EVENT_ENGINE_DIED,  /* not in order, or its channel ended. Always to stderr */
	BROOD_EVENT_STOP_FORCED,  /* a process did not end in time and was killed */
	BROOD_EVENT_STRAY_KILLED, /* a process that a job had started was killed */
	BROOD_EVENT_PROTOCOL,     /* a worker sent nonsense */
	BROOD_EVENT_RESOURCE,     /* the supervisor met a limit (fds, memory) and waits */
	BROOD_EVENT_REPEATED,     /* equal lines became one; the text has their count */
	BROOD_EVENT_SIGNAL,       /* the supervisor passed a signal on */
	/* since 0.3.0 */
	BROOD_EVENT_ENGINE_STOPPED, /* by a signal; no watchdog. Always to stderr */
	BROOD_EVENT_UNDEAD,         /* a worker was killed and does not end */
	BROOD_EVENT_JOBS_DROPPED,   /* how many jobs a stop, or the engine's end, refused or lost */
	BROOD_EVENT_RESIZED,        /* brood_pool_resize() */
	BROOD_EVENT_RELOAD_STARTED, /* brood_reload(): workers are to be replaced */
	BROOD_EVENT_RELOAD_DONE,
	BROOD_EVENT_RELOAD_FAILED, /* new workers do not get ready; the former ones go on */
	BROOD_EVENT_RELOAD_HELD,   /* a worker with a long job or a pinned lease holds one up */
	BROOD_EVENT_KEY_POISONED,  /* a key is on the poison list (poison_after) */
	BROOD_EVENT_SPAWNER_DIED,  /* no job and no worker is lost: a new spawner takes over */
	BROOD_EVENT_REPORT,        /* where the code of a worker that died was: brood_report() */
	BROOD_EVENT_SLOW_JOB,      /* a job has run for slow_ms: brood_report() */
	BROOD_EVENT_CONTROL,       /* somebody changed the brood from outside: brood-ctl(1) */
	BROOD_EVENT_ENGINE_STUCK,  /* it does not answer (engine_answer_ms). Always to stderr */
	BROOD_EVENT_LOGS_DROPPED,  /* lines before this one had no room */
	BROOD_EVENT_WORKER_OOM,    /* a worker died for want of memory; no WORKER_DIED beside it */
	BROOD_EVENT_PRESSURE,      /* memory is short, or is so no longer: elastic pools yield */
};

/* One log line, for the log callback. Since: 0.1.0. */
struct brood_log {
	size_t size; /* set by the library */
	enum brood_level level;
	enum brood_event event;
	pid_t pid;        /* the process that the line is about; 0: the supervisor */
	uint32_t slot;    /* the worker's slot; UINT32_MAX: no worker */
	uint64_t job;     /* the job's id; 0: no job */
	const char *text; /* one line without a newline; valid during the callback */
	/* its name; NULL: the line is about no pool, or the brood has one pool. Since 0.3.0 */
	const char *pool;
	/* The job's, where the line is about one; else NULL. Since 0.3.0 */
	const char *function, *tag;
};

/*
 * The name of an event, such as "worker-died".
 * Returns: a static string; "?" for an unknown number. Since: 0.1.0.
 */
BROOD_PUBLIC const char *brood_event_name(enum brood_event event) BROOD_NOEXCEPT;

/* ---- Start ----------------------------------------------------------------------------------- */

/*
 * The exit code of the process when the start has failed, with BROOD_START_OR_FAIL, and the engine
 * gave no code of its own but 0: EX_UNAVAILABLE of sysexits.h. Since: 0.3.0.
 */
#define BROOD_EXIT_START 69

/* options.flags of brood_start(), a set. Since: 0.1.0. */
enum brood_flags {
	BROOD_INLINE = 1 << 0,         /* no processes: jobs run in the caller (for debuggers) */
	BROOD_DEBUGGING = 1 << 1,      /* no deadline kills while the worker or engine is traced */
	BROOD_NO_CORE = 1 << 2,        /* workers never dump core */
	BROOD_ACCOUNT_CPU = 1 << 3,    /* CPU time of each job: 1.5 us a job. Since 0.2.0 */
	BROOD_ACCOUNT_MEMORY = 1 << 4, /* peak memory of each job: 30 us a job. Since 0.2.0 */
	/* Since 0.3.0. After a pinned lease the worker goes on; else it ends, and its memory */
	BROOD_LEASE_REUSE = 1 << 5,
	/* Since 0.3.0. A worker that retires ends before its replacement begins, not after */
	BROOD_OLD_FIRST = 1 << 6,
	/* Since 0.3.0. A cgroup for each worker: see brood_pool_options.memory_max */
	BROOD_WORKER_CGROUPS = 1 << 7,
	/* Since 0.3.0. A cgroup that was delegated to the program (Delegate=) is left as it is */
	BROOD_NO_CGROUPS = 1 << 8,
	/*
	 * Since 0.3.0. The start fails as soon as a pool is degraded that was never ready: the
	 * engine gets SIGTERM, and the process ends with BROOD_EXIT_START or the engine's own code
	 */
	BROOD_START_OR_FAIL = 1 << 9,
	/*
	 * Since 0.3.0, for all pools. A thread that waits for a job, and a worker that waits for
	 * the next one, sleep at once. Without this flag they look for news for 100 microseconds at
	 * most, if they run on different CPUs: brood_start(3), Spinning
	 */
	BROOD_NO_SPIN = 1 << 10,
};

/*
 * How workers are made. With CLONE3 and CLONE, and by AUTO from 256 workers on (of all pools), the
 * spawner makes them, a small process. Otherwise, and where the kernel does not allow that, the
 * supervisor makes them itself. Since: 0.1.0.
 */
enum brood_spawn {
	BROOD_SPAWN_AUTO,   /* the first of these that the kernel allows */
	BROOD_SPAWN_CLONE3, /* without pthread_atfork() handlers: use worker_init */
	BROOD_SPAWN_CLONE,  /* without pthread_atfork() handlers, too */
	BROOD_SPAWN_FORK,   /* with pthread_atfork() handlers; slow with thousands of workers */
};

/* What a struct brood_rights sets, beside limits and cpus: a set. Since: 0.3.0. */
enum brood_rights_set {
	BROOD_RIGHTS_UID = 1 << 0,
	BROOD_RIGHTS_GID = 1 << 1,
	BROOD_RIGHTS_GROUPS = 1 << 2, /* also with groups_count 0: none */
	BROOD_RIGHTS_NICE = 1 << 3,
	BROOD_RIGHTS_SCHEDULER = 1 << 4, /* policy and priority */
	BROOD_RIGHTS_OOM = 1 << 5,
	BROOD_RIGHTS_UMASK = 1 << 6,
	BROOD_RIGHTS_NO_NEW_PRIVS = 1 << 7 /* PR_SET_NO_NEW_PRIVS */
};

/*
 * A resource limit, by its RLIMIT_ number. -EINVAL: DATA, STACK and CORE, which pool options set,
 * and LOCKS, which the library uses. Since: 0.3.0.
 */
struct brood_limit {
	int resource;
	uint32_t reserved;
	uint64_t soft, hard; /* RLIM_INFINITY: none */
};

/*
 * Who the workers of a pool are and what they may use. Workers take the rights on at birth, before
 * any hook. brood_start() tries them once in a child, and fails where a worker would fail.
 * brood_rights(3) tells more. Since: 0.3.0.
 */
struct brood_rights {
	size_t size;
	/* enum brood_rights_set: which of the next ones are meant; the others must be 0 */
	uint32_t set;
	uint32_t uid, gid;        /* real, effective and saved */
	int32_t nice;             /* -20 to 19 */
	int32_t policy, priority; /* SCHED_OTHER, ...; see sched(7) */
	int32_t oom_score_adj;    /* -1000 to 1000 */
	uint32_t umask;
	const uint32_t *groups;
	size_t groups_count;
	const struct brood_limit *limits;
	size_t limits_count; /* at most 32 */
	const int *cpus;     /* that workers may run on */
	size_t cpus_count;   /* 0: those of the program */
	uint64_t reserved[8];
};

/* brood_pool_options.scaling: how a pool comes to its number of workers. Since: 0.3.0. */
enum brood_scaling {
	BROOD_FIXED,    /* `workers` of them, at all times */
	BROOD_ELASTIC,  /* workers_min to `workers`; `spare` of them idle, if possible */
	BROOD_ON_DEMAND /* none, until a job comes; to `workers` at most */
};

/*
 * The options of one pool, for brood_options.pools. brood_start() copies them. 0 means the value
 * of the same field of struct brood_options. brood_pool_options(3) tells more. Since: 0.3.0.
 */
struct brood_pool_options {
	size_t size;
	/*
	 * At most 31 letters, digits, '.', '_' and '-'; each pool of the brood has another name. If
	 * it is the first pool's name (brood_options.pool_name), the options are for that pool.
	 */
	const char *name;
	/*
	 * NO_CORE, ACCOUNT_CPU, ACCOUNT_MEMORY, LEASE_REUSE, OLD_FIRST and WORKER_CGROUPS, beside
	 * brood_options.flags
	 */
	uint32_t flags;
	uint32_t workers; /* 1 to 10000 in all pools together */
	uint32_t backlog;

	uint32_t queue_ms, run_ms, grace_ms;
	uint32_t init_ms, core_ms, cores_per_minute;
	uint32_t backoff_min_ms, backoff_max_ms, start_limit, healthy_ms;

	uint32_t dispatch; /* enum brood_path */
	/* workers on lease at a time; 0: brood_options.leases; both 0: all workers of this pool */
	uint32_t leases;
	uint32_t lease_idle_ms;
	uint32_t tolerate; /* enum brood_left; 0: brood_options.tolerate */
	uint64_t worker_memory;
	size_t stack_size;

	/*
	 * The pool's own hooks, as they are: NULL means none. (The first pool's: NULL means that of
	 * struct brood_options.)
	 */
	int (*worker_init)(void *hook_context);
	void (*worker_exit)(void *hook_context);
	void *hook_context;

	/* The size at run time. */
	uint32_t scaling;     /* enum brood_scaling */
	uint32_t workers_min; /* ELASTIC: the least; 0: 1 */
	uint32_t spare;       /* ELASTIC: idle workers to keep; 0: 1 */
	uint32_t idle_ms;     /* a worker idle for so long ends, unless it is spare; 0: 10000 */

	const struct brood_rights *rights; /* NULL: those of the program; BROOD_INLINE: ignored */

	/*
	 * When a worker retires: it ends between two jobs, and another one takes its place. 0:
	 * never. Up to a tenth is taken off jobs and age, at random.
	 */
	uint32_t retire_jobs;   /* after so many jobs; 1 is exact: each job has a new worker */
	uint32_t retire_age_ms; /* so long after it was ready */
	uint64_t retire_memory; /* when it has gained so many bytes since it was ready */
	uint32_t surge;         /* so many retire at a time; 0: a twentieth of all, at least 1 */
	uint32_t reserved32;
	uint64_t reserved[8];

	/*
	 * The poison list: jobs whose key (brood_job_options.key) has crashed or hung so many
	 * workers within poison_within_ms are refused (BROOD_DETAIL_POISONED, -EKEYREJECTED), until
	 * the key is forgotten.
	 */
	uint32_t poison_after;     /* at most 16; 0: there is no list */
	uint32_t poison_within_ms; /* 0: 60000 */
	uint32_t poison_forget_ms; /* 0: 600000 */
	/*
	 * The cap on retries: so many for a hundred jobs, and 10 a second beside. Jobs of queues
	 * that ask for retries and calls by handoff count together; brood_open() and brood_give()
	 * by handoff have a cap of their own. A job beyond the cap has the verdict of its last
	 * attempt (BROOD_NOT_RETRIED). Retries after a kill from outside do not count. At most
	 * 10000; 0: 20
	 */
	uint32_t retry_percent;
	/*
	 * The soft line: a job that has run for so long, and goes on, has a report (brood_report())
	 * and a line in the log. The look at it may interrupt a system call (EINTR). 0: no line
	 */
	uint32_t slow_ms;

	/*
	 * Limits of the pool's cgroup; with BROOD_WORKER_CGROUPS, of each worker's own. They need
	 * a delegated cgroup (Delegate=memory pids): without one, the log says so (NOTICE). A
	 * worker that the kernel kills for want of memory ends its job with BROOD_DETAIL_OOM.
	 */
	uint32_t tasks_max;  /* processes and threads, those of jobs included; 0: no limit */
	uint64_t memory_max; /* bytes, at least 4096; 0: no limit */
	/*
	 * So many of the last lines that a worker wrote on stderr are in its death report
	 * (brood_report()); at most BROOD_REPORT_LINES; 0: none. Then stderr of the workers, and of
	 * what they start, is a pipe to the supervisor, which passes it on to its own stderr, as
	 * far as that takes it. A worker that writes faster than that is read waits, as with any
	 * pipe. BROOD_INLINE: no effect
	 */
	uint32_t stderr_lines;
};

/*
 * The options of brood_start(), which copies them, strings and arrays included. Default values
 * stand after "0:". brood_start(3) tells more. Since: 0.1.0.
 */
struct brood_options {
	size_t size;
	uint32_t flags;   /* enum brood_flags */
	uint32_t workers; /* slots, 1 to 10000; 0: one for each CPU of this process */
	uint32_t backlog; /* jobs that may wait at the supervisor, at most 65536; 0: 1024 */
	uint32_t spawn;   /* enum brood_spawn */

	/* The limits of a job whose own options set none. */
	uint32_t queue_ms; /* the wait for a worker; 0: 10000, submitted jobs: no limit */
	uint32_t run_ms;   /* the run time, until the soft step; 0: 60000 */
	uint32_t grace_ms; /* from the soft step to SIGKILL; 0: 50 */

	/* The limits of the pool. */
	uint32_t init_ms;          /* a worker's birth, with worker_init; 0: 10000 */
	uint32_t drain_ms;         /* a stop: jobs that wait or run may finish; 0: 5000 */
	uint32_t stop_ms;          /* a stop, then: workers end, with worker_exit; 0: 1000 */
	uint32_t engine_stop_ms;   /* from the engine's SIGTERM to its SIGKILL; 0: 60000 */
	uint32_t core_ms;          /* a core dump, before SIGKILL ends it; 0: 5000 */
	uint32_t cores_per_minute; /* core dumps; 0: 6 */

	/*
	 * Pauses between births. A worker dies young: before it is ready, or by itself within
	 * healthy_ms before its first job. The pauses must not be BROOD_FOREVER.
	 */
	uint32_t backoff_min_ms; /* after three young deaths in a row; doubles then; 0: 100 */
	uint32_t backoff_max_ms; /* the longest pause; 0: 30000 */
	uint32_t start_limit;    /* young deaths in a row that degrade an empty pool; 0: 10 */
	uint32_t healthy_ms;     /* a worker that is ready this long ends the row; 0: 1000 */

	/* Bytes that a worker may allocate after it is ready (RLIMIT_DATA); 0: no limit */
	uint64_t worker_memory;
	size_t stack_size; /* bytes of stack for a job, 64 KiB to 1 TiB; 0: 8 MiB */
	uint32_t tolerate; /* enum brood_left: residue that costs no worker */

	/*
	 * Fds that stay open in workers and in the supervisor, beside 0, 1 and 2. In workers a
	 * stand-in takes the number of each other fd: it refuses reading and writing (EBADF; for
	 * sockets ENOTCONN).
	 */
	const int *keep_fds;
	size_t keep_fds_count; /* at most 64 */
	/*
	 * Signals that the supervisor passes on, beside HUP, USR1, USR2, WINCH and QUIT. TSTP,
	 * TTIN, TTOU and CONT are never passed on: they stop and continue the supervisor
	 */
	const int *pass_signals;
	size_t pass_signals_count; /* at most 64 */
	/* Signals whose dispositions workers inherit, such as a sanitizer's; others are default */
	const int *keep_signals;
	size_t keep_signals_count; /* at most 64 */

	/*
	 * Hooks; they run in the worker: before its first job, and before an orderly end. A worker
	 * whose worker_init does not return 0 ends, and has died young.
	 */
	int (*worker_init)(void *hook_context);
	void (*worker_exit)(void *hook_context);
	void *hook_context; /* as it was at brood_start() */

	/*
	 * The log callback. It runs in the engine, in the thread that reads the channel, for one
	 * line at a time; the library holds no lock. NULL: the supervisor writes lines to stderr,
	 * or, if stderr leads there, to systemd's journal (JOURNAL_STREAM is read for that).
	 */
	void (*log)(void *log_context, const struct brood_log *log);
	void *log_context;

	/* ps shows "TITLE: worker 3 upper". At most 128 bytes; NULL: the program's name */
	const char *title;

	/* Since 0.2.0 */
	uint32_t dispatch;      /* enum brood_path of jobs whose options say AUTO */
	uint32_t leases;        /* workers on lease at a time, without pinned ones; 0: all */
	uint32_t lease_idle_ms; /* a lease that had no job for so long ends; 0: 1000 */
	uint32_t reserved32;
	uint64_t reserved[6];

	/*
	 * Since 0.3.0. The fields above that describe a pool are those of the first pool, and the
	 * defaults of all others. Each entry of `pools` is a further pool.
	 */
	const char *pool_name; /* the first pool's; NULL: "main" */
	const struct brood_pool_options *const *pools;
	size_t pools_count; /* at most BROOD_POOLS_MAX pools in all, the first included */

	uint64_t memory_max; /* since 0.3.0; both as in struct brood_pool_options */
	uint32_t tasks_max;
	/*
	 * A socket for commands from outside: brood-ctl reload, resize, retire, kill, cancel,
	 * drain. For the supervisor's user and root alone. An absolute path; or a file name in the
	 * folder that RUNTIME_DIRECTORY has in the environment (systemd: RuntimeDirectory=). NULL:
	 * no socket. BROOD_INLINE: no effect
	 */
	const char *control_path;
	/*
	 * For the service manager's watchdog: an engine that is not asleep, or for which work
	 * waits, has to call the library at least so often, if only brood_alive(). 100 or more; 0,
	 * BROOD_FOREVER: the engine is not asked
	 */
	uint32_t engine_answer_ms;
	/*
	 * Memory pressure: the stall in ms, of each 2 s, from which on elastic pools end idle
	 * workers and do not grow; at most 2000. 0: when the service manager says so, if it does
	 * (MEMORY_PRESSURE_WATCH); BROOD_FOREVER: never
	 */
	uint32_t pressure_ms;
	/*
	 * How long the service goes on after SIGTERM, before the engine gets the signal, while load
	 * balancers look away: it is not ready then. A second SIGTERM, a second later, ends the
	 * wait. At most an hour; 0: the engine gets the signal at once
	 */
	uint32_t stop_delay_ms;
	uint32_t stderr_lines; /* since 0.3.0; as in struct brood_pool_options */
};

/*
 * Starts the supervisor, the engine, the guard, the spawner and the workers. The calling process
 * becomes the supervisor; there the call never returns. When the engine ends, the supervisor stops
 * the pool and ends with the engine's exit code or signal. The call does not wait for workers:
 * early jobs queue.
 * With BROOD_INLINE the call makes no process and returns in the caller.
 * Parameters: options: the caller's; NULL: all defaults. ret_brood: the library's; nobody frees it.
 * Returns: 0 in the engine.
 * Errors: in the caller, before the first fork; the caller goes on.
 *   -EBUSY      the program has other threads (brood_error() has their names): start before them
 *   -EMFILE     the hard RLIMIT_NOFILE is too low (brood_error() has the need and the cure)
 *   -E2BIG      the program has fcntl() locks on more than 512 open files: take them later
 *   -EALREADY   brood_start() was called before
 *   -EINVAL     also: unshare(CLONE_NEWPID) was called before: fork() first
 *   -EFBIG      RLIMIT_FSIZE is too low for shared memory: raise it
 *   -ENOENT, -ENODEV, ...  there is no usable /dev/null
 *   -ECANCELED  BROOD_INLINE: worker_init did not return 0
 *   -EADDRINUSE another process listens at control_path: give each brood its own
 *   -EEXIST     a file that is no socket has the name of control_path: remove the file
 *   -ENAMETOOLONG  control_path makes a path of more than 107 bytes
 *   -EACCES, -EROFS, -ENOENT, -ENOTDIR, ...  no socket can be made at control_path
 *   -EAGAIN     a limit on processes leaves a pool without a worker (TasksMax=, RLIMIT_NPROC;
 *               brood_error() has the need and the cure); or the kernel has no process now
 *   -EPERM, -ENOMEM, -ENFILE
 * Threads: from main(), while the program has one thread. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_start(
	const struct brood_options *options, struct brood **ret_brood) BROOD_NOEXCEPT;

/*
 * A pool by its name, for the options of jobs, queues and leases that name one.
 * Parameters: name: of brood_options.pool_name or brood_pool_options.name; NULL: the first pool.
 *   In the options of a job, a queue or a lease a pool of NULL means the default pool. So check the
 *   pointer: else a misspelled name chooses that pool silently.
 * Returns: the pool; the library's, for life. NULL: an error, in errno.
 * Errors: in errno: EINVAL, EPERM; ENOENT: there is no pool of that name. Since: 0.3.0.
 */
BROOD_PUBLIC struct brood_pool *brood_pool(struct brood *brood, const char *name) BROOD_NOEXCEPT;

/*
 * Waits until each pool has had the workers that it begins with, all of them ready. A fixed pool
 * begins with `workers`, an elastic one with the larger of workers_min and spare, one on demand
 * with none. From then on the call returns 0 at once.
 * Returns: 0.
 * Errors: -ESHUTDOWN, -ENOTCONN, and
 *   -ETIMEDOUT  some slot had no ready worker in time
 *   -EHOSTDOWN  a pool is degraded, workers die at birth: read the log; call again later
 * Since: 0.1.0.
 */
BROOD_PUBLIC int brood_wait_ready(struct brood *brood, uint32_t timeout_ms) BROOD_NOEXCEPT;

/*
 * Ends the pool. Jobs have drain_ms to finish. Then the supervisor cancels those that run (detail
 * STOPPED) and refuses those that wait (DRAINING). Workers have stop_ms to end; then SIGKILL. The
 * engine goes on without a pool. exit() does the same; it needs no brood_stop() before.
 * Returns: 0: every worker has ended, and every job has its verdict. Handles, queues and leases
 *   stay valid, and the program still releases them. The call runs no on_done callback: dispatch or
 *   take afterwards.
 * Errors: -ESHUTDOWN, -ENOTCONN, and
 *   -ETIMEDOUT  the stop took some seconds longer than its limits (jobs that were out are lost), or
 *               a killed process does not end (all jobs have their verdicts)
 * Threads: no other thread is in a call of the library. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_stop(struct brood *brood) BROOD_NOEXCEPT;

/*
 * The role of this process.
 * Returns: NONE: brood_start() has not succeeded. FORKED: a child that the engine or a job forked.
 * Since: 0.1.0.
 */
enum brood_role { BROOD_ROLE_NONE, BROOD_ROLE_ENGINE, BROOD_ROLE_WORKER, BROOD_ROLE_FORKED };
BROOD_PUBLIC enum brood_role brood_role(void) BROOD_NOEXCEPT;

/*
 * Sets PR_SET_PDEATHSIG again. Call it in the engine, or in worker_init, after a change of
 * credentials: the kernel has cleared the mark then.
 * Returns: 0.
 * Errors: -ESRCH: the supervisor is gone: end this process. -EPERM: no engine and no worker.
 * Since: 0.1.0.
 */
BROOD_PUBLIC int brood_rearm(void) BROOD_NOEXCEPT;

/* ---- Giving jobs (engine) -------------------------------------------------------------------- */

/* options.flags of a job, a set. Since: 0.1.0. */
enum brood_job_flags {
	BROOD_JOB_ONCE = 1 << 0,  /* give the job to one worker only, even if it dies before fn */
	BROOD_JOB_ABORT = 1 << 1, /* out of time: SIGABRT, for a core, before SIGKILL */
	/* Since 0.2.0. fn leaves no residue: on a lease the worker looks late, once it is idle */
	BROOD_JOB_TRUSTED = 1 << 2,
	/* Since 0.2.0. brood_submit(): another job follows at once; wake no worker for this one */
	BROOD_JOB_MORE = 1 << 3,
};

/*
 * options.priority of a job. While normal jobs wait in the same queue, one start in eight is a
 * background job's; else it begins like any. A job that runs is not interrupted. Since: 0.3.0.
 */
enum brood_priority {
	BROOD_NORMAL,
	BROOD_BACKGROUND,
};

/*
 * options.retry_on of a job, a set: the ends after which an idempotent job runs again. A worker
 * that cannot be killed is no such end, for the first attempt may still run. Since: 0.3.0.
 */
enum brood_retry {
	BROOD_RETRY_OUTSIDE = 1 << 0, /* crashed: OUTSIDE, OPERATOR, OOM: not the job's doing */
	BROOD_RETRY_CRASH = 1 << 1,   /* crashed by a signal; not OUTSIDE, STUCK or MEMORY */
	BROOD_RETRY_TIMEOUT = 1 << 2, /* timed out */
	BROOD_RETRY_MEMORY =
		1 << 3, /* detail MEMORY or OOM; failed: not of brood_open(), brood_give() */
};

struct brood_result;

/* The reply of a brood_call() with options.ret_reply, for brood_reply_free(). Since: 0.3.0. */
struct brood_reply {
	size_t size;      /* set by the library */
	const void *data; /* the library's, until brood_reply_free() */
	size_t data_size;
};

/*
 * The callback of a submitted job that has its verdict. It is called once.
 * Parameters: context: of the job's options. result: the library's, valid until the callback
 *   returns.
 * Threads: the thread that dispatches the queue; the library holds no lock. The callback may
 *   submit, cancel and take. It must not free the queue. Since: 0.2.0.
 */
typedef void brood_done_fn(void *context, const struct brood_result *result);

/*
 * The callback of a brood_job_progress(). It is never called after the job's verdict.
 * Parameters: context: of the job's options. id: the job's. data: the library's, valid until the
 *   callback returns; size: its bytes.
 * Threads: as brood_done_fn; for brood_call() the calling thread. The callback must not wait for
 *   its own job (brood_wait_id()), whose result cannot come before it returns. Since: 0.2.0.
 */
typedef void brood_progress_fn(void *context, uint64_t id, const void *data, size_t size);

/*
 * The options of one job. The call copies arg, plugin, symbol and tag, and duplicates fds.
 * brood_job_options(3) tells more. Since: 0.1.0.
 */
struct brood_job_options {
	size_t size;
	uint32_t flags;    /* enum brood_job_flags */
	uint32_t queue_ms; /* the wait for a worker; 0: the pool's */
	uint32_t run_ms;   /* the run time, until the soft step; 0: the pool's */
	uint32_t grace_ms; /* from the soft step to SIGKILL; 0: the pool's */
	uint32_t retries;  /* idempotent job: how often it may run again, see retry_on */
	const void *arg;   /* for brood_job_arg() */
	size_t arg_size;   /* bytes, at most BROOD_ARG_MAX */
	uint64_t *ret_id;  /* the job's id, stored before the job is given; or NULL */

	/* Since 0.2.0 */
	uint32_t dispatch;         /* enum brood_path; AUTO: the pool's; no effect with `lease` */
	uint32_t fds_count;        /* at most BROOD_JOB_FDS_MAX */
	const int *fds;            /* for brood_job_extra_fd() */
	struct brood_lease *lease; /* give the job to this pinned worker; NULL: to any worker */
	struct brood_queue *queue; /* brood_submit(): where the result comes out; NULL: own queue */
	brood_done_fn *on_done;    /* brood_submit(); NULL: the result waits for brood_take() */
	brood_progress_fn *on_progress; /* brood_submit(), brood_call(); NULL: no progress */
	void *context;                  /* for both callbacks, and in the result */
	/*
	 * With fn NULL: the worker opens the shared object `plugin` (an absolute path), and runs
	 * its function `symbol`. The argument and these two strings (with their NULs) may have
	 * BROOD_ARG_MAX bytes together.
	 */
	const char *plugin, *symbol;
	int *ret_fds;          /* brood_call(): the reply's fds, the caller's; NULL: all closed */
	size_t ret_fds_room;   /* further fds are closed */
	size_t *ret_fds_count; /* how many fds there are; or NULL */
	uint64_t reserved[4];

	/* Since 0.3.0 */
	struct brood_pool
		*pool; /* of brood_pool(); NULL: the lease's, the queue's, else the first */
	/*
	 * What the job is for: a URI, a user, a trace id. The log lines of the job and of its
	 * worker's death name it, and ps does. At most BROOD_TAG_MAX - 1 bytes; NULL or "": none
	 */
	const char *tag;
	uint32_t retry_on;       /* enum brood_retry; 0: BROOD_RETRY_OUTSIDE */
	uint32_t retry_pause_ms; /* before each retry; other jobs go first; 0: none */
	uint32_t priority;       /* enum brood_priority; no effect with `lease` */
	uint32_t reserved32;
	/*
	 * A hint: prefer the worker that had this key last, if it is free now or very soon.
	 * brood_job_options(3) says when. No effect with `lease`. The poison list counts crashes by
	 * this key, on each transport and on pinned leases. 0: no key
	 */
	uint64_t key;
	/*
	 * brood_call(), brood_submit(), brood_submit_many(), brood_map(): the request lies in the
	 * memory of this buffer, and a worker on lease reads it there: brood_request_new().
	 * -EINVAL: the request does not lie in the buffer, or is in several pieces, or the job is
	 * one of brood_open() or brood_give(). NULL: the request is copied
	 */
	struct brood_request *request;
	/*
	 * brood_call() alone: the reply in memory of its own, which is not copied if it is large;
	 * `reply` and reply_size of the call are NULL and 0 then, else -EINVAL. The caller sets
	 * *ret_reply to NULL before the call, for some errors leave it as it is, and frees it
	 * afterwards: brood_reply_free(). NULL: the reply is copied
	 */
	struct brood_reply **ret_reply;
};

/*
 * Runs fn in a worker, on one end of a new stream socket, and returns the other end. Both sides
 * talk as they like. At the end of the job the socket is shut down: the engine reads EOF. The call
 * does not wait for a worker. Exceptions: up to queue_ms where a lease is forced and there is none;
 * up to a second for a full socket to the supervisor, in a program that never called brood_fd().
 * Parameters: options: the caller's; NULL: all defaults. ret_fd: the caller's to close, blocking,
 *   close-on-exec. ret_handle: the caller's, for brood_release(); NULL: nobody wants the verdict.
 * Returns: 0: the job gets exactly one verdict.
 * Errors: there is no job and no verdict. -EINVAL, -EMFILE, -ENFILE, -ENOMEM, -ESHUTDOWN,
 *   -ENOTCONN, and
 *   -EFAULT  fn is not in code that was mapped at brood_start(): use a plugin
 *   -EAGAIN  as many jobs are out as the pool has room for (workers + backlog), or the supervisor
 *            has no room for the descriptors of one more (RLIMIT_NOFILE): wait for a verdict
 *   -ESTALE  options.lease is over: pin another worker
 *   -EBADF   one of options.fds is not open
 *   -EKEYREJECTED  options.key is on the poison list of the pool (poison_after)
 * Worker death: before fn: another worker gets the job. Later: the verdict says how the worker
 *   ended, and the engine reads EOF. A retry meets the stream as the first attempt left it.
 * Since: 0.1.0.
 */
#define brood_open(brood, fn, options, ret_fd, ret_handle) \
	brood_open_named(brood, fn, #fn, options, ret_fd, ret_handle)
BROOD_PUBLIC int brood_open_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct brood_job_options *options, int *ret_fd,
	struct brood_handle **ret_handle) BROOD_NOEXCEPT;

/*
 * Does the same as brood_open(), with a connected stream socket of the program, such as an accepted
 * client.
 * Parameters: fd: on success the library owns fd and has closed it in this process; on error fd is
 *   the caller's. Others: as brood_open(). The library closes the socket at the end of the job,
 *   unless the job took it (brood_job_take_fd()).
 * Returns: 0: the job gets exactly one verdict.
 * Errors: those of brood_open(), and
 *   -ENOTSOCK    fd is no socket
 *   -EPROTOTYPE  fd is a socket that listens, or no stream
 *   -EBADF       also: fd is not open
 * Worker death: as brood_open(). Since: 0.1.0.
 */
#define brood_give(brood, fn, fd, options, ret_handle) \
	brood_give_named(brood, fn, #fn, fd, options, ret_handle)
BROOD_PUBLIC int brood_give_named(struct brood *brood, brood_fn *fn, const char *name, int fd,
	const struct brood_job_options *options, struct brood_handle **ret_handle) BROOD_NOEXCEPT;

/*
 * Sends a request, waits for the verdict, and returns the reply. The wait has a bound: queue_ms,
 * run_ms and grace_ms, once for each attempt, and a little more. brood_callv() takes the request in
 * pieces, at most 1024; the job sees one request.
 * Parameters: request, reply: the caller's; any size, 0 included. options: the caller's; NULL: all
 *   defaults. ret_verdict: the caller's, or NULL; set in all cases but -EINVAL, -EPERM, -ESHUTDOWN.
 * Returns: the reply's size, when the outcome is done or failed. verdict.code alone has what fn
 *   returned.
 * Errors: those of brood_open(), and
 *   -EMSGSIZE   the reply has its first reply_size bytes; verdict.reply_size has the whole size
 *   -EREMOTEIO  crashed or exited
 *   -ETIMEDOUT  timed out
 *   -ECANCELED  cancelled
 *   -EAGAIN     refused: the verdict says why
 *   -EFAULT     refused: fn is not in code that was mapped at brood_start()
 *   -ESTALE     refused: options.lease is over
 *   -ENOTCONN   lost
 * Worker death: before fn: another worker gets the job. Later: -EREMOTEIO, or the next attempt
 *   (retries). After -EREMOTEIO, -ETIMEDOUT and -ECANCELED the reply has what the job had written
 *   (verdict.reply_size).
 * Since: 0.1.0; brood_callv(): 0.2.0.
 */
#define brood_call(brood, fn, request, request_size, reply, reply_size, options, ret_verdict) \
	brood_call_named(                                                                     \
		brood, fn, #fn, request, request_size, reply, reply_size, options, ret_verdict)
BROOD_PUBLIC ssize_t brood_call_named(struct brood *brood, brood_fn *fn, const char *name,
	const void *request, size_t request_size, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

#define brood_callv(brood, fn, request, request_count, reply, reply_size, options, ret_verdict) \
	brood_callv_named(                                                                      \
		brood, fn, #fn, request, request_count, reply, reply_size, options, ret_verdict)
BROOD_PUBLIC ssize_t brood_callv_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *request, size_t request_count, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

/*
 * Makes a buffer for requests that are not copied. The program fills the memory in place, and gives
 * any part of it as the request of a job whose options name the buffer. A worker on lease maps the
 * memory, and keeps the mapping for later jobs: so a job costs the same whatever its request's size
 * is. The worker cannot write there (F_SEAL_FUTURE_WRITE). A handed-off job gets a copy.
 * Write to a part of the memory only while no job and no call has this part: a job reads what
 * stands there while it runs.
 * Parameters: size: bytes. All of the memory is taken at once. ret_request: the caller's, for
 *   brood_request_free(). The buffer has one fd in the engine.
 * Returns: 0. The memory is zero. A child that the program forks does not have it.
 * Errors: -EINVAL, -EMFILE, -ENFILE, -ENOMEM, -ESHUTDOWN, and
 *   -EFBIG  RLIMIT_FSIZE is lower than size
 * Worker death: as without a buffer; a retry reads the same memory. A worker that was killed and
 *   does not end may read for ever: it keeps the memory that it has, and the buffer has other
 *   memory with the same bytes at the same address before its job's verdict comes.
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_request_new(
	struct brood *brood, size_t size, struct brood_request **ret_request) BROOD_NOEXCEPT;

/*
 * The memory of a buffer, at the beginning of a page.
 * Parameters: ret_size: its bytes, as brood_request_new() had them; or NULL.
 * Returns: the library's memory, to be read and written until brood_request_free(). NULL: request
 *   is NULL, or this process is not the engine. Since: 0.3.0.
 */
BROOD_PUBLIC void *brood_request_memory(
	struct brood_request *request, size_t *ret_size) BROOD_NOEXCEPT;

/*
 * How many jobs have the buffer: they were given, and have no verdict. Jobs by handoff do not
 * count: a submitted one has a copy, and a brood_call() reads the buffer until the call returns. So
 * the program may write when the number is 0 and no thread is in a brood_call() with the buffer.
 * Returns: the number; 0 also if request is NULL, or this process is not the engine. Since: 0.3.0.
 */
BROOD_PUBLIC size_t brood_request_out(struct brood_request *request) BROOD_NOEXCEPT;

/*
 * Frees a buffer. Jobs that have it go on, and the memory goes with the last of them. The library
 * never uses the memory for another buffer.
 * Parameters: request: NULL is fine; the buffer and its memory are invalid afterwards.
 * Returns: NULL.
 * Threads: no other thread is in a call that is given the buffer. Since: 0.3.0.
 */
BROOD_PUBLIC struct brood_request *brood_request_free(struct brood_request *request) BROOD_NOEXCEPT;

/*
 * Frees a reply of options.ret_reply, which brood_call() has set. It is NULL where the reply is
 * empty, or lost. After an error such as -EREMOTEIO it has what the job had written.
 * Parameters: reply: NULL is fine; invalid afterwards.
 * Returns: NULL. Since: 0.3.0.
 */
BROOD_PUBLIC struct brood_reply *brood_reply_free(struct brood_reply *reply) BROOD_NOEXCEPT;

/*
 * The id of a job, for brood_cancel() and for logs.
 * Returns: the id, never 0; 0 for NULL. Since: 0.1.0.
 */
BROOD_PUBLIC uint64_t brood_id(const struct brood_handle *handle) BROOD_NOEXCEPT;

/*
 * The tag of a job, for brood_verdict_format_tag().
 * Returns: the library's copy, valid until brood_release(); "" for a job without a tag, and for
 *   NULL. Since: 0.3.0.
 */
BROOD_PUBLIC const char *brood_tag(const struct brood_handle *handle) BROOD_NOEXCEPT;

/*
 * The verdict of a job, if it is there. The call neither blocks nor reads the channel: call
 * brood_dispatch() first. It may be called again.
 * Parameters: ret_verdict: the caller's, or NULL.
 * Returns: 0: the verdict is in *ret_verdict.
 * Errors: -EAGAIN: there is no verdict yet. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_fetch(
	struct brood_handle *handle, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

/*
 * Waits for the verdict of a job. Read the job's socket first: a job that cannot write waits, too.
 * Parameters: ret_verdict: the caller's, or NULL.
 * Returns: 0: the verdict is in *ret_verdict.
 * Errors: -ETIMEDOUT: there is no verdict yet, and the job goes on. -EBUSY: another thread waits.
 * Threads: one at a time for each handle. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_wait(struct brood_handle *handle, uint32_t timeout_ms,
	struct brood_verdict *ret_verdict) BROOD_NOEXCEPT;

/*
 * Releases a handle. A job without a verdict goes on; its verdict is dropped and counted.
 * Parameters: handle: NULL is fine; invalid afterwards.
 * Returns: NULL. Since: 0.1.0.
 */
BROOD_PUBLIC struct brood_handle *brood_release(struct brood_handle *handle) BROOD_NOEXCEPT;

/*
 * Cancels a job. A job that waits ends at once. A job that runs gets the soft step
 * (brood_job_cancelled()), and SIGKILL after its grace_ms.
 * Parameters: id: of brood_id(), brood_submit() or options.ret_id.
 * Returns: 0: the wish is on its way. The verdict says what came of it: the job may finish first.
 * Errors: -ESHUTDOWN, -ENOTCONN; -ENOENT: no job with this id is out. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_cancel(struct brood *brood, uint64_t id) BROOD_NOEXCEPT;

/*
 * An fd for any event loop. It is readable when brood_dispatch() has something to do. Poll it
 * level-triggered, and do not read from it.
 * Returns: the fd; the library's, the same for life.
 * Errors: -ESHUTDOWN, -ENOTCONN. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_fd(struct brood *brood) BROOD_NOEXCEPT;

/*
 * Reads the channel until it is empty, and calls the log callback and the callbacks of the brood's
 * own queue. The call never blocks.
 * Returns: how many verdicts and results have come since the last call: to be fetched, to be taken
 *   from the brood's own queue, or called back.
 * Errors: -ESHUTDOWN (callbacks were called), -ENOTCONN (all jobs have their verdicts: lost).
 * Since: 0.1.0.
 */
BROOD_PUBLIC int brood_dispatch(struct brood *brood) BROOD_NOEXCEPT;

/* ---- Submitting (engine): an id now, the verdict later --------------------------------------- */

/*
 * What became of a submitted job. The library's memory: valid until on_done returns, or until the
 * next brood_take(), brood_wait_id(), brood_queue_wait(), _dispatch() or _free() on the queue, and
 * brood_dispatch() for the brood's own queue. Of brood_wait_id(): until the next such call of the
 * same thread, that thread's end, or brood_queue_free(). Since: 0.2.0.
 */
struct brood_result {
	size_t size;   /* set by the library */
	void *context; /* of the job's options */
	/*
	 * Done or failed: the whole reply. Else what was there; of a job that died on a lease only
	 * if it was at most 64 KiB. NULL: empty, or lost, because the engine had no memory or fd.
	 */
	const void *reply;
	size_t reply_size; /* 0 when the reply is lost; verdict.reply_size has what it was */
	int *fds;          /* of brood_job_reply_fds(); set an fd to -1 to keep it */
	size_t fds_count;
	struct brood_verdict verdict;
	const char *tag; /* of the job's options; "": it has none. Since 0.3.0 */
};

/* The options of brood_queue_new(). Since: 0.2.0. */
struct brood_queue_options {
	size_t size;
	uint32_t jobs;   /* jobs whose result has not come out yet, at most 65536; 0: 4096 */
	uint32_t leases; /* workers on lease for this queue; 0: the pool's limit */
	uint64_t reserved[4];
	struct brood_pool *pool; /* whose workers; NULL: the first pool's. Since 0.3.0 */
};

/*
 * Makes a queue. It gets leases of its own: two threads with a queue each share nothing on a job's
 * path. A program with one event loop uses the brood's own queue, brood_fd() and brood_dispatch().
 * Parameters: options: the caller's; NULL: all defaults. ret_queue: the caller's, for
 *   brood_queue_free().
 * Returns: 0.
 * Errors: -EINVAL, -EMFILE, -ENFILE, -ENOMEM, -ESHUTDOWN.
 * Threads: any thread may use any queue. Since: 0.2.0.
 */
BROOD_PUBLIC int brood_queue_new(struct brood *brood, const struct brood_queue_options *options,
	struct brood_queue **ret_queue) BROOD_NOEXCEPT;

/*
 * Frees a queue. The call cancels the jobs that are out, drops and counts their results, and runs
 * no callback.
 * Parameters: queue: NULL is fine; invalid afterwards.
 * Returns: NULL.
 * Threads: no other thread is in a call on the queue; the caller is no callback of the queue.
 * Since: 0.2.0.
 */
BROOD_PUBLIC struct brood_queue *brood_queue_free(struct brood_queue *queue) BROOD_NOEXCEPT;

/*
 * The brood's own queue, for 4096 jobs.
 * Returns: the queue; the library's, for life. NULL where the call is an error. Since: 0.2.0.
 */
BROOD_PUBLIC struct brood_queue *brood_own_queue(struct brood *brood) BROOD_NOEXCEPT;

/*
 * Gives a job and returns at once. The result comes by options.on_done, brood_take() or
 * brood_wait_id(). A job without a worker waits in the engine until a thread dispatches its queue,
 * takes from it or waits for it: poll brood_fd() or brood_queue_fd() and dispatch, or call
 * brood_queue_wait().
 * brood_submitv() takes the request in pieces, at most 1024; the job sees one request.
 * Parameters: request: copied. options: the caller's; NULL: all defaults. ret_id: the job's id; or
 *   NULL.
 * Returns: 0: the job has exactly one result.
 * Errors: those of brood_open(); there is no job and no result.
 *   -EAGAIN  the queue is full (handoff: or the supervisor is): dispatch or take, then try again
 * Worker death: before fn: another worker gets the job. Later: the result has the verdict, or the
 *   next attempt follows (retries). Jobs that waited for the same worker go to others, in order.
 * Since: 0.2.0.
 */
#define brood_submit(brood, fn, request, request_size, options, ret_id) \
	brood_submit_named(brood, fn, #fn, request, request_size, options, ret_id)
BROOD_PUBLIC int brood_submit_named(struct brood *brood, brood_fn *fn, const char *name,
	const void *request, size_t request_size, const struct brood_job_options *options,
	uint64_t *ret_id) BROOD_NOEXCEPT;

#define brood_submitv(brood, fn, request, request_count, options, ret_id) \
	brood_submitv_named(brood, fn, #fn, request, request_count, options, ret_id)
BROOD_PUBLIC int brood_submitv_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *request, size_t request_count, const struct brood_job_options *options,
	uint64_t *ret_id) BROOD_NOEXCEPT;

/* One job of brood_submit_many(). Since: 0.3.0. */
struct brood_submission {
	size_t size;         /* sizeof(struct brood_submission), the same in each entry */
	const void *request; /* copied, unless options.request names its buffer */
	size_t request_size;
	const struct iovec *pieces; /* instead of `request`: at most 1024 pieces */
	size_t pieces_count;
	void *context;    /* for callbacks, and in the result; NULL: that of the options */
	brood_fn *fn;     /* NULL: the function of the call */
	const char *name; /* of `fn`, in verdicts and log lines */
	const struct brood_job_options *options; /* NULL: those of the call */
	uint64_t id;                             /* the call stores here which id the job has */
	uint64_t reserved[4];
};

/*
 * Gives an array of jobs, in order, and returns at once: brood_submit() for each of them, but what
 * is the same for all is checked once, the jobs have one time at which they were given, and each
 * worker that sleeps is woken once. Jobs with the same options (the same pointer) cost least.
 * Parameters: fn: NULL where each entry has its own. jobs: the caller's; `id` of each job that was
 *   given is set before the job can begin. count: any number, 0 included. options: the caller's,
 *   for entries without options; ret_id must be NULL in all options. NULL: all defaults.
 * Returns: how many of the first jobs were given: count, or less where a job could not be given.
 *   Each of these has exactly one result. brood_error() says why the next one was not given.
 * Errors: those of brood_submit(), for the first job; no job was given. After a smaller count, the
 *   call for the rest of the array says which error it is.
 *   -EAGAIN  the queue is full: dispatch or take, then give the rest
 * Worker death: as brood_submit(). Since: 0.3.0.
 */
#define brood_submit_many(brood, fn, jobs, count, options) \
	brood_submit_many_named(brood, fn, #fn, jobs, count, options)
BROOD_PUBLIC ssize_t brood_submit_many_named(struct brood *brood, brood_fn *fn, const char *name,
	struct brood_submission *jobs, size_t count,
	const struct brood_job_options *options) BROOD_NOEXCEPT;

/*
 * An fd for any event loop. It is readable when brood_queue_dispatch() has something to do. Poll
 * it level-triggered, and do not read from it.
 * Returns: the fd; the library's, the same for life.
 * Errors: -ESHUTDOWN, -ENOTCONN. Since: 0.2.0.
 */
BROOD_PUBLIC int brood_queue_fd(struct brood_queue *queue) BROOD_NOEXCEPT;

/*
 * Looks for results of the queue, and runs callbacks. The call never blocks.
 * Returns: how many results came: called back, or to be taken.
 * Errors: -ENOTCONN (all results are there: lost). Since: 0.2.0.
 */
BROOD_PUBLIC int brood_queue_dispatch(struct brood_queue *queue) BROOD_NOEXCEPT;

/*
 * Does the same as brood_queue_dispatch(), but waits until there is a result.
 * Returns: how many results came: called back, or to be taken. 0: no job is out, and no result
 *   waits to be taken.
 * Errors: -ENOTCONN; -ETIMEDOUT: there is no result yet. Since: 0.2.0.
 */
BROOD_PUBLIC int brood_queue_wait(struct brood_queue *queue, uint32_t timeout_ms) BROOD_NOEXCEPT;

/*
 * Dispatches the queue, then takes results of jobs without on_done, in the order in which they
 * came. The call never blocks.
 * Parameters: ret_results: room for `room` pointers; the results are the library's.
 * Returns: how many results were taken; 0: there is none.
 * Errors: -EINVAL. Since: 0.2.0.
 */
BROOD_PUBLIC int brood_take(struct brood_queue *queue, const struct brood_result **ret_results,
	size_t room) BROOD_NOEXCEPT;

/*
 * Waits for the result of one job, and takes it. No other call takes it, and on_done is not called.
 * Results of other jobs wait for whoever takes or dispatches them. The call runs on_progress of
 * this job alone, and no other callback of the queue.
 * Parameters: id: of brood_submit() to this queue. ret_result: the result is the library's, valid
 *   until this thread's next call that takes from the queue, waits for it or dispatches it, or
 *   until the thread ends.
 * Returns: 0: the result is in *ret_result, also when the job was refused, cancelled or lost.
 * Errors:
 *   -ETIMEDOUT  there is no result yet: the job goes on, and its result comes as if nobody had
 *               waited
 *   -ENOENT     no result with this id is to come: it was taken or called back, or never given here
 *   -EBUSY      another thread waits for this job
 *   -EINVAL
 * Threads: any number at a time, each for a job of its own; also a callback of the queue.
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_wait_id(struct brood_queue *queue, uint64_t id, uint32_t timeout_ms,
	const struct brood_result **ret_result) BROOD_NOEXCEPT;

/*
 * Cancels each submitted job of the queue that has no verdict, as brood_cancel() does. A job that
 * has not begun ends at once. Each job has its one result: dispatch, take or wait for them. Jobs
 * that are submitted later are not touched.
 * Returns: how many jobs were told to end. Some may finish first: their verdicts say so.
 * Errors: -ESHUTDOWN, -ENOTCONN. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_queue_cancel(struct brood_queue *queue) BROOD_NOEXCEPT;

/*
 * The number of submitted jobs whose result was neither taken nor called back.
 * Returns: the number; 0 where the call is an error. Since: 0.2.0.
 */
BROOD_PUBLIC size_t brood_queue_out(struct brood_queue *queue) BROOD_NOEXCEPT;

/* ---- Mapping (engine): a function over many items -------------------------------------------- */

/* options.flags of brood_map(), a set. Since: 0.3.0. */
enum brood_map_flags {
	BROOD_MAP_ORDERED = 1 << 0, /* on_item gets the items in their order, not as they end */
};

/*
 * The callback of an item that has its verdict. It is called once for each item.
 * Parameters: context: of brood_map(), as result->context. index: the item's place in items, 0 is
 *   the first. result: the library's, valid until the callback returns; set an fd to -1 to keep it.
 * Returns: 0: the map goes on. Any other value ends the map.
 * Threads: the thread that called brood_map(); the library holds no lock. The callback may make
 *   any call, brood_map() and brood_stop() included. Since: 0.3.0.
 */
typedef int brood_item_fn(void *context, size_t index, const struct brood_result *result);

/* How far a map is. The library's memory, valid until the callback returns. Since: 0.3.0. */
struct brood_map_progress {
	size_t size;     /* set by the library */
	size_t count;    /* the items of the map */
	size_t ended;    /* items that have their verdict */
	size_t not_done; /* of these, items whose outcome is not BROOD_DONE */
	size_t out;      /* items that were given and have no verdict yet */
	uint64_t elapsed_us;
};

/*
 * The callback that tells how far a map is: every progress_ms, also while no item ends, and once
 * more when the last item has ended.
 * Parameters: context: of brood_map(). progress: the library's.
 * Returns, threads: as brood_item_fn. Since: 0.3.0.
 */
typedef int brood_map_progress_fn(void *context, const struct brood_map_progress *progress);

/* The options of brood_map(). brood_map(3) tells more. Since: 0.3.0. */
struct brood_map_options {
	size_t size;
	uint32_t flags; /* enum brood_map_flags */
	/* items out at a time, at most 65536; 0: 2 x workers, up to 256 while items are short */
	uint32_t at_once;
	uint32_t progress_ms; /* the time between two calls of on_progress; 0: 100 */
	/*
	 * ORDERED: results that wait for an earlier item. The map gives an item while its index is
	 * less than `window` above that of the first item that on_item has not had, and while the
	 * waiting results have fewer than `window_bytes` together.
	 */
	uint32_t window;                    /* 0: 65536 */
	uint64_t window_bytes;              /* 0: 64 MiB */
	brood_map_progress_fn *on_progress; /* NULL: nobody wants to know */
	/*
	 * The options of each job. `queue`, `lease`, `on_done`, `on_progress`, `context`, `ret_id`,
	 * `ret_fds` and `ret_reply` are not set there: on_item has verdict, reply, fds and id.
	 * Progress of the jobs goes nowhere. NULL: all defaults
	 */
	const struct brood_job_options *job;
	uint64_t reserved[8];
};

/*
 * Runs fn over an array of items, on all workers of a pool, and tells the program what became of
 * each. An item is the request of one job. The call returns when all items have ended. It gives an
 * item whenever fewer than at_once are out, and waits where the pool has no room for more.
 * Parameters: items: the caller's, unchanged until the call returns; an item may have 0 bytes.
 *   count: any number. options: the caller's; NULL: all defaults. on_item: called for each item.
 *   context: for both callbacks.
 * Returns: how many items on_item had: count, or less where a callback ended the map. What was out
 *   then was cancelled, and has ended.
 * Errors: on_item had each item that was given before the error. -EINVAL, -EMFILE, -ENFILE,
 *   -ENOMEM, and
 *   -ESHUTDOWN  brood_stop() was called: on_item had the other items, too, as refused (DRAINING)
 *   -ENOTCONN   the supervisor is gone: on_item had the other items, too, as lost (CHANNEL)
 *   -EKEYREJECTED  the key of options.job is on the poison list: on_item had the other items, too,
 *           as refused (POISONED)
 *   -EFAULT  fn is not in code that was mapped at brood_start(): use a plugin
 *   -EBADF   one of options.job->fds is not open
 * Worker death: as brood_submit(). It costs one item.
 * Threads: any number of threads may each have a map. Since: 0.3.0.
 */
#define brood_map(brood, fn, items, count, options, on_item, context) \
	brood_map_named(brood, fn, #fn, items, count, options, on_item, context)
BROOD_PUBLIC ssize_t brood_map_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *items, size_t count, const struct brood_map_options *options,
	brood_item_fn *on_item, void *context) BROOD_NOEXCEPT;

/* ---- Pinned leases (engine): one worker for a conversation ----------------------------------- */

/* The options of brood_lease(). Since: 0.2.0. */
struct brood_lease_options {
	size_t size;
	uint32_t wait_ms;  /* the wait for a worker; 0: the pool's queue_ms */
	uint32_t limit_ms; /* of the lease; a job that runs then goes on to its end; 0: 60000 */
	uint64_t reserved[4];
	struct brood_pool *pool; /* whose worker; NULL: the first pool's. Since 0.3.0 */
};

/*
 * Pins a worker: waits for an idle worker and takes it for jobs with options.lease. They run in
 * order, 65536 may be out, and each finds in memory what the jobs before it left there. `retries`
 * and `dispatch` have no effect on them.
 * Parameters: options: the caller's; NULL: all defaults. ret_lease: the caller's, for
 *   brood_lease_end().
 * Returns: 0.
 * Errors: -EINVAL, -EMFILE, -ENFILE, -ENOMEM, -ESHUTDOWN, -ENOTCONN, and
 *   -ETIMEDOUT  no worker was idle within wait_ms
 *   -EAGAIN     the pool stops, or as many jobs are out as it has room for
 *   -EHOSTDOWN  the pool is degraded: workers die at birth
 * Threads: any thread may use the lease.
 * Worker death: the lease is over. The job that ran has its verdict; jobs behind it are refused
 *   (LEASE_OVER); later calls give -ESTALE. Since: 0.2.0.
 */
BROOD_PUBLIC int brood_lease(struct brood *brood, const struct brood_lease_options *options,
	struct brood_lease **ret_lease) BROOD_NOEXCEPT;

/*
 * Ends a pinned lease. The call waits for the end of the job that runs (cancel a long job before).
 * Jobs behind it are refused. Results that were not taken are dropped. Handles stay valid.
 * Parameters: lease: NULL is fine; invalid afterwards.
 * Returns: NULL.
 * Threads: the last call on the lease. Since: 0.2.0.
 */
BROOD_PUBLIC struct brood_lease *brood_lease_end(struct brood_lease *lease) BROOD_NOEXCEPT;

/*
 * The queue at which the results of jobs come out that were submitted to this lease.
 * Returns: the queue; the lease's, until brood_lease_end(). NULL where the call is an error.
 * Since: 0.2.0.
 */
BROOD_PUBLIC struct brood_queue *brood_lease_queue(struct brood_lease *lease) BROOD_NOEXCEPT;

/*
 * Which worker is pinned: its pid, slot and generation.
 * Parameters: each pointer may be NULL.
 * Returns: 0.
 * Errors: -ESTALE: the lease is over; the figures are set all the same. Since: 0.2.0.
 */
BROOD_PUBLIC int brood_lease_worker(struct brood_lease *lease, pid_t *ret_pid, uint32_t *ret_slot,
	uint32_t *ret_generation) BROOD_NOEXCEPT;

/* ---- The rest of the engine's side ----------------------------------------------------------- */

/*
 * Sets the bytes and fds that workers born from now on get by brood_get_init_data(). The call
 * replaces what was set before. brood_set_init_data() is for the first pool; each pool has its own
 * init data and versions.
 * Parameters: data: copied, at most 1 GiB. fds: duplicated, at most BROOD_INIT_FDS_MAX.
 * Returns: the version, 1 first. It holds for workers that are born after the supervisor has read
 *   it.
 * Errors: -EINVAL, -EMFILE, -ENFILE, -ENOMEM, -ESHUTDOWN, -ENOTCONN;
 *   -E2BIG: too many bytes or fds; -EBADF: one of fds is not open.
 * Since: 0.1.0; brood_pool_set_init_data(): 0.3.0.
 */
BROOD_PUBLIC int brood_set_init_data(struct brood *brood, const void *data, size_t data_size,
	const int *fds, size_t fds_count) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_pool_set_init_data(struct brood_pool *pool, const void *data,
	size_t data_size, const int *fds, size_t fds_count) BROOD_NOEXCEPT;

/*
 * Sets new bounds for the number of workers of a pool. A fixed pool has `max` workers from now on.
 * A pool that shrinks ends its idle workers; a worker that has a job ends after the job, and a
 * worker on lease after the lease, which the library gives back soon.
 * Parameters: min: BROOD_ELASTIC: the least; else 0 or max. max: 1 to `workers` of the pool at
 *   brood_start().
 * Returns: 0: the supervisor will hear of it. `workers` of brood_pool_stats() tells the size.
 *   BROOD_INLINE: 0, and nothing changes.
 * Errors: -ERANGE: max; -EINVAL: min; -ENOMEM, -ESHUTDOWN, -ENOTCONN. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_pool_resize(
	struct brood_pool *pool, uint32_t min, uint32_t max) BROOD_NOEXCEPT;

/*
 * Replaces all workers, a few at a time (brood_pool_options.surge), by new ones. They have the init
 * data that their own pool has now (brood_pool_set_init_data()). Jobs go on meanwhile; none is
 * refused or lost. A worker that has a job is replaced when the job ends, a worker on a pinned
 * lease when the lease ends. A later reload of a pool supersedes one that goes on. New workers are
 * images of the program as it was at brood_start(): new code needs a new start.
 * Parameters: pool: NULL: all pools. ret_reload: for brood_reload_wait(); or NULL.
 * Returns: 0: it has begun.
 * Errors: -EINVAL, -ESHUTDOWN, -ENOTCONN, -ENOMEM;
 *   -ENOTSUP: inline mode has no workers.
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_reload(
	struct brood *brood, struct brood_pool *pool, uint64_t *ret_reload) BROOD_NOEXCEPT;

/*
 * Waits until a reload is over. A reload of all pools fails when it fails in one.
 * Parameters: reload: what brood_reload() gave. timeout_ms: 0 looks once.
 * Returns: 0: all workers are new.
 * Errors: -ESHUTDOWN, -ENOTCONN, and
 *   -ETIMEDOUT  it goes on still
 *   -EHOSTDOWN  it has failed: new workers ended before they were ready (the log says how). The
 *               former ones go on, and workers are born with the init data of before
 *   -ECANCELED  a later reload has superseded it
 *   -EINVAL     also: there is no such reload, or 64 later ones
 *   -ENOTSUP    inline mode has no workers
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_reload_wait(
	struct brood *brood, uint64_t reload, uint32_t timeout_ms) BROOD_NOEXCEPT;

/*
 * systemd: the engine is ready. The supervisor sends READY=1, once, when the pool is ready, too; or
 * when the program stops the pool or ends in order before. After brood_notify("RELOADING=1") the
 * call says READY=1 again. brood_notify_status() sends STATUS=text, with the pool's figures behind
 * it. Without NOTIFY_SOCKET nothing happens.
 * Parameters: text: one line, cut at 200 bytes; copied.
 * Returns: 0.
 * Errors: -EINVAL, -ESHUTDOWN, -ENOTCONN. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_notify_ready(struct brood *brood) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_notify_status(struct brood *brood, const char *text) BROOD_NOEXCEPT;

#define BROOD_KEPT_MAX      256 /* fds that are kept at a time. Since 0.3.0 */
#define BROOD_KEPT_NAME_MAX 256 /* bytes of a kept fd's name with its NUL. Since 0.3.0 */
/*
 * Keeps a file under a name, where it outlives the engine: in the supervisor, and in the service
 * manager's store (FileDescriptorStoreMax= of the unit), from which brood_kept() has it again after
 * a restart, even if all processes were killed. For listening sockets, and for state in a
 * memfd_create() file. It replaces all files of that name. In brood_kept() it is there at once; the
 * service manager has it before it hears READY=1.
 * Parameters: name: copied; 1 to 255 printable ASCII characters, no ':'. fd: duplicated, and still
 *   the caller's; -1: forgets the name.
 * Returns: 0, also where nobody stores files (inline mode; no service manager), or where the name
 *   to be forgotten is not there.
 * Errors:
 *   -EBADF   fd is not open
 *   -EINVAL  also: no such name can be kept
 *   -EMFILE  there is no fd left for a duplicate
 *   -ENOSPC  BROOD_KEPT_MAX are kept, or as many as RLIMIT_NOFILE has room for
 *   -ESHUTDOWN, -ENOTCONN
 * Worker death: nothing changes; workers have none of these files. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_keep(struct brood *brood, const char *name, int fd) BROOD_NOEXCEPT;
/*
 * The files of a name: those that the service manager has passed to this start of the program
 * (LISTEN_FDS, by their LISTEN_FDNAMES: of socket units, and of its store), and those of
 * brood_keep().
 * Parameters: brood: NULL: before brood_start(), which may come later; reads the environment.
 *   name: NULL: all files, whatever their names. ret_fds: duplicates, close-on-exec, which the
 *   caller closes; room for `room` of them; NULL if room is 0.
 * Returns: how many files have the name, even if the array has less room; 0: none.
 * Errors:
 *   -EINVAL  also: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES do not fit together (brood NULL)
 *   -EMFILE  there is no fd left for a duplicate
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_kept(
	struct brood *brood, const char *name, int *ret_fds, size_t room) BROOD_NOEXCEPT;
/*
 * The engine answers the service manager's watchdog (options.engine_answer_ms). Each call of the
 * library does so, too: this one does nothing else, for code that runs for long without one. It
 * costs a nanosecond, and may be made from any thread.
 * Parameters: brood: NULL, or in a process that is not the engine: nothing happens.
 * Since: 0.3.0.
 */
BROOD_PUBLIC void brood_alive(struct brood *brood) BROOD_NOEXCEPT;

/*
 * Says anything else to the service manager, through the supervisor and in order: a reload
 * ("RELOADING=1", then "READY=1", also after a reload that failed), more time, an error number.
 * READY=1 before the service is ready is brood_notify_ready(). STATUS= is as with
 * brood_notify_status(), and an ERRNO= replaces the one that the supervisor would give.
 * Parameters: fields: lines of KEY=VALUE with a newline between two of them, less than
 *   BROOD_NOTIFY_MAX bytes; copied. To RELOADING=1 the call adds MONOTONIC_USEC=.
 * Returns: 0: the message is on its way. Without NOTIFY_SOCKET nothing happens.
 *   BROOD_INLINE: fields are checked, and nothing is sent.
 * Errors: -ESHUTDOWN, -ENOTCONN, and
 *   -EINVAL  no KEY=VALUE, a control character, or a field that is not for the program (MAINPID,
 *            STOPPING, WATCHDOG=1, ...): brood_error() has the line and says what to do instead
 *   -E2BIG   fields are too long
 *   -EAGAIN  16 messages wait already, for the supervisor does not read
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_notify(struct brood *brood, const char *fields) BROOD_NOEXCEPT;

/*
 * Waits until the service manager has read all that was said before.
 * Parameters: timeout_ms: milliseconds, BROOD_FOREVER: no limit.
 * Returns: 0, at once without NOTIFY_SOCKET and with BROOD_INLINE. A manager that is gone reads
 *   nothing, and is not waited for.
 * Errors: -ESHUTDOWN, -ENOTCONN, -EMFILE, -EAGAIN as brood_notify(), and
 *   -ETIMEDOUT  the manager has not read all messages in time
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_notify_barrier(struct brood *brood, uint32_t timeout_ms) BROOD_NOEXCEPT;

/* The counters of the pool; filled by the library. Since: 0.1.0. */
struct brood_stats {
	size_t size; /* set by the library */
	/* so many workers the pool is to have now; ready ones (idle, busy); ones not ready yet */
	uint32_t workers, ready, idle, busy, starting;
	uint32_t queued; /* jobs by handoff, and requests for leases, that wait */
	uint32_t queued_peak;
	uint32_t degraded;      /* not 0: workers die at birth, or too many slots are undead */
	uint32_t next_spawn_ms; /* until the next birth, while the supervisor pauses */
	uint32_t leased;        /* busy workers that are on lease, with or without a job. 0.2.0 */
	uint64_t submitted;     /* accepted jobs of all calls, without retries */
	uint64_t verdicts[BROOD_OUTCOMES]; /* by outcome; [0] is unused */
	uint64_t dropped;                  /* verdicts that came when nobody wanted them */
	uint64_t redispatched; /* jobs given to another worker: the first died before fn */
	uint64_t retried;      /* retries: how often a job ran again */
	uint64_t spawned, died, killed, retired; /* worker processes; killed: by Brood */
	uint64_t spawn_failures;
	uint64_t strays_killed;
	uint64_t guard_deaths;
	uint64_t logs_dropped;
	uint64_t leases;         /* granted. Since 0.2.0 */
	uint64_t leases_revoked; /* recalled: idle, wanted elsewhere, or out of time. Since 0.2.0 */
	uint64_t undead;         /* slots, now, whose worker was killed and does not end. 0.3.0 */
	uint64_t undead_ever;    /* workers that lived a second after SIGKILL. Since 0.3.0 */
	uint64_t stop_dropped;   /* jobs that brood_stop() refused or lost. Since 0.3.0 */
	uint64_t spawner_deaths; /* Since 0.3.0 */
	uint64_t reserved[2];
};

/*
 * Reads the counters from memory that the supervisor writes. Each figure is right; two figures may
 * be a moment apart. brood_stats() adds up all pools (degraded: any is; next_spawn_ms: the first
 * of all). brood_pool_stats() has those of one pool; strays_killed, guard_deaths,
 * spawner_deaths, logs_dropped and stop_dropped, which are about no pool, are 0 there.
 * Returns: 0.
 * Errors: -EINVAL. Since: 0.1.0; brood_pool_stats(): 0.3.0.
 */
BROOD_PUBLIC int brood_stats(struct brood *brood, struct brood_stats *ret_stats) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_pool_stats(
	struct brood_pool *pool, struct brood_stats *ret_stats) BROOD_NOEXCEPT;

/*
 * Writes what brood-metrics(7) lists of all pools as OpenMetrics text, for a page /metrics of the
 * program's own. Reads memory, and waits for nobody. Calls malloc().
 * Parameters: text: room for `size` bytes; a NUL ends the text. NULL if size is 0.
 * Returns: the length without the NUL. If size is 0: a size that is enough now, and for some time.
 * Errors: -EINVAL; -ENOSPC: the text is longer, and what was written is of no use; -ENOMEM.
 * Since: 0.3.0.
 */
BROOD_PUBLIC ssize_t brood_metrics(struct brood *brood, char *text, size_t size) BROOD_NOEXCEPT;

/* ---- Death reports --------------------------------------------------------------------------- */

/* Why a worker ended. Since: 0.3.0. */
enum brood_report_cause {
	BROOD_REPORT_CRASHED = 1, /* by a signal that its own code caused */
	BROOD_REPORT_EXITED,      /* it exited, or its job left the function */
	BROOD_REPORT_KILLED,      /* by a signal from outside, such as the kernel's out of memory */
	BROOD_REPORT_TIMED_OUT,   /* its job had no time left */
	BROOD_REPORT_CANCELLED,
	BROOD_REPORT_STOPPED, /* the pool stopped, and its job did not end */
	BROOD_REPORT_STUCK,   /* the library killed it because it did not go on, or sent nonsense */
	BROOD_REPORT_SLOW, /* it lives: its job has run for slow_ms (struct brood_pool_options) */
};

/* One call that had not returned, the innermost first. Since: 0.3.0. */
struct brood_report_frame {
	uint64_t address; /* in the worker */
	uint64_t offset;  /* the same place as addr2line takes it; 0: the module is not known */
	uint32_t function_offset; /* from the function's first byte */
	uint32_t reserved32;
	char function[BROOD_REPORT_SYMBOL]; /* as the symbols of the file have it; "": none */
	char module[BROOD_NAME_MAX];        /* the file's name without folders; "": not known */
};

/* The death of a worker. What is not known is 0, or "". Since: 0.3.0. */
struct brood_report {
	size_t size;    /* set by the caller: sizeof(struct brood_report) */
	uint64_t id;    /* the job that ran; 0: none did */
	uint32_t cause; /* enum brood_report_cause */
	uint32_t slot, generation;
	pid_t pid;
	pid_t tid;                /* the thread whose frames these are */
	int32_t signal;           /* that ended the worker */
	int32_t code;             /* si_code of the signal, if the worker could note it */
	int32_t exit_code;        /* if no signal ended it */
	int32_t core;             /* not 0: a core was dumped */
	int32_t syscall;          /* SIGSYS: the number of the system call; else -1 */
	uint64_t address;         /* of the fault */
	uint64_t cpu_us, peak_kb; /* of the worker's whole life */
	char name[BROOD_NAME_MAX], tag[BROOD_TAG_MAX];
	char pool[BROOD_POOL_NAME_MAX];
	char waits[BROOD_REPORT_TEXT];    /* killed: what it did then, such as "mutex", "runs" */
	char progress[BROOD_REPORT_TEXT]; /* the last progress that the job told, cut */
	uint32_t frames_count;
	uint32_t reserved32;
	struct brood_report_frame frames[BROOD_REPORT_FRAMES];
	uint64_t reserved[8];
	/*
	 * With options.stderr_lines: the last lines that the worker wrote on stderr, with a newline
	 * between two. Other bytes than text and UTF-8 are \xNN. A line whose beginning had no room
	 * begins with "..."
	 */
	char stderr_text[BROOD_REPORT_STDERR];
};

/*
 * Reads the report of a death. The last BROOD_REPORTS deaths are kept; a planned end is none. Waits
 * until the names of functions are looked up, for some milliseconds as a rule, 4 s at most.
 * Parameters: id: a job's id, as the verdict has it; the newest report with this id is meant. (Each
 *   attempt by handoff has its own id.) 0: the newest report of all. ret_report: the caller's; its
 *   `size` must be set.
 * Returns: 0.
 * Errors: -ENOENT: no such report is kept. -EINVAL: no ret_report, or its size is too small.
 * Threads: any.
 * On worker death: a report is there before the job's verdict is. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_report(
	struct brood *brood, uint64_t id, struct brood_report *ret_report) BROOD_NOEXCEPT;

/*
 * Writes a report as one line without a newline, as the log has it: "job 17 upper, worker 3 (pid
 * 4711): crashed, SIGSEGV (not mapped) at 0x0; in upper+0x4 (prog)".
 * Parameters: text: the caller's memory; size: its bytes, the NUL included.
 * Returns: the length of the whole line without the NUL, as snprintf() does. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_report_format(
	const struct brood_report *report, char *text, size_t size) BROOD_NOEXCEPT;
/* What a worker does. A later library may have more. Since: 0.3.0. */
enum brood_worker_state {
	BROOD_WORKER_STARTING = 1, /* not ready yet: worker_init may run */
	BROOD_WORKER_IDLE,
	BROOD_WORKER_BUSY,   /* runs a job */
	BROOD_WORKER_LEASED, /* on lease, between two jobs */
	BROOD_WORKER_ENDING, /* told or about to end */
	BROOD_WORKER_UNDEAD, /* was killed, and does not end */
};

/* One worker, filled by the library. Since: 0.3.0. */
struct brood_worker_info {
	size_t size; /* set by the library */
	uint32_t slot, generation;
	uint32_t state; /* enum brood_worker_state */
	uint32_t path;  /* enum brood_path: how its job came; AUTO: no job runs */
	pid_t pid;
	uint32_t flags;    /* enum brood_worker_flags */
	uint64_t job;      /* the id of the job that runs; 0: none */
	uint64_t since_us; /* how long the job has run; no job: how long it is in its state */
	uint64_t age_us;   /* since its birth */
	uint64_t jobs;     /* jobs that it has done; with those that were withdrawn from a lease */
	char name[BROOD_NAME_MAX]; /* of the function that runs; "": none */
	char tag[BROOD_TAG_MAX];   /* of the job that runs; control characters are "?" */
	uint64_t reserved[8];
};
enum brood_worker_flags {
	BROOD_WORKER_DUE = 1 << 0,     /* is to be replaced, although it is well */
	BROOD_WORKER_PINNED = 1 << 1,  /* on a lease of brood_lease() */
	BROOD_WORKER_KILLED = 1 << 2,  /* SIGKILL was sent */
	BROOD_WORKER_IN_FLUX = 1 << 3, /* what is said of it may be a moment old */
};

/*
 * The workers of a pool, as they are now: each slot that has a process. Reads memory: makes no
 * system call, and waits for nobody.
 * Parameters: ret_infos: an array with room for `room` entries; NULL if room is 0. info_size: the
 *   size of an entry, sizeof(struct brood_worker_info).
 * Returns: how many workers there are, even if the array has less room; 0 in inline mode.
 * Errors: -EINVAL. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_workers(struct brood_pool *pool, struct brood_worker_info *ret_infos,
	size_t info_size, size_t room) BROOD_NOEXCEPT;

/* Which times a histogram counts. Since: 0.3.0. */
enum brood_time {
	BROOD_TIME_QUEUE,            /* from the call until a worker had the job, each attempt */
	BROOD_TIME_RUN,              /* from then to the end of the attempt */
	BROOD_TIME_DEATH_TO_VERDICT, /* from a worker's death to its job's verdict */
	BROOD_TIME_DEATH_TO_READY,   /* from a worker's death until the next one was ready there */
};
#define BROOD_BUCKETS 576 /* brood_histogram(3) says which times each bucket has */

/* Times of a pool's jobs or workers since the start, filled by the library. Since: 0.3.0. */
struct brood_histogram {
	size_t size; /* the program sets it to sizeof(struct brood_histogram) */
	uint64_t count;
	uint64_t sum_ns, max_ns;
	uint64_t p50_ns, p90_ns, p99_ns, p999_ns; /* within 3.2 %; 0: there is no time yet */
	uint64_t reserved[8];
	uint64_t buckets[BROOD_BUCKETS]; /* how many times fell into each bucket */
};

/*
 * The times of a pool. Reads memory, as brood_workers() does. With BROOD_INLINE there are no
 * workers: only QUEUE and RUN have times.
 * Parameters: which: enum brood_time. ret_histogram: the program's, with `size` set.
 * Returns: 0.
 * Errors: -EINVAL. Since: 0.3.0.
 */
BROOD_PUBLIC int brood_histogram(struct brood_pool *pool, enum brood_time which,
	struct brood_histogram *ret_histogram) BROOD_NOEXCEPT;

/*
 * A quantile, such as 0.95, of a histogram that the program has, perhaps the sum or the difference
 * of several: only `buckets` and `max_ns` count.
 * Parameters: q: 0 to 1.
 * Returns: nanoseconds, at most max_ns: the middle of the bucket; 0: the histogram is empty.
 * Threads: any, in every process. Since: 0.3.0.
 */
BROOD_PUBLIC uint64_t brood_histogram_quantile(
	const struct brood_histogram *histogram, double q) BROOD_NOEXCEPT;

/* ---- In a worker ----------------------------------------------------------------------------- */

/* What brood_set_init_data() had set when this worker was born. Since: 0.1.0. */
struct brood_init_data {
	size_t size;      /* set by the library */
	uint32_t version; /* counts brood_set_init_data() from 1 on; 0: nothing was set */
	const void *data; /* the worker's, for life */
	size_t data_size;
	const int *fds; /* the worker's, for life */
	size_t fds_count;
	uint64_t reserved[4];
};

/*
 * Reads the init data of this worker, in worker_init or in a job.
 * Returns: 0.
 * Errors: -EPERM: this process is no worker. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_get_init_data(struct brood_init_data *ret_data) BROOD_NOEXCEPT;

/*
 * The id of the job, which its log lines have, too, and the number of this attempt.
 * Returns: the id; each attempt of a brood_call() or brood_submit() by handoff has its own, and the
 *   verdict has the first one's. The number: 1 for the first attempt. Since: 0.1.0.
 */
BROOD_PUBLIC uint64_t brood_job_id(const struct brood_job *job) BROOD_NOEXCEPT;
BROOD_PUBLIC uint32_t brood_job_attempt(const struct brood_job *job) BROOD_NOEXCEPT;

/*
 * The tag of the job's options, byte by byte as the program gave it.
 * Returns: the library's memory, valid until fn returns; "" for a job without a tag. Since: 0.3.0.
 */
BROOD_PUBLIC const char *brood_job_tag(const struct brood_job *job) BROOD_NOEXCEPT;

/*
 * The size of the request.
 * Returns: bytes; BROOD_SIZE_UNKNOWN for brood_open() and brood_give(). Since: 0.1.0.
 */
BROOD_PUBLIC size_t brood_job_request_size(const struct brood_job *job) BROOD_NOEXCEPT;

/*
 * The argument of the job's options.
 * Parameters: ret_size: its bytes; or NULL.
 * Returns: the library's memory, never NULL, aligned for any type; valid until fn returns.
 * Since: 0.1.0.
 */
BROOD_PUBLIC const void *brood_job_arg(
	const struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT;

/*
 * Reads from the request or the socket. brood_job_read() waits for the first byte;
 * brood_job_read_all() waits for `size` bytes or the end. The soft step does not end the wait: poll
 * brood_job_fd() and brood_job_cancel_fd() instead.
 * Returns: how many bytes were read; 0: the end.
 * Errors: those of recv(), such as
 *   -ECONNRESET  the client of brood_give() has torn its connection down
 *   -EBADF       the job has closed its socket
 * Since: 0.1.0.
 */
BROOD_PUBLIC ssize_t brood_job_read(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT;
BROOD_PUBLIC ssize_t brood_job_read_all(
	struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT;

/*
 * Writes a part of the reply, all `size` bytes. The reply is the sum of all parts.
 * Returns: size.
 * Errors: those of send(), such as
 *   -EPIPE  the engine closed its end, or brood_job_reply() or brood_job_reply_memory() was called
 *           before
 *   -EBADF  the job has closed its socket
 *   -EMFILE, -ENFILE, -ENOMEM  for a reply of this size; not in a job that has its socket
 *   -EPERM  this process is a child of the job, and the job has no socket: on a lease, or, since
 *           0.3.0, by handoff while the job has none (brood_job_fd())
 * Since: 0.1.0.
 */
BROOD_PUBLIC ssize_t brood_job_write(
	struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT;

/*
 * Writes the whole reply, or its last part. A reader reads EOF then, before fn returns.
 * Returns: size.
 * Errors: those of brood_job_write(). Since: 0.1.0.
 */
BROOD_PUBLIC ssize_t brood_job_reply(
	struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT;

/*
 * Memory for the whole reply of a brood_call() or brood_submit(). The job fills it in place, and
 * the reply goes when fn returns: all `size` bytes, 0 where the job wrote nothing. On a lease it is
 * not copied. The job writes no other reply, before or after.
 * Parameters: size: more than 0.
 * Returns: the library's memory, valid until fn returns. A child of the job does not have it, if it
 *   has more than 64 KiB. NULL: an error, in errno.
 * Errors: in errno: EMFILE, ENFILE, ENOMEM, and
 *   EINVAL  size is 0, the job has a socket, or it has written a part of the reply
 *   EPIPE   the reply was ended before, or this call was made before
 *   EFBIG   RLIMIT_FSIZE is lower than size
 *   EPERM   this process is a child of the job, and the job has no socket
 * Worker death: the reply is lost. Since: 0.3.0.
 */
BROOD_PUBLIC void *brood_job_reply_memory(struct brood_job *job, size_t size) BROOD_NOEXCEPT;

/*
 * The whole request of a brood_call() or brood_submit(); on a lease without a copy. Afterwards
 * brood_job_read() reads the end.
 * Parameters: ret_size: its bytes; or NULL.
 * Returns: the library's memory, valid and unchanged until fn returns; do not write to it. NULL: an
 *   error, in errno.
 * Errors: in errno: ENOMEM, those of recv(), and
 *   EINVAL  the job has a socket, or some of the request was read before
 *   EPIPE   the engine ended before the whole request was there
 * Since: 0.2.0.
 */
BROOD_PUBLIC const void *brood_job_request(struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT;

/*
 * The extra fds of the job (options.fds): their number, one of them, and one of them for the job to
 * keep. brood_job_take_extra_fd() makes the fd the job's own: the library does not close it.
 * Parameters: index: 0 is the first.
 * Returns: the number; the fd, which the library closes at the end of the job, if it was not taken.
 * Errors: -EINVAL: there is no such index. Since: 0.2.0.
 */
BROOD_PUBLIC size_t brood_job_extra_fds(const struct brood_job *job) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_job_extra_fd(struct brood_job *job, size_t index) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_job_take_extra_fd(struct brood_job *job, size_t index) BROOD_NOEXCEPT;

/*
 * Sends fds with the reply of a brood_call() or brood_submit(). The fds arrive with the verdict of
 * a job that is done or failed.
 * Parameters: fds: duplicated, at most BROOD_JOB_FDS_MAX in all calls of a job.
 * Returns: 0.
 * Errors: none of fds is sent. -EMFILE, and
 *   -EINVAL  fds is NULL, or the job has a socket of brood_open() or brood_give()
 *   -EBADF   one of fds is not open
 *   -E2BIG   too many fds
 * Since: 0.2.0.
 */
BROOD_PUBLIC int brood_job_reply_fds(
	struct brood_job *job, const int *fds, size_t count) BROOD_NOEXCEPT;

/*
 * Sends a message to options.on_progress. The call never blocks.
 * Parameters: data: copied; size: at most BROOD_PROGRESS_MAX.
 * Returns: 0.
 * Errors:
 *   -EAGAIN    there is no room: the message is dropped
 *   -EMSGSIZE  the message is too long
 *   -EINVAL    data is NULL, and size is not 0
 *   -EPERM     this process is a child of the job
 * Since: 0.2.0.
 */
BROOD_PUBLIC int brood_job_progress(
	struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT;

/*
 * The socket of a job of brood_open() or brood_give(), or of another job by a forced handoff (made
 * when the job first asks, if its request is small). The
 * socket is blocking: the library clears O_NONBLOCK, for all processes that share the socket.
 * brood_job_take_fd() makes the fd the job's own: the library neither shuts it down nor closes it.
 * An fd that stays open costs the worker (BROOD_LEFT_FDS).
 * Returns: the fd. Without brood_job_take_fd() it is the library's, closed at the end of the job;
 *   the job may close it, too. After it a brood_call() ends by its verdict, not by EOF.
 * Errors:
 *   -ENOTSOCK  the job has bytes and no socket
 *   -EMFILE, -ENFILE, -ENOMEM, -EPERM  the job of a brood_call() or brood_submit() by handoff gets
 *              its socket when it first asks, since 0.3.0: there was no room for it, or the caller
 *              is a child of the job
 * Since: 0.1.0.
 */
BROOD_PUBLIC int brood_job_fd(struct brood_job *job) BROOD_NOEXCEPT;
BROOD_PUBLIC int brood_job_take_fd(struct brood_job *job) BROOD_NOEXCEPT;

/*
 * Whether the job shall end: it is cancelled, out of time, or the pool stops.
 * Returns: not 0 from the soft step on, also for a job that blocks all signals.
 * Threads: any thread of the worker; async-signal-safe. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_job_cancelled(const struct brood_job *job) BROOD_NOEXCEPT;

/*
 * An fd for poll(). It becomes readable at the soft step, and stays so.
 * Returns: the fd; the library's, made by the first call, closed at the end of the job.
 * Errors: -EMFILE, -ENFILE, -ENOMEM. Since: 0.1.0.
 */
BROOD_PUBLIC int brood_job_cancel_fd(struct brood_job *job) BROOD_NOEXCEPT;

/*
 * The time until the soft step.
 * Returns: milliseconds; 0: the soft step has come; BROOD_FOREVER: there is no limit. Since: 0.1.0.
 */
BROOD_PUBLIC uint32_t brood_job_time_left_ms(const struct brood_job *job) BROOD_NOEXCEPT;

/*
 * Sends a line to the engine's log, event JOB_LOG. The call never blocks.
 * Parameters: format: as printf(). The line is cut at 400 bytes, the NUL included.
 * Returns: 0.
 * Errors:
 *   -EAGAIN  there is no room: the line is dropped
 *   -EINVAL  level or format is wrong
 *   -EPERM   this process is a child of the job
 * Since: 0.1.0.
 */
BROOD_PUBLIC int brood_job_log(struct brood_job *job, enum brood_level level, const char *format,
	...) BROOD_NOEXCEPT BROOD_PRINTF(3, 4);

/*
 * Wishes that this worker retires: once another worker has taken its place it ends, between two
 * jobs. Until then it may get more jobs.
 * Returns: 0; also when the worker retires already.
 * Errors:
 *   -EAGAIN   there is no room now: try again, or leave it
 *   -EPERM    this process is a child of the job
 *   -ENOTSUP  inline mode has no workers
 * Since: 0.3.0.
 */
BROOD_PUBLIC int brood_job_retire(struct brood_job *job) BROOD_NOEXCEPT;

#ifdef __cplusplus
}
#endif

/*
 * C++: the macros above again, such that fn may have commas of its own. Each macro passes the text
 * of all arguments. The library finds the name of fn in the text, once for each function. The first
 * byte of the text, which no UTF-8 text has, says how many arguments follow fn.
 */
#ifdef __cplusplus
#undef brood_open
#define brood_open(...) brood_open_cxx("\373" #__VA_ARGS__, __VA_ARGS__)
inline int brood_open_cxx(const char *text, struct brood *brood, brood_fn *fn,
	const struct brood_job_options *options, int *ret_fd,
	struct brood_handle **ret_handle) BROOD_NOEXCEPT
{
	return brood_open_named(brood, fn, text, options, ret_fd, ret_handle);
}

#undef brood_give
#define brood_give(...) brood_give_cxx("\373" #__VA_ARGS__, __VA_ARGS__)
inline int brood_give_cxx(const char *text, struct brood *brood, brood_fn *fn, int fd,
	const struct brood_job_options *options, struct brood_handle **ret_handle) BROOD_NOEXCEPT
{
	return brood_give_named(brood, fn, text, fd, options, ret_handle);
}

#undef brood_call
#define brood_call(...) brood_call_cxx("\376" #__VA_ARGS__, __VA_ARGS__)
inline ssize_t brood_call_cxx(const char *text, struct brood *brood, brood_fn *fn,
	const void *request, size_t request_size, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT
{
	return brood_call_named(
		brood, fn, text, request, request_size, reply, reply_size, options, ret_verdict);
}

#undef brood_callv
#define brood_callv(...) brood_callv_cxx("\376" #__VA_ARGS__, __VA_ARGS__)
inline ssize_t brood_callv_cxx(const char *text, struct brood *brood, brood_fn *fn,
	const struct iovec *request, size_t request_count, void *reply, size_t reply_size,
	const struct brood_job_options *options, struct brood_verdict *ret_verdict) BROOD_NOEXCEPT
{
	return brood_callv_named(
		brood, fn, text, request, request_count, reply, reply_size, options, ret_verdict);
}

#undef brood_submit
#define brood_submit(...) brood_submit_cxx("\374" #__VA_ARGS__, __VA_ARGS__)
inline int brood_submit_cxx(const char *text, struct brood *brood, brood_fn *fn,
	const void *request, size_t request_size, const struct brood_job_options *options,
	uint64_t *ret_id) BROOD_NOEXCEPT
{
	return brood_submit_named(brood, fn, text, request, request_size, options, ret_id);
}

#undef brood_submitv
#define brood_submitv(...) brood_submitv_cxx("\374" #__VA_ARGS__, __VA_ARGS__)
inline int brood_submitv_cxx(const char *text, struct brood *brood, brood_fn *fn,
	const struct iovec *request, size_t request_count, const struct brood_job_options *options,
	uint64_t *ret_id) BROOD_NOEXCEPT
{
	return brood_submitv_named(brood, fn, text, request, request_count, options, ret_id);
}

#undef brood_submit_many
#define brood_submit_many(...) brood_submit_many_cxx("\373" #__VA_ARGS__, __VA_ARGS__)
inline ssize_t brood_submit_many_cxx(const char *text, struct brood *brood, brood_fn *fn,
	struct brood_submission *jobs, size_t count,
	const struct brood_job_options *options) BROOD_NOEXCEPT
{
	return brood_submit_many_named(brood, fn, text, jobs, count, options);
}

#undef brood_map
#define brood_map(...) brood_map_cxx("\375" #__VA_ARGS__, __VA_ARGS__)
inline ssize_t brood_map_cxx(const char *text, struct brood *brood, brood_fn *fn,
	const struct iovec *items, size_t count, const struct brood_map_options *options,
	brood_item_fn *on_item, void *context) BROOD_NOEXCEPT
{
	return brood_map_named(brood, fn, text, items, count, options, on_item, context);
}

#endif

#endif
