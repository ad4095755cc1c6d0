/* SPDX-License-Identifier: MIT */
/*
 * brood-status.h - the layout of a brood's status page, for programs that look at a brood from
 * outside. Since: 0.3.0. brood-status(5) tells how to find the page, and how to read it.
 *
 * The page is a memory file with the link name BROOD_STATUS_LINK among the open files of the
 * supervisor. struct brood_status_head stands at its beginning. It says where each part is: so many
 * records, each `stride` bytes behind the one before, of which `size` bytes mean something. A later
 * version adds fields at the end of records, and parts at the end of the list. A reader takes the
 * smaller one of both sizes, and 0 for the rest. Another `version` is another layout.
 *
 * Who writes what: the supervisor the parts BROOD, POOLS, COUNTS, SLOTS and REPORTS and the first
 * of SUMS of each pool; the engine the others, and LEASES; each worker its records of WORKERS and
 * STACKS. Do not believe what a worker writes: the job that runs there can write it, too.
 *
 * A record that begins with `sequence` is written in this way: an odd number goes there, then the
 * fields, then the next even number. Read it before and after the fields; where the two differ, or
 * are odd, read again. After some tries say that the record is in flux: its writer may have been
 * killed or stopped half way. All other fields are read one by one.
 *
 * Numbers have the machine's byte order. Times are nanoseconds of CLOCK_MONOTONIC; 0: never.
 */
#ifndef BROOD_STATUS_H
#define BROOD_STATUS_H

#include <stddef.h>
#include <stdint.h>

#define BROOD_STATUS_MAGIC    UINT64_C(0x74732d646f6f7262)
#define BROOD_STATUS_VERSION  1
#define BROOD_STATUS_LINK     "/memfd:brood-status (deleted)" /* what readlink() says */
#define BROOD_STATUS_BUCKETS  576
#define BROOD_STATUS_OUTCOMES 16 /* room for enum brood_outcome */
#define BROOD_STATUS_DETAILS  64 /* room for enum brood_detail */
#define BROOD_STATUS_CAUSES   16 /* room for enum brood_status_cause */
#define BROOD_STATUS_DEPTH    128
#define BROOD_STATUS_FRAMES   20
#define BROOD_STATUS_MODULES  8
#define BROOD_STATUS_NOWHERE  0xffff /* a frame's module: none that its worker knew */

/* The parts, in the order of the head's list. */
enum brood_status_part_number {
	BROOD_STATUS_BROOD,   /* one record: struct brood_status_brood */
	BROOD_STATUS_POOLS,   /* one for each pool: struct brood_status_pool */
	BROOD_STATUS_COUNTS,  /* one for each pool: struct brood_status_counts */
	BROOD_STATUS_SUMS,    /* record n is of pool n % pools: struct brood_status_sums */
	BROOD_STATUS_SLOTS,   /* one for each slot: struct brood_status_slot */
	BROOD_STATUS_WORKERS, /* one for each slot: struct brood_status_worker */
	BROOD_STATUS_LEASES,  /* struct brood_status_lease; a slot on lease names its record */
	BROOD_STATUS_STACKS,  /* one for each slot: struct brood_status_stack */
	BROOD_STATUS_REPORTS, /* the last death reports: struct brood_status_report */
	BROOD_STATUS_PARTS
};
struct brood_status_part {
	uint64_t at;               /* of the first record, in bytes from the beginning */
	uint32_t count, stride;    /* records; bytes from one to the next */
	uint32_t size, reserved32; /* bytes of a record that have a meaning */
};
/* Written before the first fork, and never again. */
struct brood_status_head {
	uint64_t magic;
	uint32_t version, size; /* size: of this struct */
	uint64_t file_size;
	uint32_t pools, parts;
	struct brood_status_part part[BROOD_STATUS_PARTS];
};

