/* SPDX-License-Identifier: MIT */
/*
 * closing.c - a helper process does a close() that may block. It shares the table of open files and
 * the memory (CLONE_FILES, CLONE_VM), and waits instead of this process. At most CLOSING_HELPERS
 * run at a time. Other descriptors wait in a list, which the helpers empty before they end.
 *
 * A helper shares the TLS of the thread that made it, errno included. So it makes its system calls
 * by hand, calls no function of the C library, and has all signals blocked. It ends with the
 * supervisor (PDEATHSIG).
 *
 * Files that cannot block are closed at once: pipes, anonymous inodes (eventfd, epoll, pidfd ...),
 * memory files, files of a local disk, and sockets without a linger time whose queue is empty. To
 * look at a file must not block either, so statx() gets AT_STATX_DONT_SYNC.
 *
 * A helper waits a little before it closes a file that may have come from a worker. The worker
 * closes its own copy at about the same time, and the last close() is the one that blocks: it
 * should not be the worker's. The library's own sockets are closed at once, because some process
 * waits for their end.
 *
 * Where no helper can be made, a socket's linger time is cleared, and a file is closed by this
 * process after all.
 */
#include "closing.h"
#include "futex.h"
#include "process.h"
#include "../base/base.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define WAITING         256
#define STACK_SIZE      16384
#define NAPS            10 /* naps that a helper takes before it closes what workers may have */
#define NAP_NS          20000000L
#define MAJOR_MEM       1 /* the major number of /dev/null, /dev/zero ... */
#define MAJOR_PTS_FIRST 136
#define MAJOR_PTS_LAST  143

static struct {
	enum closing_way way;
	bool helpers; /* helpers can be made */
	_Atomic int *pids;
	/* A descriptor plus 1; negative: close it at once; 0: this place is free. */
	_Atomic int waiting[WAITING];
	/* Not 0 while this helper runs: the kernel clears it when the helper has ended. */
	_Atomic uint32_t busy[CLOSING_HELPERS];
	_Atomic bool hurry; /* no worker has copies any more, so a helper need not wait */
	_Alignas(16) unsigned char stacks[CLOSING_HELPERS][STACK_SIZE];
} closing;

/* ThreadSanitizer takes a clone() with CLONE_VM for a fork() of the whole program, and ends it. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN true
#elif defined(__has_feature)
#define UNDER_TSAN __has_feature(thread_sanitizer)
#else
#define UNDER_TSAN false
#endif

/*
 * valgrind ends a program that calls clone() with CLONE_FILES. It has no pidfd_open() either, which
 * every kernel that Brood runs on has: so pidfd_open() tells. A sandbox without pidfd_open() does
 * without helpers, too.
 */
static bool helpers_work(void)
{
	int fd = UNDER_TSAN ? -ENOSYS : process_pidfd_open(getpid());

	close_fd(fd);
	return fd != -ENOSYS && fd != -EPERM;
}

void closing_by(enum closing_way way, _Atomic int pids[CLOSING_HELPERS])
{
	closing.way = way;
	closing.pids = pids;
	atomic_store(&closing.hurry, false);
	closing.helpers = way != CLOSING_PLAIN && helpers_work();
}

/* ---- whether a close() may block ---- */

static bool queue_is_empty(int fd)
{
	int bytes = 0;

	return ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 0;
}

static bool socket_is_harmless(int fd)
{
	struct linger linger = { 0 };
	socklen_t size = sizeof(int);
	int domain = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return false;
	if (domain == AF_UNIX)
		return queue_is_empty(fd);
	size = sizeof linger;
	if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) < 0)
		return false;
	return (domain == AF_INET || domain == AF_INET6 || domain == AF_NETLINK) &&
		(!linger.l_onoff || linger.l_linger == 0);
}

bool closing_is_harmless(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return errno == EBADF;
	switch (st.stx_mode & S_IFMT) {
	case 0:
	case S_IFIFO: return true;
	case S_IFSOCK: return socket_is_harmless(fd);
	case S_IFCHR:
		return st.stx_rdev_major == MAJOR_MEM ||
			(st.stx_rdev_major >= MAJOR_PTS_FIRST &&
				st.stx_rdev_major <= MAJOR_PTS_LAST);
	case S_IFREG:
	/*
	 * Without a disk below it, the file system may be a network's, whose close() may block. A
	 * memory file has no disk either, and is harmless: it is known by its seals.
	 */
	case S_IFDIR: return st.stx_dev_major != 0 || fcntl(fd, F_GET_SEALS) >= 0;
	default: return false;
	}
}

