/* case.c - see case.h. */
#define _GNU_SOURCE
#include "case.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf outside_left;

static void close_inherited(void)
{
	if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
		return;
	for (int fd = 3; fd < 4096; fd++)
		close(fd);
}

/* Criterion's own dispositions are nothing that a program under test should inherit. */
static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn)) case_main(const struct case_options *options, pid_t test_pid)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != test_pid)
		_exit(98);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	default_signals();
	close_inherited();
	if (options->body)
		options->body();
	else
		options->body_with(options->context);
	case_done();
	fflush(NULL);
	_exit(0);
}

/* Until pid has ended (it stays a zombie) or the time is up. */
static bool wait_ended(pid_t pid, uint64_t end)
{
	siginfo_t info;

	for (unsigned round = 0;; round++) {
		uint64_t now = test_now_ms();

		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid)
			return true;
		if (now >= end)
			return false;
		proc_wait_gone(pid, (int)(end - now));
	}
}

static void leave_outside(void)
{
	siglongjmp(outside_left, 1);
}

static void run_outside(const struct case_options *options, pid_t pid)
{
	if (!options->outside)
		return;
	report_on_failure(leave_outside);
	if (sigsetjmp(outside_left, 1) == 0)
		options->outside(pid);
	report_on_failure(NULL);
}

static void name_left(pid_t pid)
{
	char title[256];

	note("left: pid %d, parent %d, session %d, state %c: %s", (int)pid, (int)proc_parent(pid), (int)proc_session(pid),
	     proc_state(pid), proc_title(pid, title, sizeof title));
}

/* Kills all descendants that live; returns how many. */
static int kill_descendants(bool name)
{
	pid_t *pids = calloc(PROC_MAX, sizeof *pids);
	int killed = 0, count = pids ? proc_descendants(getpid(), pids, PROC_MAX) : 0;

	for (int i = 0; i < count; i++) {
		if (!proc_alive(pids[i]))
			continue;
		if (name)
			name_left(pids[i]);
		kill(pids[i], SIGKILL);
		killed++;
	}
	free(pids);
	return killed;
}

/* Again and again, since who is killed may have forked just before. Counted once. */
static void kill_what_is_left(struct case_result *result)
{
	int killed = kill_descendants(result->left == 0 && !result->expired);

	if (killed > result->left)
		result->left = killed;
}

/* Reaps until ECHILD: then there is no process left that the case started. What does not end by itself is named, killed and counted. */
static void reap_all(pid_t pid, int settle_ms, struct case_result *result)
{
	uint64_t begin = test_now_ms(), end = begin + (uint64_t)settle_ms;
	unsigned round = 0;

	for (;;) {
		int status;
		pid_t gone = waitpid(-1, &status, WNOHANG | __WALL);

		if (gone == pid)
			result->status = status;
		else if (gone > 0)
			result->adopted++;
		else if (gone < 0 && errno == ECHILD)
			break;
		else if (gone == 0 && test_now_ms() >= end)
			kill_what_is_left(result);
		if (gone == 0)
			test_pause(round++);
	}
	result->end_ms = (int)(test_now_ms() - begin);
}

static void collect(const struct report *report, struct case_result *result)
{
	unsigned used = atomic_load(&report->used);

	result->done = atomic_load(&report->done);
	result->failures = atomic_load(&report->failures);
	memcpy(result->text, report->text, REPORT_TEXT);
	result->text[used < REPORT_TEXT ? used : REPORT_TEXT - 1] = '\0';
}

void case_try(const struct case_options *options, struct case_result *ret)
{
	struct report *report = report_create();
	uint64_t end = test_now_ms() + (uint64_t)test_scaled(options->timeout_ms ? options->timeout_ms : 20000);
	pid_t pid, test_pid = getpid();

	memset(ret, 0, sizeof *ret);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	pid = fork();
	cr_assert(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0)
		case_main(options, test_pid);
	setpgid(pid, pid);
	run_outside(options, pid);
	ret->expired = !wait_ended(pid, end);
	if (ret->expired) {
		note("the time was up");
		kill_descendants(true);
	}
	reap_all(pid, test_scaled(options->settle_ms ? options->settle_ms : 5000), ret);
	collect(report, ret);
}

static void judge(const struct case_result *r, bool status_too, bool orphans_fine)
{
	char how[64];

	if (WIFSIGNALED(r->status))
		snprintf(how, sizeof how, "signal %d", WTERMSIG(r->status));
	else
		snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(r->status));
	cr_assert(!r->expired, "the case did not end in time. It said:\n%s", r->text);
	cr_assert_eq(r->failures, 0, "%u failures (%s):\n%s", r->failures, how, r->text);
	cr_assert_eq(r->done, 1, "its last word was said %u times (%s). It said:\n%s", r->done, how, r->text);
	cr_assert_eq(r->left, 0, "%d processes were left (%s):\n%s", r->left, how, r->text);
	cr_assert(orphans_fine || r->adopted == 0, "%d processes became orphans (%s):\n%s", r->adopted, how, r->text);
	cr_assert(!status_too || r->status == 0, "%s. It said:\n%s", how, r->text);
}

void case_run(void (*body)(void), int timeout_ms)
{
	struct case_options options = { .body = body, .timeout_ms = timeout_ms };
	static struct case_result result;

	case_try(&options, &result);
	judge(&result, true, false);
}

void case_run_with(void (*body)(void *context), void *context, int timeout_ms)
{
	struct case_options options = { .body_with = body, .context = context, .timeout_ms = timeout_ms };
	static struct case_result result;

	case_try(&options, &result);
	judge(&result, true, false);
}

int case_status(void (*body)(void), int timeout_ms)
{
	struct case_options options = { .body = body, .timeout_ms = timeout_ms };
	static struct case_result result;

	case_try(&options, &result);
	judge(&result, false, false);
	return result.status;
}

int case_orphaned(const struct case_options *options)
{
	static struct case_result result;

	case_try(options, &result);
	judge(&result, false, true);
	return result.status;
}

void case_exec(const char *const argv[])
{
	char *copy[64];
	size_t n = 0;

	for (; argv[n] && n < 63; n++)
		copy[n] = strdup(argv[n]);
	copy[n] = NULL;
	execv(copy[0], copy);
	FAIL("execv %s: %s", copy[0], strerror(errno));
}