/* SERVING: each pool has had all its workers ready, and takes jobs. */
enum brood_status_state {
	BROOD_STATUS_STARTING = 1,
	BROOD_STATUS_SERVING,
	/*
	 * It is about to end: a stop signal came, or it takes no jobs any more. Jobs that wait or
	 * run may finish.
	 */
	BROOD_STATUS_DRAINING,
	BROOD_STATUS_STOPPING /* jobs are cancelled, workers are ended */
};
struct brood_status_brood {
	uint32_t sequence, state;
	int32_t supervisor_pid, engine_pid, guard_pid, spawner_pid; /* 0: there is none */
	uint64_t started_ns;
	uint64_t started_unix_ns; /* the same moment, since 1970 */
	uint64_t state_since_ns;
	uint32_t workers, reserved32; /* at most, in all pools together */
	char name[64];                /* options.title, or the program's name */
	char version[16];             /* of the library */
	char control[112]; /* the path of the control socket, as the supervisor sees it; "": none */
};

/* Milliseconds; UINT32_MAX: for ever. As in struct brood_options, without zeros for defaults. */
struct brood_status_times {
	uint32_t queue_ms, run_ms, grace_ms, init_ms, drain_ms, stop_ms, core_ms, lease_idle_ms,
		healthy_ms, backoff_min_ms, backoff_max_ms, idle_ms, retire_age_ms,
		poison_within_ms, poison_forget_ms, reserved32;
};
/* How a pool is set up, and its last reload. Names: struct brood_pool_options. */
struct brood_status_pool {
	uint32_t sequence, number;
	char name[32];
	uint32_t first_slot, places;       /* its slots; spare ones included */
	uint32_t scaling;                  /* enum brood_scaling */
	uint32_t workers;                  /* at most, ever */
	uint32_t workers_min, workers_max; /* now: brood_pool_resize() changes both */
	uint32_t spare, backlog, leases, surge, dispatch, flags, retire_jobs, poison_after,
		retry_percent;
	uint32_t init_version; /* of the init data that new workers get */
	uint32_t reload_epoch; /* how many reloads began: the generation of its workers */
	uint32_t reloading;    /* 1: a reload runs */
	int32_t reload_result; /* of the last reload: 0 or -errno; -EINPROGRESS: it runs */
	uint32_t resizes;
	uint64_t reload_id, reload_began_ns;
	uint64_t worker_memory, stack_size, retire_memory;
	struct brood_status_times times;
};

/* Why a worker ended. A later library may have more. */
enum brood_status_cause {
	BROOD_STATUS_ENDED = 1, /* as it was asked to: the pool stops */
	BROOD_STATUS_RETIRED,   /* between jobs: for what one left, worn, reloaded, too many */
	BROOD_STATUS_CRASHED,   /* a signal that Brood did not send, but SIGKILL */
	BROOD_STATUS_OUTSIDE,   /* SIGKILL, but not from Brood */
	BROOD_STATUS_EXITED,    /* a job or a hook called exit() */
	BROOD_STATUS_TIMED_OUT, /* killed: the job's time was over */
	BROOD_STATUS_CANCELLED, /* killed: the job was cancelled */
	BROOD_STATUS_STOPPED,   /* killed: the pool stops */
	BROOD_STATUS_STUCK,     /* killed: the job had ended, and the worker said no more */
	BROOD_STATUS_NONSENSE,  /* killed: what it sent or wrote makes no sense */
	BROOD_STATUS_UNREADY, /* it was not ready in time, could not begin, or worker_init failed */
	BROOD_STATUS_ESCAPED, /* a job left its frame */
	BROOD_STATUS_UNKNOWN, /* somebody else has waited for it */
	BROOD_STATUS_OPERATOR, /* killed: brood-ctl kill */
	BROOD_STATUS_OOM       /* the kernel killed it for want of memory */
};
/* Gauges and counters of a pool. What is about no pool is counted in the first pool's record. */
struct brood_status_counts {
	/* now; struct brood_stats tells of all but the last three */
	uint32_t workers, ready, idle, busy, starting, queued, queued_peak, degraded, leased;
	uint32_t library; /* leased, without pinned leases */
	uint32_t undead, reserved32;
	uint64_t next_spawn_ns; /* when births go on after a pause; 0: there is no pause */
	/* Verdicts by handoff of each attempt, by outcome. Final ones: SUMS. */
	uint64_t attempts[BROOD_STATUS_OUTCOMES];
	uint64_t leases, leases_revoked, redispatched, retried, spawned, died, killed, retired,
		spawn_failures, strays_killed, guard_deaths, spawner_deaths, logs_dropped,
		undead_ever;
	uint64_t deaths[BROOD_STATUS_CAUSES]; /* by enum brood_status_cause */
};

