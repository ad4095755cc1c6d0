/* SPDX-License-Identifier: MIT */
/*
 * chaos.c - the judge's kills. The judge sends them, so that no thread of the engine is disturbed.
 *
 * Workers write their pids at birth (tally.born). Right before a kill, chaos opens a pidfd and
 * checks that the process is a living child of the supervisor. So a process that got an old
 * worker's pid is never hit. --kill-rate mostly spares newborn workers: otherwise a pool that has
 * only newborn workers left would lose each of them before it is ready, which is not what a rate
 * means. Chaos notes the time before each kill. The engine measures the recovery from this time,
 * and believes a verdict "killed from outside" only if there is such a note.
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RETRY_NS (5 * NS_MS) /* before the next try, when there was nobody to kill */
/* Kills that are behind their time are made up for, up to this much time. */
#define DEBT_NS  (500 * NS_MS)
#define CHILD_MS 20 /* a worker younger than this is a newborn */
#define ANY_AGE  16 /* one kill in this many does not spare newborns */
/*
 * A birth was counted, but its pid has not come for so long: the worker died before it wrote the
 * pid.
 */
#define UNWRITTEN_NS (50 * NS_MS)

struct chaos {
	const struct options *options;
	struct tally *tally;
	pid_t supervisor;
	uint64_t start_ns, random;
	uint64_t next_rate_ns, interval_ns; /* next_rate_ns UINT64_MAX: there is no rate */
	uint64_t retry_ns;                  /* there was nobody to kill: wait until this time */
	unsigned next_all;
	bool over;
	uint64_t killed;
	uint32_t births; /* how many births were read from the ring */
	/* Since when the next birth is counted but not written; 0: this is not so. */
	uint64_t unwritten_ns;
	uint64_t *live; /* as in tally.born */
	size_t live_count, live_max;
};

const char *chaos_name(uint32_t kind)
{
	static const char *const names[CHAOS_KINDS] = { "kill", "kill-all", "stop", "fd-pressure",
		"memory-pressure", "disk-full", "engine-stall", "reload", "resize",
		"supervisor-kill" };

	return kind < CHAOS_KINDS ? names[kind] : "?";
}

/* An act that is over at once. */
static void mark(struct tally *t, enum chaos_kind kind)
{
	uint32_t count = atomic_load(&t->judge.marks_count);
	uint64_t now = load_now();

	if (count == CHAOS_MARKS_MAX)
		return;
	t->judge.marks[count] = (struct chaos_mark){
		.at_ns = now, .until_ns = now, .kind = kind, .slot = CHAOS_NO_SLOT
	};
	atomic_store(&t->judge.marks_count, count + 1);
}

struct chaos *chaos_new(const struct options *o, struct tally *tally, pid_t supervisor)
{
	struct chaos *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->options = o;
	c->tally = tally;
	c->supervisor = supervisor;
	c->random = payload_mix(o->seed + 1);
	c->over = true;
	c->live_max = BIRTHS_MAX + o->workers;
	c->live = calloc(c->live_max, sizeof *c->live);
	return c->live ? c : chaos_free(c);
}

struct chaos *chaos_free(struct chaos *c)
{
	if (c)
		free(c->live);
	free(c);
	return NULL;
}

void chaos_begin(struct chaos *c, uint64_t start_ns)
{
	c->start_ns = start_ns;
	c->interval_ns = c->options->kill_rate > 0
		? (uint64_t)((double)NS_S / c->options->kill_rate)
		: UINT64_MAX;
	c->next_rate_ns = c->interval_ns == UINT64_MAX ? UINT64_MAX : start_ns + c->interval_ns;
	c->over = false;
}

static uint64_t after(const struct chaos *c, double seconds)
{
	return c->start_ns + (uint64_t)(seconds * (double)NS_S);
}

uint64_t chaos_next(const struct chaos *c)
{
	uint64_t next = c->next_rate_ns > c->retry_ns ? c->next_rate_ns : c->retry_ns, when;

	if (c->over)
		return UINT64_MAX;
	if (c->next_all < c->options->kill_all_count) {
		when = after(c, c->options->kill_all_at[c->next_all]);
		next = when < next ? when : next;
	}
	if (c->options->kill_supervisor_at >= 0) {
		when = after(c, c->options->kill_supervisor_at);
		next = when < next ? when : next;
	}
	return next;
}

void chaos_end(struct chaos *c) { c->over = true; }

