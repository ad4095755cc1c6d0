/* SPDX-License-Identifier: MIT */
/*
 * brood-doctor: looks at limits, cgroup, unit file and kernel, and says what a program with Brood
 * would lack, each with its cure. It changes nothing.
 */
#include "doctor.h"

#include "../ctl/json.h"
#include "page.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MOST 10000

/* What brood_start() takes where an option is 0. */
#define DRAIN_MS       5000
#define STOP_MS        1000
#define ENGINE_STOP_MS 60000

struct options {
	uint64_t workers, memory; /* 0: not given; memory: of each worker */
	uint64_t drain_ms;
	bool drain_given, json;
	pid_t pid;
	const char *unit;
};

static int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(int code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("brood-doctor: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(code == DOCTOR_USAGE ? "\nTry: brood-doctor --help\n" : "\n", stderr);
	return code;
}

/* ---- the command line ---- */

enum { OPTION_WORKERS = 256, OPTION_MEMORY, OPTION_DRAIN, OPTION_PID, OPTION_SYSROOT, OPTION_JSON };

static const struct option longs[] = {
	{ "workers", required_argument, NULL, OPTION_WORKERS },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "drain", required_argument, NULL, OPTION_DRAIN },
	{ "pid", required_argument, NULL, OPTION_PID },
	{ "sysroot", required_argument, NULL, OPTION_SYSROOT },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static bool parse_number(const char *text, uint64_t most, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < 1 || value > most)
		return false;
	*ret = value;
	return true;
}

static int parse_value(int option, struct options *o, struct where *w)
{
	uint64_t pid;

	switch (option) {
	case OPTION_WORKERS:
		if (!parse_number(optarg, WORKERS_MOST, &o->workers))
			return fail(DOCTOR_USAGE, "--workers wants 1 to %d, not \"%s\"",
				WORKERS_MOST, optarg);
		return 0;
	case OPTION_MEMORY:
		if (!unit_bytes(optarg, &o->memory) || o->memory == 0 || o->memory == UINT64_MAX)
			return fail(DOCTOR_USAGE,
				"--memory wants bytes of one worker, as 64M, not \"%s\"", optarg);
		return 0;
	case OPTION_DRAIN:
		if (!unit_time(optarg, &o->drain_ms))
			return fail(DOCTOR_USAGE,
				"--drain wants a time, as 30s, or infinity, not \"%s\"", optarg);
		o->drain_given = true;
		return 0;
	case OPTION_PID:
		if (!parse_number(optarg, INT32_MAX, &pid))
			return fail(DOCTOR_USAGE, "--pid wants a process, not \"%s\"", optarg);
		o->pid = (pid_t)pid;
		return 0;
	default: w->root = optarg; return 0;
	}
}

/* 0: go on; -1: help or version was printed; or an exit code. */
static int parse(int argc, char **argv, struct options *o, struct where *w)
{
	int option, r = 0;

	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, ":hV", longs, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON: o->json = true; break;
		case 'h': fputs(doctor_help, stdout); return -1;
		case 'V': puts("brood-doctor " BROOD_VERSION_TEXT); return -1;
		case ':': return fail(DOCTOR_USAGE, "%s wants a value", argv[optind - 1]);
		case '?': return fail(DOCTOR_USAGE, "there is no option %s", argv[optind - 1]);
		default: r = parse_value(option, o, w);
		}
	}
	if (r == 0 && optind < argc)
		o->unit = argv[optind++];
	if (r == 0 && optind < argc)
		return fail(DOCTOR_USAGE, "\"%s\" is one unit too many", argv[optind]);
	if (r == 0 && o->unit && o->pid)
		return fail(DOCTOR_USAGE, "--pid and a unit are two patients: name one of them");
	return r;
}

/* ---- the patient ---- */

/* A program without a number of workers has one for each CPU. */
static uint64_t cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : (uint64_t)CPU_COUNT(&set);
}

/* What a brood that runs tells of its pools. */
static void read_page(const struct status_page *page, struct need *need)
{
	need->workers = need->memory = 0;
	for (uint32_t i = 0; i < status_view_pools(&page->view); i++) {
		struct brood_status_pool pool;

		status_view_pool(&page->view, i, &pool);
		need->workers += pool.workers;
		need->memory += pool.workers * pool.worker_memory;
		if (i > 0)
			continue;
		need->drain_ms = pool.times.drain_ms == UINT32_MAX ? DOCTOR_FOREVER
								   : pool.times.drain_ms;
		need->stop_ms = pool.times.stop_ms;
	}
	if (need->workers < 1 || need->workers > WORKERS_MOST) /* anybody may have made the page */
		need->workers = need->workers < 1 ? 1 : WORKERS_MOST;
}

