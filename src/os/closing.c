/* SPDX-License-Identifier: MIT */
/*
 * closing.c - a close() that may block is done by a process that shares the table of open files and
 * the memory (CLONE_FILES, CLONE_VM), and waits in our place. At most CLOSING_HELPERS of them at a
 * time; what they have not come to yet waits in a list, which they empty before they end.
 *
 * A helper shares the thread's TLS, errno included, with whoever made it: it makes its system calls
 * by hand, calls no function of the C library, and has all signals blocked. It ends with the
 * supervisor (PDEATHSIG).
 *
 * What cannot block is closed at once: pipes, anonymous inodes (eventfd, epoll, pidfd ...), memory
 * files, files of a local disk, sockets without a linger time whose queue is empty. Looking at a
 * file must not block either, hence statx() with AT_STATX_DONT_SYNC.
 *
 * It waits a little before it closes what may have come from a worker, which closes its own copy at
 * about the same time: the last close() is the one that blocks, and a worker has better things to
 * do. Sockets of ours are closed now: somebody waits for their end.
 *
 * Where no helper can be made, a socket's linger time is cleared, and a file is closed here after
 * all.
 */
#include "closing.h"
#include "process.h"
#include "sockets.h"
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
#define NAP_NS          200000000L
#define MAJOR_MEM       1 /* /dev/null, /dev/zero ... */
#define MAJOR_PTS_FIRST 136
#define MAJOR_PTS_LAST  143

static struct {
	enum closing_way way;
	bool helpers; /* they can be made */
	_Atomic int *pids;
	/* the descriptor and 1; negative: to be closed now; 0: free */
	_Atomic int waiting[WAITING];
	/* the kernel clears it when that helper has ended */
	_Atomic int busy[CLOSING_HELPERS];
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

/* valgrind ends a program that calls clone() with CLONE_FILES; it also knows no pidfd_open(), which
 * each kernel that Brood runs on has. A sandbox without pidfd_open() does without helpers, too. */
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
	closing.helpers = way != CLOSING_PLAIN && helpers_work();
}

/* ---- may it block? ---- */

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

static bool is_harmless(int fd)
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
	/* a file system without a disk of its own may be a network's; memory has seals */
	case S_IFDIR: return st.stx_dev_major != 0 || fcntl(fd, F_GET_SEALS) >= 0;
	default: return false;
	}
}

/* ---- the helper ---- */

/* No errno: it is the other thread's. */
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

/* True: it closed something. */
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
	call(SYS_nanosleep, (long)(intptr_t)&nap, 0);
	while (close_those(true))
		;
	return 0;
}

/* False: there is none, and none can be made. */
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
		int free_place = 0;

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
		/* Nobody has taken it meanwhile: then it is ours again. */
		return !atomic_compare_exchange_strong(&closing.waiting[i], &wanted, 0);
	}
	return false;
}

static int close_elsewhere(int fd, bool now)
{
	int saved = errno;

	if (!closing.helpers || !hand_over(fd, now))
		sockets_close(fd);
	errno = saved;
	return -1;
}

int closing_fd(int fd)
{
	int saved = errno;
	bool here = fd < 0 || closing.way == CLOSING_PLAIN || is_harmless(fd);

	errno = saved;
	return here ? close_fd(fd) : close_elsewhere(fd, false);
}

int closing_pair_end(int fd)
{
	int saved = errno;
	bool here = fd < 0 || closing.way == CLOSING_PLAIN || queue_is_empty(fd);

	errno = saved;
	return here ? close_fd(fd) : close_elsewhere(fd, true);
}