/*
 * How often a time fell into each bucket. Buckets 0 to 15 are 64 ns wide. From there on each
 * doubling has 16 buckets of equal width: a bucket's middle is within 3.2 % of all its times.
 * brood_status_bucket_ns() says where a bucket begins. The last one, from 9.5 hours on, has no end.
 */
struct brood_status_histogram {
	uint64_t sum_ns, max_ns;
	uint64_t buckets[BROOD_STATUS_BUCKETS];
};
static inline uint64_t brood_status_bucket_ns(uint32_t bucket)
{
	return bucket < 16 ? (uint64_t)bucket << 6
			   : (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1 + 6);
}
/*
 * Counters of a pool: the pool's are the sum over its records. The first record of each pool is the
 * supervisor's, the others are the engine's. `waiting` alone is no counter, and may be negative in
 * one record.
 */
struct brood_status_sums {
	uint32_t used, pool; /* used: 0: all zeros, do not read on */
	int64_t waiting;     /* jobs that the engine has accepted, and that wait there, now */
	uint64_t reserved[6];
	/* Final verdicts: by enum brood_outcome, then enum brood_detail. */
	uint64_t verdicts[BROOD_STATUS_OUTCOMES][BROOD_STATUS_DETAILS];
	struct brood_status_histogram
		queue;                     /* from the call until the worker began, each attempt */
	struct brood_status_histogram run; /* from then to the end, or the worker's death */
	struct brood_status_histogram death_to_verdict;
	struct brood_status_histogram death_to_ready; /* until the next worker of that slot */
};

/* A slot: a place for a worker. */
enum brood_status_slot_state {
	BROOD_STATUS_EMPTY,   /* no process */
	BROOD_STATUS_ORDERED, /* a process is being made */
	BROOD_STATUS_BORN,    /* not ready yet */
	BROOD_STATUS_IDLE,
	BROOD_STATUS_BUSY,   /* has a job by handoff: `job` ... `tag` are valid */
	BROOD_STATUS_LEASED, /* jobs come from the engine: see struct brood_status_worker */
	BROOD_STATUS_ENDING, /* ends by itself, or was killed */
	BROOD_STATUS_UNDEAD, /* was killed, and does not end; `job` ... `tag`: what it had */
	BROOD_STATUS_SPARE   /* out of use */
};
enum brood_status_slot_flags {
	BROOD_STATUS_DUE = 1 << 0,     /* is to be replaced, although it is well */
	BROOD_STATUS_PINNED = 1 << 1,  /* its lease is the program's own: brood_lease() */
	BROOD_STATUS_KILLED = 1 << 2,  /* SIGKILL was sent */
	BROOD_STATUS_ON_LEASE = 1 << 3 /* UNDEAD: the job came by a lease */
};
struct brood_status_slot {
	uint32_t sequence, state;
	int32_t pid; /* 0: no process */
	uint32_t generation, pool;
	uint32_t lease;                       /* LEASED: the number of its record in LEASES */
	uint32_t flags, reserved32;           /* enum brood_status_slot_flags */
	uint64_t since_ns, born_ns, ready_ns; /* since when it is in this state */
	uint64_t jobs;    /* that this process has done; LEASED: before this lease */
	uint64_t base;    /* LEASED: the number of the job before the first one of this lease */
	uint64_t job, fn; /* id and address of the function, in all images of the program */
	uint64_t job_since_ns;  /* when the worker got it */
	char name[64], tag[64]; /* of the function; of the job */
};

/*
 * What a worker says. The state is the lower three bits of `word`: 2: a job runs. The rest is the
 * job's number, in this slot. On lease the job's id is that of entries[number % 128] in the slot's
 * lease. Take these fields for the job's only if `word` is the same before and after.
 */
