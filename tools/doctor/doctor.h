/* SPDX-License-Identifier: MIT */
/*
 * doctor.h - brood-doctor: whether a program with Brood will find here what it needs.
 *
 * What is looked at is a patient: the program that a user would start from this shell, a process
 * that runs, or a unit that systemd would start. All of them share the kernel. Each check is a
 * function that looks at one matter and adds findings; it says nothing where all is well.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "unit.h"
#include "where.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define DOCTOR_FOREVER UINT64_MAX

enum doctor_exit {
	DOCTOR_WELL,
	DOCTOR_ILL,         /* there is a fault */
	DOCTOR_USAGE,       /* wrong usage */
	DOCTOR_NONE,        /* no such process, or no such unit */
	DOCTOR_OTHERS,      /* another user's */
	DOCTOR_TROUBLE = 6, /* the output cannot be written; no memory */
};

/* FAULT: jobs or workers are lost. NOTE: it works, but less well than it could. */
enum level { FAULT, NOTE };

struct finding {
	enum level level;
	const char *name;
	char text[400], cure[400];
};
#define FINDINGS_MAX 64
struct findings {
	struct finding list[FINDINGS_MAX];
	unsigned count;
};
void findings_add(struct findings *f, enum level level, const char *name, const char *cure,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
unsigned findings_count(const struct findings *f, enum level level);
void findings_print(const struct findings *f, FILE *file);

/* What the pools of the program need. Times: milliseconds; DOCTOR_FOREVER. */
struct need {
	uint64_t workers;
	uint64_t memory; /* bytes that all workers together may take; 0: not known */
	uint64_t drain_ms, stop_ms, engine_stop_ms;
};
/* need.c. Processes: workers and all others. Open files: of the supervisor, by its own sum. */
uint64_t need_processes(const struct need *need);
uint64_t need_files(const struct need *need);
/* Bytes of a file that engine and workers share. */
uint64_t need_file_size(void);

struct patient {
	struct where where;
	struct need need;
	pid_t pid;         /* whose limits and cgroup count; 0: this process's */
	struct unit *unit; /* NULL: no unit, so it is the process */
};

/* limits.c: limits of a process */
void check_limits(const struct patient *p, struct findings *f);
/* groups.c: its cgroup */
void check_groups(const struct patient *p, struct findings *f);
/* service.c: lines of its unit */
void check_service(const struct patient *p, struct findings *f);
/* kernel.c: the machine */
void check_files(const struct patient *p, struct findings *f);
void check_kernel(const struct patient *p, struct findings *f);
/* probe.c: tries it out; nothing with --sysroot */
void check_calls(const struct patient *p, struct findings *f);
/* wakeup.c: nanoseconds from the write on one CPU to the reader on another; 0: not measured */
uint64_t wakeup_measure(void);
void check_wakeup(const struct patient *p, uint64_t wakeup_ns, struct findings *f);

extern const char doctor_help[];

#endif
