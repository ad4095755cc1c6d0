/* SPDX-License-Identifier: MIT */
/*
 * page.h - the status page of a brood that runs, for tools: found among the open files of its
 * supervisor, and mapped. src/wire/status_view.h reads it.
 */
#ifndef STATUS_PAGE_H
#define STATUS_PAGE_H

#include "../../src/wire/status_view.h"

#include <sys/types.h>

struct status_page {
	struct status_view view;
	pid_t supervisor;
};

/*
 * Opens the page of the brood that has this process: the supervisor, or one of its descendants (the
 * engine, a worker ...).
 * Returns 0; -ESRCH: there is no such process; -ENOENT: it belongs to no brood that has a page;
 * -EACCES: another user's; -EPROTO: another version of the page; -EBADMSG: it makes no sense;
 * or another -errno.
 */
int status_page_open(pid_t pid, struct status_page *ret);
void status_page_close(struct status_page *page);
/*
 * The processes that have a status page and may be looked at; user: that user's alone, NULL: all.
 * Returns how many; at most `room`.
 */
size_t status_page_list(const uid_t *user, pid_t *ret_pids, size_t room);
/*
 * The page of the brood of that name; a text of digits is a pid. -ENOTUNIQ: there are several.
 * Errors as above.
 */
int status_page_find(const char *name, struct status_page *ret);
/* The supervisor still runs. Without it what the page says is what was last true. */
bool status_page_alive(const struct status_page *page);

#endif
