/* SPDX-License-Identifier: MIT */
/*
 * birth.h - what a new child of the supervisor gets before its role begins. This stands in wire
 * because the roles do not know each other: the front door gives the supervisor the functions in
 * which the other roles begin.
 */
#ifndef BROOD_WIRE_BIRTH_H
#define BROOD_WIRE_BIRTH_H

#include "../os/process.h"
#include "../os/signals.h"
#include "../os/stale.h"
#include "../os/standard.h"
#include "message.h"
#include "pool_setup.h"
#include "shared.h"

struct worker_config {                       /* The struct lives as long as the process. */
	const struct brood_options *options; /* resolved: no zeros for defaults; arrays are valid */
	const struct pool_setup *pool;       /* the pool of the worker */
	struct shared *shared;
	uint32_t slot, generation;
	uint32_t mark; /* the worker's mark: os/mark.h */
	/* The session that the worker shares, in which it makes a group; 0: it makes a session. */
	pid_t session;
	int channel_fd;
	pid_t supervisor_pid;
	int oom_score_adj; /* the value to set; -1001: leave it as it is */
	bool core;         /* the worker may make core files now */
	int init_memfd;    /* -1: there is no init data */
	uint64_t init_data_size;
	uint32_t init_version;
	int init_fds[BROOD_INIT_FDS_MAX];
	uint32_t init_fds_count;
	/* When the worker is worn; 0: never. retire_jobs of 1: the worker ends after that job. */
	uint64_t retire_jobs, retire_memory_kb;
	struct standard standard; /* the flags of stdout and stderr at the start */
	struct stale stale;       /* what the program had open at the start */
	/*
	 * True: the process is a copy of a spawner that had done what all workers have to do at
	 * their birth (worker/image.c). Beside a worker's files it has spawner_fd, the spawner's
	 * channel, and files_count files that came with the request for this worker.
	 */
	bool prepared;
	int spawner_fd, files_count;
	int leaf_fd;        /* the cgroup that the worker was born in, to be closed; -1: none */
	int stderr_fd;      /* the pipe that becomes the worker's stderr; -1: stderr stays */
	rlim_t files_limit; /* the caller's soft RLIMIT_NOFILE, which the worker has, too */
};

/* The supervisor has room for the files of so many jobs, whatever the limit on open files. */
#define BIRTH_JOBS_LEAST 256u

/*
 * How many open files the supervisor cannot do without: pidfd, channel and, with stderr_lines, one
 * more of each worker, some for itself, keep_fds, those of leases that are asked for, and those of
 * some handed-off jobs.
 */
static inline size_t birth_files_needed(const struct pool_setups *pools)
{
	/* the supervisor needs some twenty fds for itself, and has 46 */
	size_t count = 46 + pools->list[0].options.keep_fds_count;

	for_each_setup(pool, pools)
	{
		const struct brood_options *o = &pool->options;

		/* pidfd, channel, stderr */
		count += (2 + (o->stderr_lines > 0)) * (size_t)o->workers +
			MIN((size_t)o->workers + o->backlog, BIRTH_JOBS_LEAST) +
			(size_t)LEASE_WAITING(o->workers) * LEASE_FDS +
			/* the pool's present init data, and its former one */
			2 * (BROOD_INIT_FDS_MAX + 1);
	}
	return count;
}

/* How many it can use: jobs have all workers and backlog, and a lease waits for each worker. */
static inline size_t birth_files_useful(const struct pool_setups *pools)
{
	size_t count = birth_files_needed(pools);

	for_each_setup(pool, pools)
		count += (size_t)pool->options.workers * (1 + LEASE_FDS) + pool->options.backlog;
	return count;
}

/*
 * True: a spawner makes the workers. With fewer than BIRTH_SPAWNER_FROM workers a clone of the
 * supervisor costs no more than one of the spawner, which would be one more process for nothing.
 */
#define BIRTH_SPAWNER_FROM 256u
static inline bool birth_by_spawner(const struct pool_setups *pools)
{
	uint64_t workers = 0;

	for_each_setup(pool, pools) workers += pool->options.workers;
	switch (pools->list[0].options.spawn) {
	case BROOD_SPAWN_AUTO: return workers >= BIRTH_SPAWNER_FROM;
	case BROOD_SPAWN_FORK: return false;
	default: return true;
	}
}

/*
 * What all births have in common, in the process that makes the workers: the spawner or, if there
 * is none, the supervisor.
 */
struct birth {
	const struct pool_setups *pools;
	struct shared *shared;
	pid_t supervisor_pid, session;       /* session: as in struct worker_config */
	int oom_score_adj;                   /* as in struct worker_config */
	struct rlimit nofile;                /* the caller's limit */
	bool nofile_set;                     /* the maker of workers has that limit itself */
	const struct signals_state *signals; /* as the caller of brood_start() had them */
	struct standard standard;
	struct stale stale;
	/* In the spawner: whether worker_image() has succeeded; the spawner's channel. */
	bool prepared;
	int spawner_fd;
	/* from the front door, because the roles do not know each other */
	void (*worker_main)(struct worker_config *) __attribute__((noreturn));
	int (*worker_image)(struct birth *);
};
/*
 * Called in a new child, which becomes the worker that the message asks for. fds: those of the
 * message, in its order.
 */
void birth_worker(const struct birth *birth, const struct message_spawn *m, const int *fds)
	__attribute__((noreturn));

struct spawner_config {
	struct birth *birth; /* the spawner's own copy */
	const int *keep_fds; /* the program's fds that workers keep */
	size_t keep_fds_count;
	int channel_fd;
	enum process_spawn way;
};

struct guard_config {
	struct shared *shared;
	pid_t supervisor_pid;
	const int *leaves; /* the pools' cgroups: all in there is to be killed */
	size_t leaves_count;
};

#endif
