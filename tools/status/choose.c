/* SPDX-License-Identifier: MIT */
/* choose.c - see choose.h */
#include "choose.h"

#include "process.h"
#include "words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BROODS_MAX 1024

/* ---- a list of those that there are ---- */

struct list {
	pid_t pids[BROODS_MAX];
	size_t count;
};

/* A process that is being born has the supervisor's files for a moment. */
static bool is_supervisor(const struct status_page *page, pid_t pid)
{
	struct brood_status_brood brood;
	pid_t inner = process_inner_pid(pid);

	status_view_brood(&page->view, &brood);
	return inner == 0 || brood.supervisor_pid == inner;
}

static void list_broods(bool ours, const char *name, struct list *ret)
{
	const uid_t self = geteuid();
	pid_t pids[BROODS_MAX];
	size_t count = status_page_list(ours ? &self : NULL, pids, BROODS_MAX);

	ret->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct brood_status_brood brood;
		struct status_page page;

		if (status_page_open(pids[i], &page) < 0)
			continue;
		status_view_brood(&page.view, &brood);
		if (page.supervisor == pids[i] && is_supervisor(&page, pids[i]) &&
			(!name || strcmp(brood.name, name) == 0))
			ret->pids[ret->count++] = pids[i];
		status_page_close(&page);
	}
}

static size_t add(char why[CHOOSE_WHY_MAX], size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static size_t add(char why[CHOOSE_WHY_MAX], size_t at, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(why + at, CHOOSE_WHY_MAX - at, format, args);
	va_end(args);
	return n < 0 || (size_t)n >= CHOOSE_WHY_MAX - at ? CHOOSE_WHY_MAX - 1 : at + (size_t)n;
}

static enum choose_exit several(const struct list *list, const char *what, char *why)
{
	size_t at = add(why, 0, "%s: say which one is meant, by its pid:", what);

	for (size_t i = 0; i < list->count; i++) {
		struct brood_status_brood brood;
		char shown[WORDS_SHOWN_MAX];
		struct status_page page;

		if (status_page_open(list->pids[i], &page) < 0)
			continue;
		status_view_brood(&page.view, &brood);
		words_shown(shown, brood.name, 40);
		at = add(why, at, "\n  %-8d %s, %s, %u workers", (int)list->pids[i], shown,
			words_brood_state(brood.state), brood.workers);
		status_page_close(&page);
	}
	return CHOOSE_SEVERAL;
}

/* ---- one of them ---- */

static enum choose_exit failed(int r, const char *name, char *why)
{
	char shown[WORDS_SHOWN_MAX];

	words_shown(shown, name, 60);
	switch (r) {
	case -ESRCH: add(why, 0, "there is no process %s", shown); return CHOOSE_NONE;
	case -ENOENT:
		add(why, 0,
			"process %s belongs to no brood, or to one of a library before 0.3, or "
			"without a status page: see brood-status(5)",
			shown);
		return CHOOSE_NONE;
	case -EACCES:
	case -EPERM:
		add(why, 0, "process %s is another user's: ask as that user, or as root", shown);
		return CHOOSE_DENIED;
	case -EPROTO:
		add(why, 0,
			"the status page of process %s has another layout: take the tools of the "
			"library that the program has",
			shown);
		return CHOOSE_TROUBLE;
	case -EBADMSG:
		add(why, 0, "the status page of process %s makes no sense", shown);
		return CHOOSE_TROUBLE;
	default:
		add(why, 0, "the status page of process %s: %s", shown, strerror(-r));
		return CHOOSE_TROUBLE;
	}
}

static enum choose_exit open_one(pid_t pid, const char *name, struct status_page *ret, char *why)
{
	int r = status_page_open(pid, ret);

	return r == 0 ? CHOOSE_FINE : failed(r, name, why);
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10;
}

enum choose_exit choose_brood(const char *name, struct status_page *ret, char why[CHOOSE_WHY_MAX])
{
	char text[16], shown[WORDS_SHOWN_MAX];
	struct list list;
	int number;

	if (name && is_number(name))
		return sscanf(name, "%d", &number) == 1 ? open_one(number, name, ret, why)
							: CHOOSE_USAGE;
	list_broods(!name, name, &list);
	if (list.count == 1) {
		snprintf(text, sizeof text, "%d", (int)list.pids[0]);
		return open_one(list.pids[0], text, ret, why);
	}
	if (list.count > 1)
		return several(&list,
			name ? "several broods have that name" : "there are several broods", why);
	if (name) {
		words_shown(shown, name, 60);
		add(why, 0, "no brood that this user may look at has the name \"%s\"", shown);
	} else {
		add(why, 0,
			"this user has no brood that runs: name one by its pid, or look as another "
			"user");
	}
	return CHOOSE_NONE;
}
