/* SPDX-License-Identifier: MIT */
/*
 * syscalls.c - noticing whether code made a system call: what Linux 5.11 on x86-64 says, and that a
 * machine which cannot know says so.
 */
#include "syscalls.h"

#include <pthread.h>
#include <sys/time.h>

TestSuite(kernel_syscalls, .timeout = 120);

static volatile double number = 1.5;

static void counts_alone(void)
{
	for (int i = 0; i < 1000; i++)
		number = number * 1.001;
}

/* Where there is a vdso the clock is read without a system call. */
static void noticed(void)
{
	int fds[2];
	char c;

	CHECK_EQ(syscalls_watch(), 0);
	for (int round = 0; round < 3; round++) {
		watch_begin();
		counts_alone();
		CHECK(!watch_end());
		watch_begin();
		CHECK_EQ(syscall(SYS_getppid), getppid());
		CHECK(watch_end());
		CHECK_EQ(pipe(fds), 0);
		watch_begin();
		errno = 0;
		/* the first call goes through, with all its arguments */
		CHECK_EQ(write(fds[1], "abc", 3), 3);
		CHECK_EQ(read(fds[0], &c, 1), 1);
		CHECK_EQ(close(-1), -1);
		CHECK_EQ(errno, EBADF);
		CHECK(watch_end());
		CHECK_EQ(c, 'a');
		close(fds[0]);
		close(fds[1]);
	}
}
Test(kernel_syscalls, one_call_is_noticed)
{
	NEEDS_DISPATCH();
	case_run(noticed, 20000);
}

/* All six arguments reach the kernel, and its answer comes back. */
static void six_arguments(void)
{
	char *memory;

	CHECK_EQ(syscalls_watch(), 0);
	watch_begin();
	memory = (char *)syscall(
		SYS_mmap, NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(watch_end());
	CHECK(memory != MAP_FAILED);
	memory[8191] = 1;
}
Test(kernel_syscalls, arguments_are_kept)
{
	NEEDS_DISPATCH();
	case_run(six_arguments, 20000);
}

/*
 * A callback looks at the state before the first call changes it: it is called once, before that
 * call, and its own calls are not trapped.
 */
static int closing, asked, open_then;
static void look_before(void)
{
	asked++;
	open_then = fcntl(closing, F_GETFD) >= 0;
}
static void before_the_first(void)
{
	closing = dup(0);
	CHECK(closing >= 0);
	CHECK_EQ(syscalls_watch(), 0);
	syscalls_before_first = look_before;
	watch_begin();
	counts_alone();
	CHECK(!watch_end());
	CHECK_EQ(asked, 0); /* there was none */
	watch_begin();
	errno = 0;
	CHECK_EQ(close(closing), 0);
	CHECK_EQ(errno, 0);
	CHECK_EQ(asked, 1);
	CHECK_EQ(open_then, 1);
	CHECK_EQ(close(closing), -1); /* the fd is closed, and the callback was not called again */
	CHECK(watch_end());
	CHECK_EQ(asked, 1);
	syscalls_before_first = NULL;
	watch_begin();
	CHECK_EQ(close(closing), -1);
	CHECK(watch_end());
	CHECK_EQ(asked, 1);
}
Test(kernel_syscalls, somebody_looks_before_the_first)
{
	NEEDS_DISPATCH();
	case_run(before_the_first, 20000);
}

static void ours_within(void)
{
	SYSCALLS_OURS;

	getppid();
}

static void ours(void)
{
	CHECK_EQ(syscalls_watch(), 0);
	watch_begin();
	{
		SYSCALLS_OURS;

		getppid();
		ours_within();
		getppid();
	}
	CHECK(!watch_end());
	watch_begin();
	{
		SYSCALLS_OURS;
	}
	getppid();
	CHECK(watch_end());
	watch_begin();
	syscalls_note();
	CHECK(watch_end());
}
Test(kernel_syscalls, the_librarys_own_do_not_count)
{
	NEEDS_DISPATCH();
	case_run(ours, 20000);
}

static void *calls(void *arg)
{
	(void)arg;
	return getppid() > 0 ? NULL : arg;
}

/* A thread and a child are not watched: the system call that makes one is noticed. */
static void children_and_threads(void)
{
	pthread_t thread;
	char other;
	void *result = &other;
	pid_t pid;

	CHECK_EQ(syscalls_watch(), 0);
	watch_begin();
	CHECK_EQ(pthread_create(&thread, NULL, calls, &other), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(watch_end());
	CHECK(result == NULL);
	watch_begin();
	pid = fork();
	if (pid == 0) {
		atomic_store(&syscalls_selector, SYSCALLS_BLOCK);
		_exit(getppid() > 0 ? 0 : 1);
	}
	CHECK(watch_end());
	ends_well(pid);
}
Test(kernel_syscalls, children_and_threads_are_not_watched)
{
	NEEDS_DISPATCH();
	case_run(children_and_threads, 20000);
}

static volatile sig_atomic_t handled;
static void handler(int sig)
{
	(void)sig;
	handled++;
}

/* A handler that interrupts watched code returns by a system call: noticed, and survived. */
static void handlers(void)
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval soon = { .it_value = { .tv_usec = 2000 } };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(syscalls_watch(), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	watch_begin();
	while (!handled)
		number = number * 1.001;
	counts_alone();
	CHECK(watch_end());
}
Test(kernel_syscalls, a_handler_in_between)
{
	NEEDS_DISPATCH();
	case_run(handlers, 20000);
}

/* A SIGSYS from elsewhere does what it would do without this code. */
static void real_sigsys(void)
{
	for (int how = 0; how < 3; how++) {
		pid_t pid = fork();
		struct process_exit end;

		if (pid == 0) {
			struct sock_filter trap[] = {
				{ BPF_LD | BPF_W | BPF_ABS, 0, 0,
					offsetof(struct seccomp_data, nr) },
				{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_getppid },
				{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP },
				{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
			};
			struct sock_fprog program = { .len = ARRAY_SIZE(trap), .filter = trap };

			CHECK_EQ(syscalls_watch(), 0);
			if (how == 2) {
				CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L), 0);
				CHECK_EQ(prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program,
						 0L, 0L),
					0);
				watch_begin();
				getppid();
			} else if (how == 1) {
				watch_begin();
				raise(SIGSYS);
			} else {
				raise(SIGSYS);
			}
			_exit(0);
		}
		end = end_of(pid);
		CHECK_MSG(end.code != CLD_EXITED && end.status == SIGSYS,
			"way %d: code %d, status %d", how, end.code, end.status);
	}
}
Test(kernel_syscalls, a_real_sigsys)
{
	NEEDS_DISPATCH();
	NEEDS_FILTERS();
	case_run(real_sigsys, 20000);
}

