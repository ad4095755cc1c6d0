/* SPDX-License-Identifier: MIT */
/*
 * parts.h - parts of the root struct (root.h), each used mostly by the file of that name.
 */
#ifndef BROOD_SUPERVISOR_PARTS_H
#define BROOD_SUPERVISOR_PARTS_H

#include "../loop/loop.h"
#include "../os/process.h"
#include <brood.h>

struct init_data {
	int memfd;
	uint64_t size;
	uint32_t version;
	int fds[BROOD_INIT_FDS_MAX];
	uint32_t fds_count;
};

struct engine_process {
	pid_t pid;
	int pidfd;
	struct source death, channel;
	bool exiting, ended, channel_ended, kill_sent, paused, stopped_pool;
	struct process_exit exit;
	uint64_t start_ticks;   /* as in struct proc_stat; 0: not known */
	uint64_t first_stop_ns; /* when a stop signal came; 0: none has */
	struct timer stop_timer, eof_timer;
};

struct guard_process {
	pid_t pid;
	int pidfd;
	struct source death;
	struct timer respawn;
	uint64_t born_ns;
};

/* status: the engine's own words. still_said: that the engine is stopped */
struct manager {
	bool engine_ready, ready_said, ready_pending, stopping_said, stopping_pending,
		status_pending;
	char status[208];
	bool still_said;
	struct timer watchdog;
};

struct cores {
	uint64_t began;
	uint32_t count;
	struct timer timer;
};

#endif
