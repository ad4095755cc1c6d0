/* SPDX-License-Identifier: MIT */
/*
 * sandbox: workers behind a seccomp filter. worker_init allows the system calls that a worker of
 * the library needs and refuses all others. So a job can work with its bytes and cannot open a
 * file. sandbox-calls.h is the list of brood-patterns(7). With --kill a call that is not in the
 * list ends the worker; a test runs this program so, and thereby proves that the list is complete.
 *
 * 	sandbox [--kill]
 */
#define _GNU_SOURCE
#include <brood.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#error "sandbox.c: add the AUDIT_ARCH_ of this machine"
#endif

static const int allowed[] = {
#define CALL(name) __NR_##name,
#include "sandbox-calls.h"
#undef CALL
};
#define ALLOWED (sizeof allowed / sizeof allowed[0])

static unsigned refused = SECCOMP_RET_ERRNO | EPERM;

static int close_the_sandbox(void *context)
{
	struct sock_filter filter[4 + 2 * ALLOWED + 3] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned short n = 4;
	(void)context;
	for (size_t i = 0; i < ALLOWED; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	/*
	 * The worker itself tries once to open /proc, and does without if that fails. So openat is
	 * refused, but does not kill.
	 */
	filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 1);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refused);
	struct sock_fprog program = { .len = n, .filter = filter };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return errno;
	return 0;
}

/* ---- Jobs: one of each kind, so that the library makes each call that it ever makes ---------- */

static int read_a_file(struct brood_job *job)
{
	(void)job;
	return open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
}

static int echo(struct brood_job *job)
{
	size_t size;
	const void *request = brood_job_request(job, &size);
	brood_job_log(job, BROOD_DEBUG, "%zu bytes", size);
	brood_job_progress(job, "half", 4);
	for (size_t i = 0; i < brood_job_extra_fds(job); i++)
		brood_job_reply_fds(job, (int[]){ brood_job_extra_fd(job, i) }, 1);
	return request && brood_job_reply(job, request, size) == (ssize_t)size ? 0 : 1;
}

static int converse(struct brood_job *job)
{
	char line[64];
	ssize_t n = read(brood_job_fd(job), line, sizeof line);
	return n > 0 && write(brood_job_fd(job), line, (size_t)n) == n ? 0 : 1;
}

static int stay(struct brood_job *job) /* runs until the job is told to end */
{
	struct pollfd fd = { .fd = brood_job_cancel_fd(job), .events = POLLIN };
	while (!brood_job_cancelled(job))
		poll(&fd, 1, -1);
	return 0;
}

static int messy(struct brood_job *job) /* leaves things behind, which the library puts right */
{
	(void)job;
	void *memory = malloc(1 << 22);
	free(memory);
	return printf("sandbox: a job's line\n") < 0;
}

/* ---- In the engine --------------------------------------------------------------------------- */

static int failures;

static void expect(const char *what, int ok, const struct brood_verdict *verdict)
{
	char line[300] = "";
	if (verdict)
		brood_verdict_format(verdict, line, sizeof line);
	if (!ok)
		failures++;
	printf("%s: %s%s%s\n", what, ok ? "ok" : "not ok", ok ? "" : ": ", ok ? "" : line);
}

static void call(struct brood *brood, uint32_t path, size_t size)
{
	struct brood_job_options options = {
		.size = sizeof options, .dispatch = path, .fds = (int[]){ 1 }, .fds_count = 1
	};
	struct brood_verdict verdict = { 0 };
	char *bytes = calloc(2, size);
	memset(bytes, 'x', size);
	ssize_t n = brood_call(brood, echo, bytes, size, bytes + size, size, &options, &verdict);
	expect("call", n == (ssize_t)size && memcmp(bytes, bytes + size, size) == 0, &verdict);
	free(bytes);
}

static void talk(struct brood *brood, uint32_t path)
{
	struct brood_job_options options = { .size = sizeof options, .dispatch = path };
	struct brood_verdict verdict = { 0 };
	struct brood_handle *handle = NULL;
	char line[8] = "";
	int fd;
	if (brood_open(brood, converse, &options, &fd, &handle) == 0) {
		if (write(fd, "hello", 5) == 5 && read(fd, line, sizeof line) == 5)
			brood_wait(handle, 10000, &verdict);
		close(fd);
	}
	expect("open", verdict.outcome == BROOD_DONE && memcmp(line, "hello", 5) == 0, &verdict);
	brood_release(handle);
}

static void path(struct brood *brood, uint32_t path)
{
	struct brood_job_options options = {
		.size = sizeof options, .dispatch = path, .run_ms = 200, .grace_ms = 2000
	};
	struct brood_verdict verdict = { 0 };
	brood_call(brood, read_a_file, NULL, 0, NULL, 0, &options, &verdict);
	expect("a file stays closed", verdict.code == EPERM, &verdict);
	call(brood, path, 16);
	call(brood, path, 1 << 20);
	talk(brood, path);
	brood_call(brood, stay, NULL, 0, NULL, 0, &options, &verdict);
	expect("a job is told to end", verdict.outcome == BROOD_DONE, &verdict);
	brood_call(brood, messy, NULL, 0, NULL, 0, &options, &verdict);
	expect("memory and a line", verdict.outcome == BROOD_DONE, &verdict);
}

int main(int argc, char **argv)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 2,
		.worker_init = close_the_sandbox,
		.flags = BROOD_NO_CORE };
	struct brood *brood;
	if (argc > 1 && strcmp(argv[1], "--kill") == 0)
		refused = SECCOMP_RET_KILL_PROCESS;
	if (brood_start(&options, &brood) < 0)
		return fprintf(stderr, "sandbox: %s\n", brood_error()), 1;
	path(brood, BROOD_PATH_HANDOFF);
	path(brood, BROOD_PATH_LEASE);
	return brood_stop(brood) < 0 || failures > 0;
}
