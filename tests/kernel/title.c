/* SPDX-License-Identifier: MIT */
/* title.c - what ps shows, and that a program's own argv and environment stay what they were. */
#include "kernel.h"
#include "os/title.h"

#include <stdio.h>

TestSuite(kernel_title, .timeout = 120);

static size_t raw(pid_t pid, const char *what, char *text, size_t size)
{
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
	f = fopen(path, "re");
	CHECK(f);
	n = fread(text, 1, size - 1, f);
	fclose(f);
	text[n] = '\0';
	return n;
}

static char cmdline_text[8192], comm_text[64];

static const char *cmdline(pid_t pid)
{
	size_t n = raw(pid, "cmdline", cmdline_text, sizeof cmdline_text);

	/* one string with its NUL, nothing behind it */
	CHECK_EQ(n, strlen(cmdline_text) + 1);
	return cmdline_text;
}

static const char *comm(pid_t pid)
{
	raw(pid, "comm", comm_text, sizeof comm_text);
	comm_text[strcspn(comm_text, "\n")] = '\0';
	return comm_text;
}

static void shown(void)
{
	char long_text[600], before[8192];
	size_t n = raw(getpid(), "cmdline", before, 200);

	CHECK_EQ(title_init("/usr/bin/server"), 0);
	for (size_t i = 0; i + 1 < n; i++)
		before[i] = before[i] ? before[i] : ' ';
	/* before there is a title: the command line of the start */
	CHECK_STR(cmdline(getpid()), before);
	title_set("supervisor");
	CHECK_STR(cmdline(getpid()), "server: supervisor");
	CHECK_STR(comm(getpid()), "supervisor");
	title_set("worker 3");
	CHECK_STR(comm(getpid()), "supervisor"); /* once a process */
	title_set_suffix("upper");
	CHECK_STR(cmdline(getpid()), "server: worker 3 upper");
	title_set_suffix("a_much_longer_function");
	CHECK_STR(cmdline(getpid()), "server: worker 3 a_much_longer_function");
	title_set_suffix("lo");
	CHECK_STR(cmdline(getpid()), "server: worker 3 lo");
	title_set_suffix("");
	CHECK_STR(cmdline(getpid()), "server: worker 3");
	title_set_comm("a-name-that-is-too-long");
	CHECK_STR(comm(getpid()), "a-name-that-is-");
	memset(long_text, 'x', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	title_set(long_text);
	CHECK_EQ(strlen(cmdline(getpid())), 254);
	title_set_suffix(long_text);
	CHECK_EQ(strlen(cmdline(getpid())), 254);
	title_set("short");
	title_set_suffix(long_text);
	CHECK_EQ(strlen(cmdline(getpid())), 254);
	title_set("short");
	CHECK_STR(cmdline(getpid()), "server: short");
	CHECK_EQ(title_init(NULL), 0); /* again: only the prefix */
	title_set("again");
	CHECK_CONTAINS(cmdline(getpid()), ": again");
}

/* Children have titles of their own, whichever way they were made, without a further call. */
static void inherited(void)
{
	enum process_spawn ways[] = { PROCESS_CLONE3, PROCESS_CLONE, PROCESS_FORK };
	_Atomic int *ready = case_shared();

	CHECK_EQ(title_init("server"), 0);
	title_set("parent");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int pidfd = -1, was = *ready;
		pid_t pid = process_spawn(&ways[i], &pidfd);

		if (pid == 0) {
			CHECK_STR(cmdline(getpid()), "server: parent");
			title_set("child");
			++*ready;
			sleep_forever();
		}
		CHECK(WAIT_UNTIL(*ready > was, SHORT_MS));
		CHECK_STR(cmdline(pid), "server: child");
		CHECK_STR(comm(pid), "child");
		CHECK_STR(cmdline(getpid()), "server: parent");
		kill(pid, SIGKILL);
		end_of(pid);
		close_fd(pidfd);
	}
}

extern char **environ;

/* Pointers that the program took before stay valid, and the environment can still be changed. */
static void untouched(void)
{
	char before[8192], after[8192];
	size_t n = raw(getpid(), "environ", before, sizeof before);
	const char *path = getenv("PATH"), *name = program_invocation_name;
	char copy[4096], name_copy[256];

	CHECK(path);
	snprintf(copy, sizeof copy, "%s", path);
	snprintf(name_copy, sizeof name_copy, "%s", name);
	CHECK_EQ(title_init(NULL), 0);
	for (int i = 0; i < 100; i++) {
		char text[300];

		memset(text, 'a' + i % 26, sizeof text);
		text[sizeof text - 1] = '\0';
		title_set(text);
	}
	CHECK_STR(path, copy);
	CHECK_STR(name, name_copy);
	CHECK(getenv("PATH") == path);
	CHECK_EQ(raw(getpid(), "environ", after, sizeof after), n);
	CHECK_MEM(before, after, n);
	CHECK_EQ(setenv("BROOD_TEST_NEW", "value", 1), 0);
	CHECK_EQ(setenv("PATH", "elsewhere", 1), 0);
	CHECK_STR(getenv("BROOD_TEST_NEW"), "value");
	CHECK_STR(path, copy);
	title_set("still there");
	CHECK_CONTAINS(cmdline(getpid()), ": still there");
	CHECK_EQ(system("test \"$BROOD_TEST_NEW\" = value"), 0);
}

static void __attribute__((noreturn)) probe(void) { _exit(title_init("probe") == 0 ? 0 : 1); }

static bool titles_work(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		probe();
	return waitpid(pid, &status, 0) == pid && status == 0;
}

#define NEEDS_TITLES()                                                                             \
	do {                                                                                       \
		if (!titles_work())                                                                \
			cr_skip_test("the kernel was built without CONFIG_CHECKPOINT_RESTORE: no " \
				     "titles");                                                    \
	} while (0)

Test(kernel_title, shown)
{
	NEEDS_TITLES();
	case_run(shown, 20000);
}
Test(kernel_title, a_child_has_its_own)
{
	NEEDS_TITLES();
	case_run(inherited, 20000);
}
Test(kernel_title, argv_and_environment_are_untouched)
{
	NEEDS_TITLES();
	case_run(untouched, 20000);
}

/* As somebody without privileges too. */
static void as_nobody(void)
{
	become_nobody();
	prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
	CHECK_EQ(title_init("server"), 0);
	title_set("engine");
	CHECK_STR(cmdline(getpid()), "server: engine");
}
Test(kernel_title, without_privileges)
{
	NEEDS_TITLES();
	case_run(as_nobody, 20000);
}

/* The system call is not there: the command line stays, and the comm name is set all the same. */
static void refused(void)
{
	char before[4096], after[4096];
	size_t n = raw(getpid(), "cmdline", before, sizeof before);

	refuse_if(SYS_prctl, 32, EPERM); /* PR_SET_MM is 35, PR_SET_NAME 15 */
	CHECK_EQ(title_init("server"), -ENOTSUP);
	title_set("worker 1");
	title_set_suffix("upper");
	CHECK_EQ(raw(getpid(), "cmdline", after, sizeof after), n);
	CHECK_MEM(before, after, n);
	CHECK_STR(comm(getpid()), "worker 1");
}
Test(kernel_title, without_the_call)
{
	NEEDS_FILTERS();
	case_run(refused, 20000);
}