static int find_process(const struct options *o, struct patient *p)
{
	struct status_page page;
	char text[4096];
	int r;

	if (!where_exists(&p->where, "/proc/%d/status", (int)p->pid))
		return fail(DOCTOR_NONE, "there is no process %d", (int)p->pid);
	if (!p->where.root[0] && (r = status_page_open(p->pid, &page)) == 0) {
		p->pid = page.supervisor;
		read_page(&page, &p->need);
		status_page_close(&page);
	}
	if (!where_read(&p->where, text, sizeof text, "/proc/%d/limits", (int)p->pid))
		return fail(DOCTOR_OTHERS, "process %d is another user's", (int)o->pid);
	return 0;
}

static int find_patient(const struct options *o, struct patient *p)
{
	int r = 0;

	p->pid = o->pid;
	p->need = (struct need){ .workers = cpus(),
		.drain_ms = DRAIN_MS,
		.stop_ms = STOP_MS,
		.engine_stop_ms = ENGINE_STOP_MS };
	if (o->pid && (r = find_process(o, p)) != 0)
		return r;
	if (o->unit && (r = unit_read(&p->where, o->unit, &p->unit)) < 0)
		return fail(r == -EACCES       ? DOCTOR_OTHERS
				: r == -ENOMEM ? DOCTOR_TROUBLE
					       : DOCTOR_NONE,
			"the unit %s cannot be read: %s", o->unit, strerror(-r));
	if (o->workers)
		p->need.workers = o->workers;
	if (o->memory && __builtin_mul_overflow(o->memory, p->need.workers, &p->need.memory))
		p->need.memory = UINT64_MAX;
	if (o->drain_given)
		p->need.drain_ms = o->drain_ms;
	return 0;
}

/* ---- all checks ---- */

static void print_json(const struct patient *p, uint64_t wakeup_ns, const struct findings *f)
{
	struct json json = { .file = stdout };

	json_begin(&json, NULL, '{');
	json_count(&json, "workers", p->need.workers);
	json_count(&json, "processes", need_processes(&p->need));
	json_count(&json, "open_files", need_files(&p->need));
	json_count(&json, "memory", p->need.memory);
	if (wakeup_ns)
		json_seconds(&json, "wakeup", wakeup_ns);
	else
		json_null(&json, "wakeup");
	json_count(&json, "faults", findings_count(f, FAULT));
	json_begin(&json, "findings", '[');
	for (unsigned i = 0; i < f->count; i++) {
		json_begin(&json, NULL, '{');
		json_text(&json, "level", f->list[i].level == FAULT ? "fault" : "note");
		json_text(&json, "name", f->list[i].name);
		json_text(&json, "text", f->list[i].text);
		json_text(&json, "cure", f->list[i].cure);
		json_end(&json, '}');
	}
	json_end(&json, ']');
	json_end(&json, '}');
	putchar('\n');
}

static int examine(const struct options *o, const struct patient *p)
{
	uint64_t wakeup_ns = p->where.root[0] ? 0 : wakeup_measure();
	struct findings *f = calloc(1, sizeof *f);
	int code;

	if (!f)
		return fail(DOCTOR_TROUBLE, "there is no memory");
	check_service(p, f);
	check_limits(p, f);
	check_groups(p, f);
	check_files(p, f);
	check_kernel(p, f);
	check_calls(p, f);
	check_wakeup(p, wakeup_ns, f);
	if (o->json) {
		print_json(p, wakeup_ns, f);
	} else {
		printf("%llu workers", (unsigned long long)p->need.workers);
		if (wakeup_ns)
			printf("; a wake-up across CPUs takes %.1f us", (double)wakeup_ns / 1e3);
		putchar('\n');
		findings_print(f, stdout);
	}
	code = findings_count(f, FAULT) ? DOCTOR_ILL : DOCTOR_WELL;
	free(f);
	return code;
}

int main(int argc, char **argv)
{
	struct patient patient = { .where.root = "" };
	struct options options = { 0 };
	int code = parse(argc, argv, &options, &patient.where);

	if (code == 0)
		code = find_patient(&options, &patient);
	if (code == 0)
		code = examine(&options, &patient);
	patient.unit = unit_free(patient.unit);
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail(DOCTOR_TROUBLE, "standard output cannot be written");
	return code < 0 ? 0 : code;
}
