/* SPDX-License-Identifier: MIT */
/*
 * faults_list.c - the faults. Each guilty function is called, not inlined, and has work to do after
 * the fault, so that it is in the frames whatever the compiler does.
 */
#define _GNU_SOURCE
#include "faults.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int sink;
static int *volatile nowhere;
static const char constant[64] = "constant";

/* ---- crashes ---- */

static GUILTY void guilty_null(void) { sink = *nowhere + 1; }
static int null(struct brood_job *job)
{
	brood_job_progress(job, "half done", 9);
	guilty_null();
	return sink;
}

static GUILTY int guilty_overflow(volatile int depth)
{
	volatile char page[512];

	page[0] = (char)depth;
	if (depth < 0)
		return 0;
	return guilty_overflow(depth + 1) + page[0];
}
static int stack_overflow(struct brood_job *job)
{
	(void)job;
	return guilty_overflow(0);
}

static GUILTY int guilty_deep(volatile int depth)
{
	volatile int there = depth;

	if (depth == 0)
		sink = *nowhere;
	if (depth < 0)
		return 0;
	return guilty_deep(depth - 1) + there;
}
static int deep_recursion(struct brood_job *job)
{
	(void)job;
	return guilty_deep(20000);
}

static GUILTY void guilty_heap(size_t size)
{
	volatile char *volatile block = malloc(size);
	char *volatile next = malloc(size);

	for (size_t i = 0; i < size + 64; i++)
		block[i] = 'x';
	free(next);
	sink = block[0];
}
static int heap_overflow(struct brood_job *job)
{
	(void)job;
	guilty_heap(2000);
	return sink;
}

static GUILTY void guilty_free(void *volatile block)
{
	free(block);
	free(block);
	sink = 1;
}
static int double_free(struct brood_job *job)
{
	(void)job;
	guilty_free(malloc(5000));
	return sink;
}

static GUILTY void guilty_abort(void)
{
	if (!nowhere)
		abort();
	sink = 1;
}
static int aborts(struct brood_job *job)
{
	(void)job;
	guilty_abort();
	return sink;
}

static GUILTY void guilty_assert(void)
{
	/* as assert() does it, also where NDEBUG is set */
	extern void __assert_fail(const char *, const char *, unsigned, const char *);

	if (!nowhere)
		__assert_fail("planted", __FILE__, __LINE__, __func__);
	sink = 1;
}
static int assertion(struct brood_job *job)
{
	(void)job;
	guilty_assert();
	return sink;
}

static GUILTY void guilty_jump(void (*volatile to)(void))
{
	to();
	sink = 1;
}
static int bad_jump(struct brood_job *job)
{
	(void)job;
	guilty_jump((void (*)(void))(uintptr_t)0x1230);
	return sink;
}
static int null_jump(struct brood_job *job)
{
	(void)job;
	guilty_jump(NULL);
	return sink;
}

static GUILTY void guilty_refused(void)
{
	sink = (int)syscall(SYS_getppid);
	sink = 1;
}
static int sigsys(struct brood_job *job)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* the number of the call */),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	(void)job;
	prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	if (prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program, 0L, 0L) < 0)
		return 77;
	guilty_refused();
	return sink;
}

static GUILTY void guilty_memory(void)
{
	volatile char *volatile block;

	do
		block = malloc(1 << 20);
	while (block);
	block[0] = 1;
	sink = 1;
}
static int out_of_memory(struct brood_job *job)
{
	(void)job;
	guilty_memory();
	return sink;
}

static GUILTY void guilty_division(volatile int by) { sink = 7 / by; }
static int division(struct brood_job *job)
{
	(void)job;
	guilty_division(0);
	return sink;
}

static GUILTY void guilty_trap(void)
{
	__builtin_trap();
	sink = 1;
}
static int illegal(struct brood_job *job)
{
	(void)job;
	guilty_trap();
	return sink;
}

static GUILTY void guilty_bus(volatile char *page)
{
	*page = 1;
	sink = 1;
}
static int bus_error(struct brood_job *job)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)job;
	guilty_bus(page);
	return sink;
}

static GUILTY void guilty_constant(volatile char *at)
{
	*at = 'x';
	sink = 1;
}
static int read_only(struct brood_job *job)
{
	union {
		const char *from;
		volatile char *to;
	} at = { constant };

	(void)job;
	guilty_constant(at.to);
	return sink;
}

