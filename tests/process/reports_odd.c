/* SPDX-License-Identifier: MIT */
/*
 * reports_odd.c - death reports of workers whose stack is broken, whose threads crash together, and
 * that lie.
 */
#include "../helpers/pool.h"

#include "wire/trace_page.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(reports_odd, .timeout = 180);

#ifdef __clang__
#define GUILTY __attribute__((noinline))
#else
#define GUILTY __attribute__((noinline, noclone))
#endif

static struct brood *brood;
static volatile int sink;
static int *volatile nowhere;

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .log = note_log };

	brood = pool_start(&options);
}

static struct brood_report report_of(uint64_t id)
{
	struct brood_report report = { .size = sizeof report };
	int r = brood_report(brood, id, &report);

	CHECK_MSG(r == 0, "job %llu: %d: %s", (unsigned long long)id, r, brood_error());
	return report;
}

static struct brood_verdict call_for(brood_fn *fn, uint32_t run_ms)
{
	struct brood_job_options job = { .run_ms = run_ms, .grace_ms = (uint32_t)test_scaled(300) };

	return pool_call_with(brood, fn, &job);
}

/* ---- broken stacks ---- */

#if defined(__x86_64__)
static GUILTY void guilty_of_its_stack(int how)
{
	if (how == 0) /* the stack pointer points nowhere */
		__asm__ volatile("mov $0x1000, %%rsp\n\tmov $0x1000, %%rbp\n\tmovl $1, 0" ::
					 : "memory");
	if (how == 1) /* it points to garbage */
		__asm__ volatile(
			"lea -4096(%%rsp), %%rdi\n\tmov $0x41, %%al\n\tmov $8192, %%ecx\n\t"
			"rep stosb\n\tmov %%rsp, %%rbp\n\tmovl $1, 0" ::
				: "memory", "rdi", "rax", "rcx");
	sink = how;
}
static int breaks_its_stack(struct brood_job *job)
{
	guilty_of_its_stack(*(const int *)brood_job_arg(job, NULL));
	return sink;
}
static int hangs_on_a_broken_stack(struct brood_job *job)
{
	(void)job;
	__asm__ volatile("mov $0x1000, %%rbp\n\tmov $0x1000, %%rsp\n1:\tjmp 1b" ::: "memory");
	return sink;
}

static void broken(void)
{
	start(1);
	for (int how = 0; how < 2; how++) {
		struct brood_job_options job = { .arg = &how, .arg_size = sizeof how };
		struct brood_verdict v = pool_call_with(brood, breaks_its_stack, &job);
		struct brood_report r = report_of(v.id);

		CHECK_EQ(v.outcome, BROOD_CRASHED);
		CHECK_EQ(v.signal, SIGSEGV);
		CHECK_EQ(r.signal, SIGSEGV);
		CHECK_EQ(r.code, SEGV_MAPERR);
		CHECK_EQ(r.address, 0);
		CHECK_STR(r.frames[0].function, "guilty_of_its_stack");
	}
	/* the soft step's walk falls, too, and costs nothing: it is the deadline that kills */
	{
		struct brood_verdict v = call_for(hangs_on_a_broken_stack, 100);
		struct brood_report r = report_of(v.id);

		CHECK_EQ(v.outcome, BROOD_TIMED_OUT);
		CHECK_EQ(r.signal, SIGKILL);
		CHECK_STR(r.frames[0].function, "hangs_on_a_broken_stack");
	}
	pool_stop(brood);
}
Test(reports_odd, a_broken_stack) { case_run(broken, 60000); }
#endif

/* ---- a worker that lies ---- */

/* whole pages */
#define TRACE_PAGES ((sizeof(struct trace_page) + 4095) / 4096 * 4096)

static struct trace_page *find_trace_page(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to, found = 0;
	char line[512], rights[8];

	while (maps && fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 &&
			strcmp(rights, "rw-s") == 0 && to - from == TRACE_PAGES &&
			strstr(line, "/dev/zero"))
			found = from;
	if (maps)
		fclose(maps);
	return (struct trace_page *)found;
}

