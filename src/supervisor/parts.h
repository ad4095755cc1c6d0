/* SPDX-License-Identifier: MIT */
/* parts.h - parts of the root structs (root.h, pool_root.h), each used mostly by one file. */
#ifndef BROOD_SUPERVISOR_PARTS_H
#define BROOD_SUPERVISOR_PARTS_H

#include "cgroup_parts.h"
#include "../loop/loop.h"
#include "../base/base.h"
#include "../os/process.h"
#include "../pool/retire.h"
#include <brood.h>

struct init_data {
	int memfd;
	uint64_t size;
	uint32_t version;
	int fds[BROOD_INIT_FDS_MAX];
	uint32_t fds_count;
};

/* The renewal of workers that are well (pool/retire.h). slot.c counts `due` and `old`. */
struct renewals {
	struct retire_limits limits;
	uint64_t random;
	uint32_t due;    /* how many workers are due and may go when there is a replacement */
	uint32_t extra;  /* places for replacements, beyond the pool's size */
	uint32_t ending; /* workers that were idle and were told to end: renew.c, size.c */
	/*
	 * Due workers on leases. recalled: those whose lease was recalled softly, in the order of
	 * the recalls; leased: the others.
	 */
	struct list recalled, leased;
	struct timer again; /* when another lease may be recalled */
	/*
	 * The birth of a replacement failed: the machine has no room for one worker more. So old
	 * workers end before their replacements are born, until none is due.
	 */
	bool cramped;
	/*
	 * epoch: how many reloads the pool has had. old: how many workers, ready or not, were born
	 * before the last reload.
	 */
	uint32_t epoch, old;
};

/* The last reload of a pool: reload.c. */
struct reload {
	uint64_t id; /* the number that the engine gave to the reload */
	bool running;
	bool untold; /* the engine has not heard the result */
	int32_t result;
	uint32_t failures; /* how many births since the reload failed, in a row */
	uint32_t renewed;  /* new workers that became ready */
	uint32_t good;     /* the epoch of the workers that serve until this reload is done */
	/* A reload of the engine's that an operator's has superseded, untold to it; 0: none. */
	uint64_t lost_id;
	int32_t lost_result;
	char how[160]; /* if the reload failed: how the last worker ended */
	uint64_t began_ns;
	struct timer held;
	bool proven, has_before;
	struct init_data before; /* has_before: the init data that was proven last */
};

/*
 * What strays.c knows of a slot. sweeps: how many sweeps there had been when the slot's undead
 * worker ended at last. called: in supervisor.called, if the slot's worker has said CALLED since
 * the last sweep. cgroup: for cgroups.c.
 */
struct slot_strays {
	uint32_t sweeps;
	struct list called;
	struct slot_cgroup cgroup;
};

struct engine_process {
	pid_t pid;
	int pidfd;
	struct source death, channel;
	bool exiting, draining, ended, channel_ended, kill_sent, paused, stopped_pool;
	struct process_exit exit;
	uint64_t start_ticks;   /* when the engine was born, as in struct proc_stat; 0: not known */
	uint64_t first_stop_ns; /* when a stop signal came; 0: none has */
	int stop_signal;        /* a stop signal that waits to be passed on; 0: none does */
	pid_t stop_from;        /* who sent the first one */
	struct timer stop_timer, eof_timer, signal_timer;
};

struct guard_process {
	pid_t pid;
	int pidfd;
	struct source death;
	struct timer respawn;
	uint64_t born_ns;
};

/* The resolver, used by reports.c and resolver.c. */
struct resolver_process {
	pid_t pid; /* 0: there is none */
	int pidfd;
	struct source death;
	struct timer timer;
	uint64_t until, next_ns; /* when the resolver is killed; when the next one may begin */
	uint64_t told, tried;    /* how many reports were logged; how many had a resolver */
};

struct spawner_process {
	pid_t pid; /* 0: there is none */
	int pidfd;
	int fd;                       /* the supervisor's end of the spawner's channel; -1: none */
	struct source death, channel; /* channel.fd -1: the loop does not watch `fd` */
	struct timer respawn;
	struct timer answer; /* while orders are out: fires if no answer came for long */
	uint64_t born_ns;
	uint32_t orders;   /* slots in ORDERED */
	uint32_t pause_ms; /* the wait before the next spawner; 0: the last one made a worker */
	bool late;         /* the spawner has not answered for long, and gets a moment more */
	bool impossible;   /* no spawner can work here: the supervisor makes the workers itself */
	bool kill_sent;
};

/* What status_page.c needs to know of a slot. */
struct slot_status {
	struct list touched; /* in supervisor.touched, until its record is written */
	uint64_t since_ns;   /* since when the slot is in its state */
	uint64_t died_ns;    /* when its last worker ended; 0: the next one was ready since */
};

struct cores {
	uint64_t began;
	uint32_t count;
	struct timer timer;
};

#endif
