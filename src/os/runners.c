/* SPDX-License-Identifier: MIT */
/* runners.c - see runners.h. */
#include "runners.h"
#include "procfs.h"

#include <stdio.h>
#include <time.h>

#define TEXT_SIZE 2048 /* the status file of a thread has about 1300 bytes */
/* A process that gets less than this share of a CPU does not spin, or the machine starves it. */
#define SHARE 16

static uint64_t cpu_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static bool used_cpu(const struct runners *since, uint64_t now, uint64_t cpu)
{
	return cpu - since->cpu_ns >= (now - since->at_ns) / SHARE && cpu != since->cpu_ns;
}

static uint64_t number_after(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	unsigned long long value = 0;

	if (at)
		procfs_number(at + strlen(name), &value);
	return value;
}

/* False: the thread does not run, or is gone. */
static bool look(pid_t pid, pid_t tid, uint64_t *ret_sleeps)
{
	char path[PROCFS_PATH], name[40], text[TEXT_SIZE];
	const char *state;

	snprintf(name, sizeof name, "task/%d/status", (int)tid);
	if (procfs_read(procfs_path(path, pid, name), text, sizeof text) < 0)
		return false;
	state = strstr(text, "\nState:\t");
	*ret_sleeps = number_after(text, "\nvoluntary_ctxt_switches:\t");
	return state && state[8] == 'R';
}

struct walk {
	pid_t pid;
	struct runners *runners;
};

static int note_one(void *context, int tid)
{
	struct walk *w = context;
	struct runners *r = w->runners;
	uint64_t sleeps;

	if (look(w->pid, tid, &sleeps))
		r->list[r->count++] = (struct runner){ .tid = tid, .sleeps = sleeps };
	return r->count == RUNNERS_MAX;
}

void runners_note(pid_t pid, struct runners *r)
{
	struct walk walk = { .pid = pid, .runners = r };
	uint64_t now = now_ns(), cpu = cpu_of(pid);
	bool used = used_cpu(r, now, cpu);
	char path[PROCFS_PATH];

	*r = (struct runners){ .at_ns = now, .cpu_ns = cpu };
	if (used && procfs_has_our_pids())
		procfs_each(procfs_path(path, pid, "task"), note_one, &walk);
}

bool runners_never_slept(pid_t pid, const struct runners *r)
{
	uint64_t sleeps;

	if (r->count == 0 || !used_cpu(r, now_ns(), cpu_of(pid)))
		return false;
	for (uint32_t i = 0; i < r->count; i++)
		if (look(pid, r->list[i].tid, &sleeps) && sleeps == r->list[i].sleeps)
			return true;
	return false;
}
