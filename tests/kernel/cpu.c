/* SPDX-License-Identifier: MIT */
/* cpu.c - on which CPU a thread runs, and how it gets to another one. */
#include "kernel.h"
#include "os/cpu.h"

#include <sched.h>
#include <stddef.h>

TestSuite(kernel_cpu, .timeout = 60);

static void set_to(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

/* The first two CPUs that this process may use; cr_skip_test() where it has one alone. */
static void two_cpus(int ret[2], cpu_set_t *ret_all)
{
	int count = 0;

	cr_assert_eq(sched_getaffinity(0, sizeof *ret_all, ret_all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++)
		if (CPU_ISSET(cpu, ret_all))
			ret[count++] = cpu;
	if (count < 2)
		cr_skip_test("this process may use one CPU alone");
}

#define NEEDS_RSEQ()                                                \
	do {                                                        \
		if (cpu_now() == CPU_UNKNOWN)                       \
			cr_skip_test("no rseq here: nobody spins"); \
	} while (0)

Test(kernel_cpu, is_known)
{
	cpu_set_t all;
	int cpus[2];

	NEEDS_RSEQ();
	two_cpus(cpus, &all);
	for (int i = 0; i < 100; i++) {
		set_to(cpus[i % 2]);
		cr_assert_eq(cpu_now(), (uint32_t)cpus[i % 2] + 1);
		cr_assert_eq(cpu_now(), (uint32_t)sched_getcpu() + 1);
	}
}

/* Workers are copies of the supervisor, made by a bare clone or by fork. */
Test(kernel_cpu, is_known_in_a_copy_of_the_process)
{
	pid_t pid;
	int status;

	NEEDS_RSEQ();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		cpu_set_t all, one;

		sched_getaffinity(0, sizeof all, &all);
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			if (sched_setaffinity(0, sizeof one, &one) < 0 ||
				cpu_now() != (uint32_t)cpu + 1)
				_exit(1);
		}
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(kernel_cpu, a_step_aside_leaves_all_cpus_allowed)
{
	cpu_set_t all, after;
	int cpus[2], moved = 0;

	NEEDS_RSEQ();
	two_cpus(cpus, &all);
	for (int i = 0; i < 20; i++) {
		uint32_t from = cpu_now();

		cr_assert(cpu_step_aside(from));
		moved += cpu_now() != from;
		cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
		cr_assert(CPU_EQUAL(&all, &after));
	}
	/* the kernel may have moved the thread between two of these lines, but not each time */
	cr_assert_gt(moved, 0);
}

Test(kernel_cpu, there_is_no_step_where_one_cpu_is_allowed)
{
	cpu_set_t all;
	int cpus[2];

	NEEDS_RSEQ();
	two_cpus(cpus, &all);
	set_to(cpus[0]);
	cr_assert_not(cpu_step_aside(cpu_now()));
	cr_assert_not(cpu_step_aside(CPU_UNKNOWN));
	cr_assert_leq(cpu_usable(""), 1); /* less where the cgroup has no whole CPU */
}

/* A filter of the program may kill for a call that it does not expect. */
Test(kernel_cpu, there_is_no_step_under_a_filter)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof code / sizeof *code, .filter = code };
	cpu_set_t all;
	int cpus[2], status;
	pid_t pid;

	NEEDS_RSEQ();
	two_cpus(cpus, &all);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
			prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
			_exit(2);
		_exit(cpu_step_aside(cpu_now()) ? 1 : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		cr_skip_test("no filter can be set here");
	cr_assert_eq(status, 0);
}