static GUILTY void *guilty_thread(void *unused)
{
	sink = *nowhere;
	return unused;
}
static int in_a_thread(struct brood_job *job)
{
	pthread_t thread;

	(void)job;
	pthread_create(&thread, NULL, guilty_thread, NULL);
	pthread_join(thread, NULL);
	return sink;
}

static GUILTY void guilty_of_init(void) { sink = *nowhere * 3 + 5; }
int faults_in_init(void *context)
{
	(void)context;
	guilty_of_init();
	return sink;
}

/* ---- jobs that do not end ---- */

static GUILTY void guilty_deadlock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	pthread_mutex_lock(mutex);
	sink = 1;
}
static int deadlock(struct brood_job *job)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	brood_job_progress(job, "takes two locks", 15);
	guilty_deadlock(&mutex);
	return sink;
}

static GUILTY void guilty_loop(void)
{
	while (!nowhere)
		sink = sink * 3 + 1;
	sink = 1;
}
static int endless_loop(struct brood_job *job)
{
	(void)job;
	guilty_loop();
	return sink;
}

/* A handler of the library interrupts the wait: the job waits again. */
static GUILTY void guilty_read(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		;
	sink = 1;
}
static int dead_peer(struct brood_job *job)
{
	int pair[2];

	(void)job;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 77;
	guilty_read(pair[0]);
	return sink;
}

static GUILTY void guilty_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, -1) < 0)
		;
	sink = 1;
}
static int polls(struct brood_job *job)
{
	int pair[2];

	(void)job;
	if (pipe(pair) < 0)
		return 77;
	guilty_poll(pair[0]);
	return sink;
}

static GUILTY void guilty_futex(int *word)
{
	while (syscall(SYS_futex, word, FUTEX_WAIT, 7, NULL, NULL, 0) < 0)
		;
	sink = 1;
}
static int futex(struct brood_job *job)
{
	static int word = 7;

	(void)job;
	guilty_futex(&word);
	return sink;
}

#define CRASH(name_, fn_, guilty_, signal_)                              \
	{                                                                \
		name_, fn_, guilty_, BROOD_REPORT_CRASHED, signal_, NULL \
	}
#define HANGS(name_, fn_, guilty_, waits_)                             \
	{                                                              \
		name_, fn_, guilty_, BROOD_REPORT_TIMED_OUT, 0, waits_ \
	}
const struct fault faults[] = {
	CRASH("null pointer", null, "guilty_null", SIGSEGV),
	CRASH("stack overflow", stack_overflow, "guilty_overflow", SIGSEGV),
	CRASH("deep recursion", deep_recursion, "guilty_deep", SIGSEGV),
	CRASH("heap overflow", heap_overflow, "guilty_heap", SIGABRT),
	CRASH("double free", double_free, "guilty_free", SIGABRT),
	CRASH("abort", aborts, "guilty_abort", SIGABRT),
	CRASH("assertion", assertion, "guilty_assert", SIGABRT),
#ifdef WITH_CXX
	CRASH("exception", faults_throw, "guilty_throw", SIGABRT),
#endif
	CRASH("bad jump", bad_jump, "guilty_jump", SIGSEGV),
	CRASH("null jump", null_jump, "guilty_jump", SIGSEGV),
	CRASH("sigsys", sigsys, "guilty_refused", SIGSYS),
	CRASH("out of memory", out_of_memory, "guilty_memory", SIGSEGV),
	CRASH("division", division, "guilty_division", SIGFPE),
	CRASH("illegal", illegal, "guilty_trap", SIGILL),
	CRASH("bus error", bus_error, "guilty_bus", SIGBUS),
	CRASH("read only", read_only, "guilty_constant", SIGSEGV),
	CRASH("thread", in_a_thread, "guilty_thread", SIGSEGV),
#ifndef WITHOUT_PLUGIN
	CRASH("plugin", NULL, "guilty_plugin", SIGSEGV),
#endif
	CRASH("worker_init", NULL, "guilty_of_init", SIGSEGV),
	HANGS("deadlock", deadlock, "guilty_deadlock", "mutex"),
	HANGS("loop", endless_loop, "guilty_loop", "runs"),
	HANGS("dead peer", dead_peer, "guilty_read", "read of "),
	HANGS("poll", polls, "guilty_poll", "poll"),
	HANGS("futex", futex, "guilty_futex", "futex"),
};
const size_t faults_count = sizeof faults / sizeof faults[0];
