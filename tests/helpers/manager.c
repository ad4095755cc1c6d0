/* SPDX-License-Identifier: MIT */
#include "manager.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct manager_memory *manager;
static int manager_fd, signals;

void manager_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64];
	int on = 1;

	manager = mmap(
		NULL, sizeof *manager, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(name, sizeof name, "@brood-life-%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(manager != MAP_FAILED && manager_fd >= 0);
	setsockopt(manager_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	cr_assert_eq(bind(manager_fd, (struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void hide_number(char *text, const char *key)
{
	char *at = strstr(text, key), *end;

	if (!at)
		return;
	at += strlen(key);
	end = at + strspn(at, "0123456789");
	if (end == at)
		return;
	memmove(at + 1, end, strlen(end) + 1);
	*at = 'N';
}

/* Closes the fd that came along, and returns the sender's pid. */
static pid_t sender(struct msghdr *message)
{
	struct ucred peer = { 0 };
	int fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&peer, CMSG_DATA(c), sizeof peer);
		else if (c->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(c), sizeof fd);
			close(fd);
		}
	}
	return peer.pid;
}

static bool read_one(pid_t supervisor)
{
	char text[1100];
	union {
		char bytes[256];
		struct cmsghdr align;
	} control;
	struct iovec iov = { text, sizeof text - 1 };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	ssize_t n = recvmsg(manager_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	pid_t pid;

	if (n < 0)
		return false;
	text[n] = '\0';
	hide_number(text, "MONOTONIC_USEC=");
	hide_number(text, "MAINPID=");
	pid = sender(&message);
	if (pid != supervisor)
		manager->foreign = pid;
	if (manager->heard < MANAGER_HEARD_MAX)
		strcpy(manager->texts[manager->heard], text);
	manager->heard = manager->heard + 1;
	return true;
}

static void signal_children(pid_t supervisor, int sig)
{
	char path[64], list[4096] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
	file = fopen(path, "r");
	if (!file)
		return;
	list[fread(list, 1, sizeof list - 1, file)] = '\0';
	fclose(file);
	for (char *at = list, *end; *at >= '0' && *at <= '9'; at = *end ? end + 1 : end)
		kill((pid_t)strtol(at, &end, 10), sig);
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid != 0;
}

static void grant_wish(pid_t supervisor)
{
	int sig = manager->wish;

	manager->wish = 0;
	if (sig)
		kill(supervisor, sig);
	if (sig && manager->everybody)
		signal_children(supervisor, sig);
}

static void manage(pid_t supervisor)
{
	struct pollfd p = { .fd = manager_fd, .events = POLLIN };

	while (!has_ended(supervisor)) {
		grant_wish(supervisor);
		if (manager->deaf)
			poll(NULL, 0, 5);
		else if (poll(&p, 1, 10) > 0)
			read_one(supervisor);
	}
	while (read_one(supervisor))
		;
}

struct case_result manager_live(void (*body)(void))
{
	struct case_options options = { .body = body, .timeout_ms = 60000, .outside = manage };
	struct case_result result;

	case_try(&options, &result);
	cr_assert(!result.expired && result.failures == 0 && result.left == 0 && result.done == 1,
		"expired %d, failures %u, left %d, done %u: %s", result.expired, result.failures,
		result.left, result.done, result.text);
	cr_assert_eq(manager->foreign, 0, "a message came from pid %d", (int)manager->foreign);
	unsetenv("NOTIFY_SOCKET");
	close(manager_fd);
	return result;
}

/* Figures alone, which come by their pace. */
static bool is_figures(const char *text)
{
	return strncmp(text, "STATUS=", 7) == 0 && !strchr(text, '\n') &&
		(strstr(text, " workers ready: ") || strstr(text, "stopping: "));
}

void manager_shorten(const char *begin)
{
	for (unsigned i = 0; i < manager->heard; i++)
		if (strncmp(manager->texts[i], begin, strlen(begin)) == 0)
			strcpy(manager->texts[i], begin);
}

void manager_forget_figures(void)
{
	while (manager->heard > 0 && is_figures(manager->texts[manager->heard - 1]))
		manager->heard = manager->heard - 1;
}

const char *manager_all_heard(void)
{
	static char text[MANAGER_HEARD_MAX * 100];
	size_t at = 0;

	for (unsigned i = 0; i < manager->heard && at < sizeof text - 1300; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "%u: %s\n", i, manager->texts[i]);
	return text;
}

void manager_heard_is(const char *const *expected)
{
	unsigned i = 0;

	cr_assert_leq(manager->heard, MANAGER_HEARD_MAX);
	for (; *expected; expected++, i++) {
		while (i < manager->heard && strcmp(manager->texts[i], *expected) != 0 &&
			is_figures(manager->texts[i]))
			i++;
		cr_assert(i < manager->heard && strcmp(manager->texts[i], *expected) == 0,
			"message %u is not \"%s\". All:\n%s", i, *expected, manager_all_heard());
	}
	for (; i < manager->heard; i++)
		cr_assert(is_figures(manager->texts[i]), "message %u is too much. All:\n%s", i,
			manager_all_heard());
}

void manager_take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
}

bool manager_signal_comes(int ms)
{
	struct signalfd_siginfo info;
	struct pollfd p = { .fd = signals, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && read(signals, &info, sizeof info) == sizeof info;
}

bool manager_heard_last(const char *text)
{
	return manager->heard > 0 && strcmp(manager->texts[manager->heard - 1], text) == 0;
}

bool manager_heard_figures(void)
{
	return manager->heard > 0 && is_figures(manager->texts[manager->heard - 1]);
}