/* ---- the helper ---- */

/* Makes a system call without setting errno, which belongs to the other thread. */
static inline long call(long number, long a, long b)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	return x0;
#elif defined(__i386__)
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
	return result;
#else
	return syscall(number, a, b);
#endif
}

/* Called in a helper: closes one descriptor of the list. True: there was one. */
static inline bool close_those(bool all)
{
	bool some = false;

	for (int i = 0; i < WAITING; i++) {
		int fd = atomic_load(&closing.waiting[i]);

		if (fd == 0 || (fd > 0 && !all) ||
			!atomic_compare_exchange_strong(&closing.waiting[i], &fd, 0))
			continue;
		call(SYS_close, (fd < 0 ? -fd : fd) - 1, 0);
		some = true;
	}
	return some;
}

static int helper(void *unused)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	(void)unused;
	call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	call(SYS_prctl, PR_SET_NAME, (long)CLOSING_NAME);
	close_those(false);
	for (int i = 0; i < NAPS && !atomic_load(&closing.hurry); i++)
		call(SYS_nanosleep, (long)(intptr_t)&nap, 0);
	while (close_those(true))
		;
	return 0;
}

/* False: no helper runs, and none can be made. */
static bool make_helper(void)
{
	int flags = CLONE_VM | CLONE_FILES | CLONE_UNTRACED | CLONE_CHILD_CLEARTID |
		CLONE_PARENT_SETTID,
	    r = -1, running = 0;
	sigset_t all, before;

	flags |= closing.way == CLOSING_SIBLING ? CLONE_PARENT : SIGCHLD;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < CLOSING_HELPERS && r < 0; i++) {
		uint32_t free_place = 0;

		if (!atomic_compare_exchange_strong(&closing.busy[i], &free_place, 1)) {
			running++;
			continue;
		}
		r = clone(helper, closing.stacks[i] + STACK_SIZE, flags, NULL, &closing.pids[i],
			NULL, &closing.busy[i]);
		if (r < 0) {
			atomic_store(&closing.busy[i], 0);
			break;
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r > 0 || running > 0;
}

static bool hand_over(int fd, bool now)
{
	for (int i = 0; i < WAITING; i++) {
		int nobody = 0, wanted = now ? -(fd + 1) : fd + 1;

		if (!atomic_compare_exchange_strong(&closing.waiting[i], &nobody, wanted))
			continue;
		if (make_helper())
			return true;
		/* If no helper has taken the descriptor meanwhile, this process must close it. */
		return !atomic_compare_exchange_strong(&closing.waiting[i], &wanted, 0);
	}
	return false;
}

int closing_socket(int fd)
{
	struct linger linger;
	socklen_t size = sizeof linger;
	int saved = errno;

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 &&
		linger.l_onoff && linger.l_linger > 0) {
		linger.l_onoff = 0;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	}
	errno = saved;
	return close_fd(fd);
}

/* ours: the library's own socket, for whose end some process waits. */
static int close_here_or_there(int fd, bool ours)
{
	int saved = errno;

	if (fd < 0 || closing.way == CLOSING_PLAIN ||
		(ours ? queue_is_empty(fd) : closing_is_harmless(fd)))
		close_fd(fd);
	else if (!closing.helpers || !hand_over(fd, ours))
		closing_socket(fd);
	errno_put_back(saved);
	return -1;
}

int closing_fd(int fd) { return close_here_or_there(fd, false); }

int closing_pair_end(int fd) { return close_here_or_there(fd, true); }

static bool some_wait(void)
{
	for (int i = 0; i < WAITING; i++)
		if (atomic_load(&closing.waiting[i]) != 0)
			return true;
	return false;
}

static bool helpers_end(uint64_t until)
{
	for (int i = 0; i < CLOSING_HELPERS; i++) {
		uint32_t busy;

		while ((busy = atomic_load(&closing.busy[i])) != 0)
			if (futex_wait(&closing.busy[i], busy, until) == -ETIMEDOUT)
				return false;
	}
	return true;
}

void closing_settle(uint64_t until)
{
	atomic_store(&closing.hurry, true);
	/*
	 * A helper may have ended just before it could see a descriptor that came late. Then
	 * another helper is made for this descriptor.
	 */
	while (helpers_end(until) && some_wait() && make_helper())
		;
}
