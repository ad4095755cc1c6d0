/* SPDX-License-Identifier: MIT */
/* hunt.c - see hunt.h. */
#include "hunt.h"

#include "pids.h"
#include "process.h"
#include "proc.h"

#include <signal.h>

#define SET_SIZE    32768 /* the set's size: a power of two */
#define FREEZES_MAX 50
#define FEW         16

struct hunter {
	hunt_prey_fn *prey;
	void *context;
	pid_t self;
	int met, count;      /* met: new processes in this walk; count: processes in the set */
	int killed, refused; /* killed: counts only processes that are not in the set */
};

/* The processes met in this hunt. Static, because guard and supervisor must not allocate now. */
static pid_t set[SET_SIZE];

static pid_t *place_of(pid_t pid)
{
	unsigned at = (unsigned)pid * 2654435761u % SET_SIZE;

	while (set[at] != 0 && set[at] != pid)
		at = (at + 1) % SET_SIZE;
	return &set[at];
}

/*
 * A pid may be reused between the look and the signal. So a pidfd pins the process first, and then
 * a second look proves that it is the right one. Without pidfds, kill() must do.
 */
static int signal_checked(struct hunter *h, pid_t pid, int sig)
{
	_cleanup_close_ int pidfd = process_pidfd_open(pid);

	if (pidfd == -ESRCH || !h->prey(h->context, pid))
		return -ESRCH;
	return process_signal(pidfd, pid, sig);
}

static int kill_now(struct hunter *h, pid_t pid)
{
	int r = signal_checked(h, pid, SIGKILL);

	h->refused += r == -EPERM;
	return r;
}

static int meet(void *context, int pid)
{
	struct hunter *h = context;
	struct proc_stat stat;
	pid_t *place;
	int r;

	if (pid <= 1 || pid == h->self || !h->prey(h->context, pid))
		return 0;
	if (proc_stat(pid, &stat) == 0 && stat.doomed)
		return 0; /* the process cannot fork any more */
	place = place_of(pid);
	if (*place == pid)
		return 0;
	/*
	 * The set is full. A process that cannot be remembered must not be frozen, so it is killed.
	 */
	if (h->count >= SET_SIZE / 2) {
		h->met++;
		h->killed += kill_now(h, pid) == 0;
		return 0;
	}
	r = signal_checked(h, pid, SIGSTOP);
	if (r == -ESRCH)
		return 0;
	*place = pid;
	h->count++;
	h->met++;
	return 0;
}

/* True: the last walk met no new process. A few new ones are killed before the next walk. */
static bool freeze(struct hunter *h, uint64_t until_ns)
{
	struct pids_walk walk;

	for (int i = 0; i < FREEZES_MAX; i++) {
		h->met = 0;
		walk = pids_walk(meet, h);
		if (walk.complete && h->met <= FEW)
			return h->met == 0;
		if (now_ns() >= until_ns)
			return false;
	}
	return false;
}

static void kill_met(struct hunter *h)
{
	for (size_t i = 0; i < SET_SIZE; i++)
		if (set[i] != 0)
			kill_now(h, set[i]);
}

struct hunt hunt(hunt_prey_fn *prey, void *context, uint64_t until_ns)
{
	struct hunter h = { .prey = prey, .context = context, .self = getpid() };
	bool over;
	int before;

	memset(set, 0, sizeof set);
	do {
		before = h.count + h.killed;
		over = freeze(&h, until_ns);
		if (h.count + h.killed == before)
			break;
		h.refused = 0;
		kill_met(&h);
	} while (now_ns() < until_ns);
	return (struct hunt){
		.killed = h.count + h.killed - h.refused, .refused = h.refused, .over = over
	};
}