static int lies(struct brood_job *job)
{
	const char *path = brood_job_arg(job, NULL);
	struct trace_page *page = find_trace_page();

	if (!page)
		return 1;
	memset(page, path[0] ? 0 : 0xff, sizeof *page);
	atomic_store(&page->kind, TRACE_CRASH);
	if (path[0]) {
		atomic_store(&page->stack.frames_count, 3);
		page->stack.modules_count = 1;
		page->stack.frames[0].pc = page->stack.frames[0].offset = 0x1234;
		snprintf(page->stack.modules[0].path, TRACE_PATH, "%s", path);
	}
	kill(getpid(), SIGKILL);
	return 0;
}

static void liars(void)
{
	char folder[] = "/tmp/brood-reports.XXXXXX", fifo[64], text[64];
	const char *paths[] = { "", fifo, text, "/dev/zero", "/", "relative", "/dev/tty" };
	FILE *file;

	CHECK(mkdtemp(folder));
	snprintf(fifo, sizeof fifo, "%s/fifo", folder);
	snprintf(text, sizeof text, "%s/text", folder);
	CHECK_EQ(mkfifo(fifo, 0600), 0);
	CHECK(file = fopen(text, "we"));
	fprintf(file, "\177ELF\2\1\1 and nothing more");
	fclose(file);
	start(1);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct brood_job_options job = { .arg = paths[i],
			.arg_size = strlen(paths[i]) + 1 };
		struct brood_verdict v = pool_call_with(brood, lies, &job);
		struct brood_report r = report_of(v.id);

		CHECK_EQ(r.cause, BROOD_REPORT_KILLED);
		CHECK_LE(r.frames_count, BROOD_REPORT_FRAMES);
		CHECK_EQ(r.code, 0); /* the signal is not the one that the worker told of */
	}
	unlink(fifo);
	unlink(text);
	rmdir(folder);
	pool_stop(brood);
}
Test(reports_odd, a_worker_that_lies) { case_run(liars, 60000); }

/* ---- a walk that does not end ---- */

#if defined(__x86_64__) && defined(SYS_userfaultfd) && defined(UFFD_USER_MODE_ONLY)
#define NO_FAULTS 77 /* this machine does not let a job wait in a page fault */
#define STACK     (1u << 20)

/* Who reads this stack waits for ever, in the page fault. */
static int hangs_on_a_stack_without_pages(struct brood_job *job)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .range = { (uintptr_t)stack, STACK },
		.mode = UFFDIO_REGISTER_MODE_MISSING };

	(void)job;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &area) < 0)
		return NO_FAULTS;
	__asm__ volatile("mov %0, %%rbp\n\tmov %0, %%rsp\n1:\tjmp 1b" ::"r"(stack + STACK / 2)
			 : "memory");
	return sink;
}

/* The signal of the abort comes while the soft step's handler walks: it is no fault of the walk. */
static void aborted(void)
{
	struct brood_options options = {
		.workers = 1, .log = note_log, .core_ms = 60000, .flags = BROOD_NO_CORE
	};
	struct brood_job_options job = {
		.run_ms = 100, .grace_ms = (uint32_t)test_scaled(300), .flags = BROOD_JOB_ABORT
	};
	struct brood_verdict v;

	brood = pool_start(&options);
	v = pool_call_with(brood, hangs_on_a_stack_without_pages, &job);
	if (v.outcome != BROOD_FAILED || v.code != NO_FAULTS) {
		CHECK_EQ(v.outcome, BROOD_TIMED_OUT);
		CHECK_EQ(report_of(v.id).signal, SIGABRT);
	}
	pool_stop(brood);
}
Test(reports_odd, an_abort_while_the_stack_is_walked) { case_run(aborted, 40000); }
#endif

/* ---- threads ---- */

static GUILTY void *guilty_thread(void *unused)
{
	sink = *nowhere;
	return unused;
}
static int crashes_in_threads(struct brood_job *job)
{
	pthread_t threads[4];

	(void)job;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, guilty_thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static void threads(void)
{
	start(1);
	for (int i = 0; i < 20; i++) {
		struct brood_verdict v = call_for(crashes_in_threads, 0);
		struct brood_report r = report_of(v.id);

		CHECK_EQ(v.signal, SIGSEGV);
		CHECK_NE(r.tid, v.pid);
		CHECK_STR(r.frames[0].function, "guilty_thread");
	}
	pool_stop(brood);
}
Test(reports_odd, threads_that_crash_together) { case_run(threads, 60000); }
