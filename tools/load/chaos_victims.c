/* SPDX-License-Identifier: MIT */
/*
 * chaos_victims.c - see chaos_victims.h.
 *
 * Workers write their pids at birth (tally.born). The slot's number stands in the worker's title:
 * "NAME: worker 3", which the library sets before worker_init. Right before a signal a pidfd is
 * opened, and then the process must be a living child of the supervisor. So a process that got an
 * old worker's pid is never hit. The time before each kill is noted. The engine measures the
 * recovery from this time, and believes a verdict "killed from outside" only if there is such a
 * note.
 */
#include "chaos_victims.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A birth was counted, but its pid has not come for so long: the worker died before it wrote the
 * pid.
 */
#define UNWRITTEN_NS (50 * NS_MS)

struct victims {
	const struct options *options;
	struct tally *tally;
	pid_t supervisor;
	uint32_t births; /* how many births were read from the ring */
	/* Since when the next birth is counted but not written; 0: this is not so. */
	uint64_t unwritten_ns, killed;
	uint32_t slots;
	uint64_t *worker; /* by slot, as in tally.born; 0: none */
};

struct victims *victims_new(const struct options *o, struct tally *tally, pid_t supervisor)
{
	struct victims *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->options = o;
	v->tally = tally;
	v->supervisor = supervisor;
	for (unsigned pool = 0; pool < o->pools; pool++)
		v->slots += pools_slots(o, pool);
	v->worker = calloc(v->slots, sizeof *v->worker);
	return v->worker ? v : victims_free(v);
}

struct victims *victims_free(struct victims *v)
{
	if (v)
		free(v->worker);
	free(v);
	return NULL;
}

uint32_t victims_slots(const struct victims *v) { return v->slots; }

uint64_t victims_killed(const struct victims *v) { return v->killed; }

/* The slots of a pool come after those of the pool before it, spare ones included. */
uint32_t victims_slot(const struct victims *v, uint64_t random)
{
	const struct options *o = v->options;
	uint32_t number = (uint32_t)((random >> 8) % o->workers), base = 0;

	for (unsigned pool = 0; pool < o->pools; pool++) {
		unsigned workers = options_pool_workers(o, pool);

		if (number < workers)
			return base + number;
		number -= workers;
		base += pools_slots(o, pool);
	}
	return 0;
}

/* ---- births ---------------------------------------------------------------------------------- */

static size_t read_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[40];
	size_t n;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fread(text, 1, size - 1, file);
	fclose(file);
	text[n] = 0;
	return n;
}

static bool is_worker(const struct victims *v, pid_t pid)
{
	char text[512], state = 0;
	const char *at = NULL;
	int ppid = 0;

	if (read_text(pid, "stat", text, sizeof text))
		at = strrchr(text, ')');
	return at && sscanf(at + 1, " %c %d", &state, &ppid) == 2 && ppid == v->supervisor &&
		state != 'Z' && state != 'X';
}

/* A kernel that shows no titles leaves a free slot for the worker. */
static uint32_t slot_of(const struct victims *v, pid_t pid)
{
	static const char title[] = ": worker ";
	char text[512];
	const char *at = NULL;
	unsigned slot = 0;

	if (read_text(pid, "cmdline", text, sizeof text))
		at = strstr(text, title);
	if (at && sscanf(at + strlen(title), "%u", &slot) == 1)
		return slot;
	while (!at && slot < v->slots && v->worker[slot] && is_worker(v, BORN_PID(v->worker[slot])))
		slot++;
	return slot;
}

void victims_read(struct victims *v)
{
	struct tally *t = v->tally;
	uint32_t births = atomic_load(&t->births), slot;

	if (births - v->births > BIRTHS_MAX)
		v->births = births - BIRTHS_MAX;
	for (; v->births != births; v->births++) {
		uint64_t born = atomic_exchange(&t->born[v->births % BIRTHS_MAX], 0);

		if (!born) {
			if (!v->unwritten_ns)
				v->unwritten_ns = load_now();
			if (load_now() < v->unwritten_ns + UNWRITTEN_NS)
				return;
		}
		v->unwritten_ns = 0;
		slot = born ? slot_of(v, BORN_PID(born)) : v->slots;
		if (slot < v->slots)
			v->worker[slot] = born;
	}
}

pid_t victims_worker(const struct victims *v, uint32_t slot, uint64_t min_ms)
{
	uint64_t born = slot < v->slots ? v->worker[slot] : 0;

	return born && BORN_MS(born) + min_ms <= load_now() / NS_MS ? BORN_PID(born) : 0;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* A pidfd of a worker; -1: this process is none. */
static int open_worker(const struct victims *v, pid_t pid)
{
	int fd = pid > 0 && pid < PIDS_MAX ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd >= 0 && !is_worker(v, pid)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool victims_kill(struct victims *v, uint32_t slot, pid_t pid)
{
	struct tally *t = v->tally;
	uint32_t kills = atomic_load(&t->judge.kills);
	struct killed *record = &t->judge.ring[kills % KILLS_MAX];
	int fd = open_worker(v, pid);
	bool killed;

	v->worker[slot] = 0;
	if (fd < 0)
		return false;
	record->pid = pid;
	record->when_ns = load_now();
	atomic_store(&t->killed_ns[pid], record->when_ns);
	killed = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	close(fd);
	if (!killed)
		return false;
	v->killed++;
	atomic_store(&t->judge.kills, kills + 1);
	futex_wake(&t->births);
	return true;
}

static bool send(const struct victims *v, pid_t pid, int signal)
{
	int fd = open_worker(v, pid);
	bool sent = fd >= 0 && syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0;

	if (fd >= 0)
		close(fd);
	return sent;
}

bool victims_stop(struct victims *v, pid_t pid) { return send(v, pid, SIGSTOP); }

void victims_go_on(struct victims *v, pid_t pid) { send(v, pid, SIGCONT); }