/* Where a trap could not be handled nothing is watched. */
static void no_room(void)
{
	struct sigaction action = { .sa_handler = handler }, now;
	sigset_t set;

	sigfillset(&action.sa_mask);
	CHECK_EQ(sigaction(SIGPROF, &action, NULL), 0);
	CHECK_EQ(syscalls_watch(), KNOWN ? -EBUSY : -ENOSYS);
	CHECK(signal(SIGPROF, SIG_DFL) != SIG_ERR);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(syscalls_watch(), KNOWN ? -EBUSY : -ENOSYS);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	CHECK(signal(SIGSYS, handler) != SIG_ERR);
	CHECK_EQ(syscalls_watch(), KNOWN ? -EBUSY : -ENOSYS);
	CHECK(signal(SIGSYS, SIG_DFL) != SIG_ERR);
	refuse(SYS_prctl, EINVAL);
	CHECK_EQ(syscalls_watch(), KNOWN ? -EINVAL : -ENOSYS);
	CHECK_EQ(sigaction(SIGSYS, NULL, &now), 0);
	CHECK(now.sa_handler == SIG_DFL);
	watch_begin();
	CHECK(watch_end()); /* nobody can know */
	CHECK(!syscalls_watch_again());
}
Test(kernel_syscalls, where_it_would_not_be_safe)
{
	NEEDS_FILTERS();
	case_run(no_room, 20000);
}

/* In a pause nothing is seen, whatever the watched code has done; then all is seen again. */
static void pauses(void)
{
	_Atomic unsigned char other = SYSCALLS_BLOCK;

	CHECK_EQ(syscalls_watch(), 0);
	for (int i = 0; i < 3; i++) {
		syscalls_rest();
		watch_begin();
		getppid();
		CHECK(!watch_end());
		syscalls_rest();
		CHECK(syscalls_watch_again() && syscalls_watch_again());
		watch_begin();
		getppid();
		CHECK(watch_end());
	}
	/* the code has its own selector watched; with BLOCK there, each call would be a trap */
	atomic_store(&other, SYSCALLS_ALLOW);
	CHECK_EQ(prctl(PR_SET_SYSCALL_USER_DISPATCH, 1L, 0L, 0L, &other), 0);
	syscalls_pause();
	atomic_store(&other, SYSCALLS_BLOCK);
	CHECK(getppid() > 0);
	CHECK(syscalls_watch_again());
	watch_begin();
	getppid();
	CHECK(watch_end());
}
Test(kernel_syscalls, a_pause)
{
	NEEDS_DISPATCH();
	case_run(pauses, 20000);
}

/* Code has switched it off, and its caller has not noticed. */
static void switched_off(void)
{
	CHECK_EQ(syscalls_watch(), 0);
	CHECK_EQ(prctl(PR_SET_SYSCALL_USER_DISPATCH, 0L, 0L, 0L, 0L), 0);
	watch_begin();
	getppid();
	CHECK(!watch_end());
	syscalls_pause(); /* as after any code that may have done so */
	CHECK(syscalls_watch_again());
	watch_begin();
	getppid();
	CHECK(watch_end());
}
Test(kernel_syscalls, again_after_it_was_switched_off)
{
	NEEDS_DISPATCH();
	case_run(switched_off, 20000);
}

static void forgotten(void)
{
	struct sigaction now;
	pid_t pid;

	CHECK_EQ(syscalls_watch(), 0);
	CHECK_EQ(sigaction(SIGSYS, NULL, &now), 0);
	CHECK(now.sa_handler != SIG_DFL);
	pid = fork();
	if (pid == 0) {
		syscalls_forget();
		_exit(sigaction(SIGSYS, NULL, &now) == 0 && now.sa_handler == SIG_DFL ? 0 : 1);
	}
	ends_well(pid);
}
Test(kernel_syscalls, a_child_forgets)
{
	NEEDS_DISPATCH();
	case_run(forgotten, 20000);
}
