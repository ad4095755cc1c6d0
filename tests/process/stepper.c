/* SPDX-License-Identifier: MIT */
/*
 * stepper.c - death at every instruction. A plain program: Criterion's tests have threads, and what
 * is found here is to be printed.
 *
 * 	stepper [--every] [--sample N] [--seed N] [--list] [NAME...]
 *
 * A worker is killed after its 1st, 2nd, 3rd ... instruction from receiving a job to being idle
 * again, on every way that jobs can go. A supervisor is killed after its 1st, 2nd ... system call
 * while such jobs run, and an engine too. Always: one verdict a job, the pool full again, nothing
 * left.
 *
 * How every instruction is reached in minutes. Single steps cost some microseconds each, so walking
 * n of them for each n would be quadratic in the length of the way. But the way is cut in parts by
 * its system calls, and a worker gets from one to the next at full speed (PTRACE_SYSCALL), so only
 * the steps behind the last call before the place are walked. Places are named by that: "call 7, 31
 * instructions on". The end of each part is found by getting there, so nothing relies on a way
 * being equally long twice. The pool is used again for the next kill: its replacement is one fork
 * away.
 *
 * The tracer is this process, an ancestor of all others (which Yama wants), outside of the pool: no
 * parent of who it traces but the supervisor's. All run on one CPU: a stop is a switch there and
 * back, and waking another CPU would cost ten times as much.
 *
 * Without --every a sample: around each system call, and spread between; which ones is up to the
 * seed. tests/all/stepper does every single one.
 */
#define _GNU_SOURCE
#include "stepper.h"

#include <getopt.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STAGE_MS 60000

/* ---- the stage ---- */

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return pid > 0 &&
		(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			info.si_pid == pid);
}

bool stage_wait(atomic_int *word, int value, pid_t while_alive)
{
	const struct timespec slice = { 0, 50 * 1000 * 1000 };
	uint64_t end = test_now_ms() + (uint64_t)test_scaled(STAGE_MS);
	int now;

	while ((now = atomic_load(word)) != value) {
		if (test_now_ms() >= end || has_ended(while_alive))
			return atomic_load(word) == value;
		syscall(SYS_futex, word, FUTEX_WAIT, now, &slice, NULL, 0);
	}
	return true;
}

void stage_post(atomic_int *word, int value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, 16, NULL, NULL, 0);
}

bool case_fine(const struct case_result *r, int max_adopted, char *text, size_t size)
{
	if (!r->expired && r->failures == 0 && r->left == 0 &&
		(max_adopted < 0 || r->adopted <= max_adopted))
		return true;
	snprintf(text, size, "%sstatus %x, %u failures, %d orphans, %d left: %s",
		r->expired ? "did not end in time, " : "", (unsigned)r->status, r->failures,
		r->adopted, r->left, r->text);
	return false;
}

/* ---- the proofs ---- */

static const struct proof {
	const char *name;
	bool (*prove)(const struct plan *plan, char *text, size_t size);
	bool engine;
	unsigned sample;
} proofs[] = {
	{ "worker", walk_prove, false, 120 },
	{ "supervisor", life_prove, false, 25 },
	{ "engine", life_prove, true, 25 },
};
#define PROOFS (sizeof proofs / sizeof proofs[0])

static bool wanted(const char *name, char *const names[])
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strstr(name, *names))
			return true;
	return false;
}

static void say_lines(const char *text)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		printf("# %.*s\n", (int)(end - text), text);
	}
}

static bool prove(const struct proof *proof, struct plan *plan, unsigned number, const char *name)
{
	static char text[REPORT_TEXT + 1024];
	uint64_t began = test_now_ms();
	unsigned sample = plan->sample;
	bool fine;

	plan->engine = proof->engine;
	plan->sample = sample ? sample : proof->sample;
	fine = proof->prove(plan, text, sizeof text);
	plan->sample = sample;
	say_lines(text);
	printf("%s %u - %s (%.1f s)\n", fine ? "ok" : "not ok", number, name,
		(double)(test_now_ms() - began) / 1000);
	fflush(stdout);
	return fine;
}

static int prove_all(struct plan *plan, char *const names[], bool list)
{
	unsigned number = 0, failed = 0;
	char name[128];

	for (size_t i = 0; i < PROOFS; i++) {
		for (unsigned k = 0; k < ways_count; k++) {
			plan->way = &ways[k];
			snprintf(name, sizeof name, "%s: %s", proofs[i].name, ways[k].name);
			if (!wanted(name, names))
				continue;
			if (list)
				puts(name);
			else
				failed += !prove(&proofs[i], plan, ++number, name);
		}
	}
	if (!list)
		printf("1..%u\n", number);
	return failed != 0;
}

static void stay_on_one_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0u : (unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		puts("# not on one CPU: this will take long");
}

int main(int argc, char *argv[])
{
	static const struct option longs[] = { { "every", no_argument, NULL, 'e' },
		{ "sample", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' }, { "list", no_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 } };
	struct plan plan = { .seed = (unsigned)time(NULL) };
	const char *refused;
	bool list = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'e': plan.every = true; break;
		case 'n': plan.sample = (unsigned)atoi(optarg); break;
		case 's': plan.seed = (unsigned)atoi(optarg); break;
		case 'l': list = true; break;
		default: return 2;
		}
	}
	refused = trace_refused();
	if (refused) {
		printf("1..0 # SKIP %s\n", refused);
		return plan.every ? 77 : 0;
	}
	stay_on_one_cpu();
	if (!list)
		printf("# seed %u\n", plan.seed);
	return prove_all(&plan, argv + optind, list);
}