struct brood_status_worker {
	uint64_t word;
	uint64_t began_ns; /* when the job began, as the worker says, to some tens of ns */
	uint64_t internal[3];
	uint64_t fn; /* the address of the function that began last; a plugin's: 0 */
	uint64_t more[10];
	char name[64], tag[64]; /* of the job that began last; they may lack their NULs */
};
#define BROOD_STATUS_RUNS(word)   ((word) % 8 == 2)
#define BROOD_STATUS_NUMBER(word) ((word) >> 3)

/* What the engine says of the jobs that are on their way to a worker on lease. */
struct brood_status_entry {
	uint64_t id;
	uint32_t run_ms, grace_ms, flags, reserved32; /* flags: enum brood_job_flags */
};
struct brood_status_lease {
	uint64_t published; /* the number of the last job that the worker was given */
	uint64_t internal[15];
	struct brood_status_entry entries[BROOD_STATUS_DEPTH];
};

/* ---- Where code was ---- */

/* A call that had not returned. The frames of a list begin with the innermost. */
struct brood_status_frame {
	uint64_t pc;     /* the address in the worker: where the call will return to */
	uint64_t offset; /* the same place as the module's file numbers it: what addr2line takes */
};
/* A file with code. path "": the program itself. */
struct brood_status_module {
	uint8_t build_id[20];
	uint8_t build_id_size; /* 0: it has none */
	char path[416];        /* as the worker saw it; cut if it is longer */
};

/*
 * Where a worker was when it was last asked. Who may signal the worker asks by sending SIGURG to
 * it, and reads the record when `sequence` is even again, and greater than before. brood-status(5)
 * says when a worker does not answer.
 */
enum brood_status_missing {
	BROOD_STATUS_WALKED, /* nothing is missing */
	BROOD_STATUS_HANDLER /* the job has handlers of SIGSEGV or SIGBUS: no look at the stack */
};
struct brood_status_stack {
	uint32_t sequence, missing; /* missing: enum brood_status_missing */
	uint64_t number;            /* BROOD_STATUS_NUMBER() of the job that ran; 0: none did */
	uint64_t at_ns;
	uint32_t took_ns; /* for so long the worker did nothing else */
	int32_t pid, tid;
	uint32_t reserved32;
	uint32_t frames_count, modules_count;
	uint16_t module[BROOD_STATUS_FRAMES]; /* of each frame, or BROOD_STATUS_NOWHERE */
	struct brood_status_frame frames[BROOD_STATUS_FRAMES];
	struct brood_status_module modules[BROOD_STATUS_MODULES];
};

/*
 * A death, or a look at a slow job: struct brood_report has the same fields, with their meaning.
 * The record of number n is at n % count, counted from 0; `number` is n + 1, and 0 while there was
 * none. While `raw` is 1 the names of functions are still to come: a reader may look them up by
 * module and offset.
 */
struct brood_status_call {
	uint64_t address, offset;
	uint32_t function_offset, reserved32;
	char function[96], module[64];
};
struct brood_status_report {
	uint32_t sequence, raw;
	uint64_t number;
	uint64_t at_ns;
	uint32_t pool; /* the number of the worker's pool */
	uint32_t modules_count;
	uint16_t module[BROOD_STATUS_FRAMES]; /* of each frame, or BROOD_STATUS_NOWHERE */
	struct brood_status_module modules[BROOD_STATUS_MODULES];
	size_t size; /* of the rest, which is a struct brood_report */
	uint64_t id;
	uint32_t cause; /* enum brood_report_cause */
	uint32_t slot, generation;
	int32_t pid, tid, signal, code, exit_code, core, syscall;
	uint64_t address, cpu_us, peak_kb;
	char name[64], tag[64], pool_name[32], waits[128], progress[128];
	uint32_t frames_count, reserved32;
	struct brood_status_call frames[BROOD_STATUS_FRAMES];
	uint64_t reserved[8];
	char stderr_text[4096];
};

#endif
