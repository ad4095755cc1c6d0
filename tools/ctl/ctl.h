/* SPDX-License-Identifier: MIT */
/* ctl.h - what the files of brood-ctl share: the request, and the commands. */
#ifndef CTL_H
#define CTL_H

#include "choose.h"
#include "look.h"

struct request {
	const char *brood; /* pid or name; NULL: the only one */
	char **words;      /* behind the command */
	int count;
	bool json;
	const char *pool;   /* NULL: all pools */
	double timeout_s;   /* below 0: not given */
	double wait_s;      /* the same */
	unsigned long most; /* so many reports; 0: all */
};

/* Writes "brood-ctl: ..." on standard error, and returns `code`. */
enum choose_exit ctl_fail(enum choose_exit code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, and where help is: CHOOSE_USAGE. */
enum choose_exit ctl_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Opens the brood that is meant, and looks at it. *ret_pool: the number of the pool that is meant;
 * -1: all. Returns CHOOSE_FINE, or an exit code: the reason is said. ctl_done() closes.
 */
enum choose_exit ctl_look(const struct request *request, struct status_page *ret_page,
	struct look *ret_look, int *ret_pool);
void ctl_done(struct status_page *page, struct look *look);
/* Writes that there is no such pool, and which ones there are. */
void ctl_no_pool(const struct look *look, const char *name, char why[CHOOSE_WHY_MAX]);

extern const char ctl_help[];

/* The frames of a report, a line for each. */
struct brood_report;
void ctl_put_frames(const struct brood_report *report);

/* The commands. Each returns the exit code. */
enum choose_exit ctl_status(const struct request *request);
enum choose_exit ctl_workers(const struct request *request);
enum choose_exit ctl_metrics(const struct request *request);
enum choose_exit ctl_wait(const struct request *request);
enum choose_exit ctl_check(const struct request *request);
enum choose_exit ctl_reload(const struct request *request);
enum choose_exit ctl_resize(const struct request *request);
enum choose_exit ctl_retire(const struct request *request);
enum choose_exit ctl_kill(const struct request *request);
enum choose_exit ctl_cancel(const struct request *request);
enum choose_exit ctl_drain(const struct request *request);
enum choose_exit ctl_reports(const struct request *request);
enum choose_exit ctl_stack(const struct request *request);

#endif