uint64_t chaos_killed(const struct chaos *c) { return c->killed; }

static bool is_worker(const struct chaos *c, pid_t pid)
{
	char path[40], text[512], state = 0;
	const char *at;
	int ppid = 0;
	size_t n;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = 0;
	at = strrchr(text, ')');
	return at && sscanf(at + 1, " %c %d", &state, &ppid) == 2 && ppid == c->supervisor &&
		state != 'Z' && state != 'X';
}

/* Forgets dead workers; needed only when the list has grown long. */
static void sweep(struct chaos *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->live_count; i++) {
		if (is_worker(c, BORN_PID(c->live[i])))
			c->live[kept++] = c->live[i];
	}
	c->live_count = kept;
}

static void read_births(struct chaos *c)
{
	struct tally *t = c->tally;
	uint32_t births = atomic_load(&t->births);

	if (births - c->births > BIRTHS_MAX)
		c->births = births - BIRTHS_MAX;
	for (; c->births != births; c->births++) {
		uint64_t born = atomic_exchange(&t->born[c->births % BIRTHS_MAX], 0);

		if (!born) {
			if (!c->unwritten_ns)
				c->unwritten_ns = load_now();
			if (load_now() < c->unwritten_ns + UNWRITTEN_NS)
				return;
		}
		c->unwritten_ns = 0;
		if (c->live_count == c->live_max)
			sweep(c);
		if (born && c->live_count < c->live_max)
			c->live[c->live_count++] = born;
	}
	if (c->live_count > 2 * (size_t)c->options->workers + 1024)
		sweep(c);
}

static bool kill_one(struct chaos *c, pid_t pid)
{
	struct tally *t = c->tally;
	uint32_t kills = atomic_load(&t->judge.kills);
	struct killed *record = &t->judge.ring[kills % KILLS_MAX];
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool killed = false;

	if (fd < 0)
		return false;
	if (pid < PIDS_MAX && is_worker(c, pid)) {
		record->pid = pid;
		record->when_ns = load_now();
		atomic_store(&t->killed_ns[pid], record->when_ns);
		killed = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	}
	close(fd);
	if (!killed)
		return false;
	mark(t, CHAOS_KILL);
	c->killed++;
	atomic_store(&t->judge.kills, kills + 1);
	futex_wake(&t->births);
	return true;
}

/* Starts at a random worker and takes the first that is old enough; live_count: there is none. */
static size_t pick(struct chaos *c)
{
	uint64_t now_ms = load_now() / NS_MS, min_ms;
	size_t from;

	if (!c->live_count)
		return 0;
	c->random = payload_mix(c->random);
	from = (size_t)((c->random >> 8) % c->live_count);
	min_ms = c->random % ANY_AGE ? CHILD_MS : 0;
	for (size_t n = 0; n < c->live_count; n++) {
		size_t i = (from + n) % c->live_count;

		if (BORN_MS(c->live[i]) + min_ms <= now_ms)
			return i;
	}
	return c->live_count;
}

/* False: there is nobody to kill. */
static bool kill_random(struct chaos *c)
{
	size_t i;

	read_births(c);
	while ((i = pick(c)) < c->live_count) {
		pid_t pid = BORN_PID(c->live[i]);

		c->live[i] = c->live[--c->live_count];
		if (kill_one(c, pid))
			return true;
	}
	return false;
}

static void kill_all(struct chaos *c)
{
	read_births(c);
	while (c->live_count)
		kill_one(c, BORN_PID(c->live[--c->live_count]));
}

bool chaos_act(struct chaos *c)
{
	uint64_t now = load_now();

	if (c->over)
		return false;
	if (c->options->kill_supervisor_at >= 0 &&
		now >= after(c, c->options->kill_supervisor_at)) {
		c->over = true;
		mark(c->tally, CHAOS_SUPERVISOR_KILL);
		return kill(c->supervisor, SIGKILL) == 0;
	}
	while (c->next_all < c->options->kill_all_count &&
		now >= after(c, c->options->kill_all_at[c->next_all])) {
		kill_all(c);
		c->next_all++;
	}
	if (c->next_rate_ns != UINT64_MAX && c->next_rate_ns + DEBT_NS < now)
		c->next_rate_ns = now - DEBT_NS;
	while (now >= c->next_rate_ns && now >= c->retry_ns) {
		if (kill_random(c))
			c->next_rate_ns += c->interval_ns;
		else
			c->retry_ns = now + RETRY_NS;
	}
	return false;
}
