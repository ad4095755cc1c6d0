/* SPDX-License-Identifier: MIT */
/* supervisor.h - the supervisor: the process that called brood_start(). See supervisor.c. */
#ifndef BROOD_SUPERVISOR_SUPERVISOR_H
#define BROOD_SUPERVISOR_SUPERVISOR_H

#include "../os/delegated.h"
#include "../os/listening.h"
#include "../os/notify.h"
#include "../os/signals.h"
#include "../pool/kept.h"
#include "../wire/birth.h"

struct supervisor;
/* What the front door gives to the supervisor. */
struct supervisor_config {
	/* resolved; only the options that hold for all pools count */
	const struct brood_options *options;
	struct pool_setups pools;
	struct shared *shared;
	struct notify notify;
	bool failure_told; /* the service manager has heard of an earlier start that failed */
	struct delegated *delegated; /* taken right before the engine's fork */
	struct standard standard;    /* the flags of stdout and stderr at the start */
	struct stale stale;          /* what the program had open at the start */
	const char *tight[3];        /* lines about what is too low or wrong at the start, or "" */
	const char *hazards[3];      /* lines about what will cost jobs later, or "" */
	struct kept kept;            /* files that the engine keeps; the memory is the caller's */
	uint32_t store_room;         /* the most files that the service manager stores */
	uint32_t kept_room;          /* how many files may be kept: part of what is open */
	uint32_t records;
	int channel_fd, log_fd;       /* the supervisor's ends of channel and log socket */
	struct listening listening;   /* the control socket; fd -1: there is none */
	struct signals_state signals; /* the caller's signal state, for the children */
	/* Functions of other roles, from the front door: roles never include each other. */
	void (*worker_main)(struct worker_config *) __attribute__((noreturn));
	int (*worker_image)(struct birth *);
	void (*guard_main)(struct guard_config *) __attribute__((noreturn));
	/* NULL: the supervisor makes the workers itself */
	void (*spawner_main)(struct spawner_config *) __attribute__((noreturn));
};

/* Called before the first fork: makes memory, epoll and signalfd. */
int supervisor_prepare(const struct supervisor_config *config, struct supervisor **ret);
struct supervisor *supervisor_free(struct supervisor *s);
/* Called in the child that becomes the engine: closes what supervisor_prepare() opened. */
void supervisor_leave(struct supervisor *s);
/* Called after the engine's fork. Never returns: ends as the engine did. */
void supervisor_run(struct supervisor *s, pid_t engine_pid, int engine_pidfd)
	__attribute__((noreturn));

#endif
