/* SPDX-License-Identifier: MIT */
/* health.c - brood-ctl wait ready and brood-ctl check: for probes. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define READY_S 60
#define CHECK_S 1
#define PAUSE_S 0.02
#define BIRTH_S 1.0 /* a page that makes no sense may be one that is being made */

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* looked_s: how long the look before took. A search for a name reads all of /proc. */
static void pause_a_moment(double until, double looked_s)
{
	double left = until - now_s(), pause_s = PAUSE_S + 4 * looked_s;
	struct timespec pause = { 0 };

	pause_s = pause_s < 0.9 ? pause_s : 0.9;
	left = left > pause_s ? pause_s : left;
	pause.tv_nsec = left > 0 ? (long)(left * 1e9) : 0;
	nanosleep(&pause, NULL);
}

/* ---- readiness ---- */

/* A brood that is being born has no names for its pools yet. */
static bool pools_are_named(const struct look *look)
{
	for (uint32_t i = 0; i < look->pools; i++)
		if (!look->pool[i].setup.name[0])
			return false;
	return look->pools > 0;
}

/*
 * One look. The brood may not be there yet, or may be another process a moment later. *ret_never:
 * the brood will never have that pool, so there is nothing to wait for.
 */
static enum choose_exit ready_now(
	const struct request *request, bool *ret_never, char why[CHOOSE_WHY_MAX])
{
	char sentence[LOOK_WHY_MAX];
	struct status_page page;
	const char *unready;
	struct look look;
	int pool = -1;
	enum choose_exit code = choose_brood(request->brood, &page, why);

	if (code != CHOOSE_FINE)
		return code;
	if (look_take(&page, &look) < 0) {
		snprintf(why, CHOOSE_WHY_MAX, "there is no memory");
		status_page_close(&page);
		return CHOOSE_TROUBLE;
	}
	if (request->pool)
		pool = look_pool_number(&look, request->pool);
	if (request->pool && pool < 0) {
		ctl_no_pool(&look, request->pool, why);
		code = CHOOSE_NONE;
		*ret_never = pools_are_named(&look);
	} else if ((unready = look_unready(&look, pool, sentence))) {
		snprintf(why, CHOOSE_WHY_MAX, "not ready: %s", unready);
		code = CHOOSE_NOT;
	}
	ctl_done(&page, &look);
	return code;
}

/* The answer may be another one later. */
static bool may_change(enum choose_exit code, double began)
{
	return code == CHOOSE_NOT || code == CHOOSE_NONE ||
		(code == CHOOSE_TROUBLE && now_s() < began + BIRTH_S);
}

enum choose_exit ctl_wait(const struct request *request)
{
	const double began = now_s();
	const double until = began + (request->timeout_s >= 0 ? request->timeout_s : READY_S);
	double looked = began;
	char why[CHOOSE_WHY_MAX];
	enum choose_exit code;
	bool never = false;

	if (request->count != 1 || strcmp(request->words[0], "ready") != 0)
		return ctl_wrong("\"wait\" wants to know for what: wait ready");
	while (may_change(code = ready_now(request, &never, why), began) && !never &&
		now_s() < until) {
		pause_a_moment(until, now_s() - looked);
		looked = now_s();
	}
	return code == CHOOSE_FINE ? code : ctl_fail(code, "%s", why);
}

/* ---- liveness ---- */

/*
 * The supervisor's loop turns if the supervisor sleeps in epoll, or has gone to sleep since the
 * first look, or has changed the first pool's counts: under full load it may not sleep for
 * long.
 */
struct turns {
	uint64_t sleeps;
	struct brood_status_counts counts;
};

static void turns_begin(const struct look *look, struct turns *ret)
{
	ret->sleeps = process_sleeps(look->page->supervisor);
	ret->counts = look->pool[0].counts;
}

/* As a system call, or as the kernel's function where this user may not see system calls. */
static bool is_epoll(const char *wait)
{
	return strncmp(wait, "epoll_", 6) == 0 || strncmp(wait, "do_epoll_", 9) == 0 ||
		strncmp(wait, "ep_poll", 7) == 0;
}

static bool turns(const struct look *look, const struct turns *before)
{
	char wait[PROCESS_WAIT_MAX];

	if (process_sleeps(look->page->supervisor) != before->sleeps)
		return true;
	if (memcmp(&look->pool[0].counts, &before->counts, sizeof before->counts) != 0)
		return true;
	process_wait(look->page->supervisor, &look->supervisor, wait);
	return is_epoll(wait) || (strcmp(wait, "-") == 0 && look->supervisor.state == 'S');
}

/* A stopped process may go on, and a loop may take a moment: the last look decides. */
static const char *ill(struct look *look, const struct turns *before)
{
	const char *dead = look_dead(look);

	if (dead)
		return dead;
	return turns(look, before) ? NULL
				   : "the supervisor's loop does not turn: a gdb on it tells more";
}

enum choose_exit ctl_check(const struct request *request)
{
	const double until = now_s() + (request->timeout_s >= 0 ? request->timeout_s : CHECK_S);
	struct status_page page;
	struct turns before;
	const char *why;
	struct look look;
	int pool, r = 0;
	enum choose_exit code;

	if (request->pool)
		return ctl_wrong("\"check\" has no --pool: it looks at supervisor and engine");
	code = ctl_look(request, &page, &look, &pool);
	if (code != CHOOSE_FINE)
		return code;
	turns_begin(&look, &before);
	while ((why = ill(&look, &before)) && now_s() < until && r == 0 &&
		!process_gone(&look.supervisor)) {
		look_free(&look);
		pause_a_moment(until, 0);
		r = look_take(&page, &look);
	}
	if (r < 0)
		code = ctl_fail(CHOOSE_TROUBLE, "there is no memory");
	else if (why)
		code = ctl_fail(CHOOSE_NOT, "not alive: %s", why);
	ctl_done(&page, &look);
	return code;
}
