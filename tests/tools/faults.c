/* SPDX-License-Identifier: MIT */
/*
 * faults.c - faults [--stripped] [--lease] [--only NAME] [PLUGIN]: for each planted fault, does the
 * death report name the guilty function among its first three frames? With --stripped, prints the
 * module and the offset of the first frames of this program, for whoever has the symbols.
 *
 * Each fault has a process of its own, in which brood_start() is called.
 */
#define _GNU_SOURCE
#include "faults.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	bool stripped, lease;
	const char *plugin;
} how;

static bool names(const struct brood_report *r, const struct fault *fault)
{
	for (uint32_t i = 0; i < r->frames_count && i < 3; i++)
		if (strncmp(r->frames[i].function, fault->guilty, strlen(fault->guilty)) == 0)
			return true;
	return false;
}

/* "guilty_null faults 1234 faults 5678": the offsets as addr2line takes them. */
static void print_offsets(const struct brood_report *r, const struct fault *fault)
{
	printf("%s", fault->guilty);
	for (uint32_t i = 0; i < r->frames_count && i < 8; i++)
		printf(" %s %llx", r->frames[i].module[0] ? r->frames[i].module : "?",
			(unsigned long long)r->frames[i].offset - (i > 0));
	printf("\n");
}

static int judge(const struct fault *fault, const struct brood_report *r)
{
	char line[1024];
	bool good = r->cause == fault->cause &&
		(fault->signal == 0 || r->signal == fault->signal) &&
		(!fault->waits || strncmp(r->waits, fault->waits, strlen(fault->waits)) == 0);

	brood_report_format(r, line, sizeof line);
	if (how.stripped && good) {
		print_offsets(r, fault);
		return 0;
	}
	good = good && names(r, fault);
	printf("%s - %s: %s\n", good ? "ok" : "not ok", fault->name, line);
	return !good;
}

static void quiet(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->event == BROOD_EVENT_REPORT && getenv("FAULTS_LOG"))
		fprintf(stderr, "%s\n", log->text);
}

static int find_report(struct brood *brood, const struct fault *fault, struct brood_report *report)
{
	struct brood_job_options o = { .size = sizeof o,
		.run_ms = fault->cause == BROOD_REPORT_TIMED_OUT ? 200 : 20000,
		.grace_ms = 500,
		.dispatch = how.lease ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF };
	struct brood_verdict v = { .size = sizeof v };
	char reply[8];
	int r = -ENOENT;

	if (fault->fn) {
		brood_call(brood, fault->fn, "", 0, reply, sizeof reply, &o, &v);
	} else if (strcmp(fault->name, "plugin") == 0) {
		o.plugin = how.plugin;
		o.symbol = "plugin_job";
		brood_call(brood, NULL, "", 0, reply, sizeof reply, &o, &v);
	}
	for (int i = 0; i < 500 && r == -ENOENT; i++) {
		*report = (struct brood_report){ .size = sizeof *report };
		r = brood_report(brood, v.id, report);
		if (r < 0)
			usleep(10000);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s, outcome %s code %d\n", fault->name, brood_error(),
			brood_outcome_name(v.outcome), v.code);
	return r;
}

static int try(const struct fault *fault)
{
	struct brood_options o = { .size = sizeof o, .workers = 1, .log = quiet };
	struct rlimit no_core = { 0, 0 };
	struct brood_report report;
	struct brood *brood;
	int r;

	setrlimit(RLIMIT_CORE, &no_core);
	if (strcmp(fault->name, "worker_init") == 0)
		o.worker_init = faults_in_init;
	if (strcmp(fault->name, "out of memory") == 0)
		o.worker_memory = 64 << 20;
	if (strcmp(fault->name, "stack overflow") == 0)
		o.stack_size = 256 << 10;
	if (brood_start(&o, &brood) < 0)
		return fprintf(stderr, "faults: %s\n", brood_error()), 1;
	r = find_report(brood, fault, &report);
	r = r < 0 ? 1 : judge(fault, &report);
	fflush(stdout);
	brood_stop(brood);
	return r;
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--stripped") == 0)
			how.stripped = true;
		else if (strcmp(argv[i], "--lease") == 0)
			how.lease = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		else
			how.plugin = argv[i];
	}
	for (size_t i = 0; i < faults_count; i++) {
		int status = 1;
		pid_t pid;

		if ((only && strcmp(only, faults[i].name) != 0) ||
			(!faults[i].fn && !how.plugin && strcmp(faults[i].name, "plugin") == 0))
			continue;
		pid = fork();
		if (pid == 0)
			_exit(try(&faults[i]));
		waitpid(pid, &status, 0);
		failed += status != 0;
	}
	return failed > 0;
}
