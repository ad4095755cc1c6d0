/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - see terminal.h. Signals that end the program put the terminal back in their handler:
 * tcsetattr() and write() may be called there.
 */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The alternate screen, no cursor, lines do not wrap. CAN ends a sequence that was cut off. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE "\030\033[0m\033[?7h\033[?25h\033[?1049l"

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE,
	SIGILL, SIGABRT, SIGALRM, SIGXCPU, SIGXFSZ, SIGUSR1, SIGUSR2, SIGSYS, SIGTRAP, SIGVTALRM,
	SIGPROF, SIGIO };

static struct termios before;
static volatile sig_atomic_t taken, has_input, stop_asked;
static sigset_t waiting; /* the mask while it waits */

static void write_all(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, text, size);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
}

static void put_back(void)
{
	if (!taken)
		return;
	write_all(LEAVE, sizeof LEAVE - 1);
	if (has_input)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	taken = 0; /* last: a signal in between does all of it again */
}

/* The signal has its default meaning again (SA_RESETHAND), and comes again at the return. */
static void on_deadly(int number)
{
	put_back();
	raise(number);
}

static void on_stop(int number)
{
	(void)number;
	stop_asked = 1;
}

static void on_size(int number) { (void)number; }

static void take(void)
{
	struct termios now = before;

	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	taken = 1;
	if (has_input)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
	write_all(ENTER, sizeof ENTER - 1);
}

static void on(int number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_flags = flags };

	action.sa_handler = handler;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

int terminal_enter(void)
{
	sigset_t held;

	has_input = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	sigemptyset(&held);
	sigaddset(&held, SIGWINCH);
	sigaddset(&held, SIGTSTP);
	if (sigprocmask(SIG_BLOCK, &held, &waiting) < 0)
		return -errno;
	sigdelset(&waiting, SIGWINCH);
	sigdelset(&waiting, SIGTSTP);
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
		on(deadly[i], on_deadly, (int)SA_RESETHAND);
	on(SIGTSTP, on_stop, 0);
	on(SIGWINCH, on_size, 0);
	atexit(put_back);
	take();
	return 0;
}

void terminal_leave(void) { put_back(); }

static unsigned from_environment(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	long value = text ? strtol(text, NULL, 10) : 0;

	return value > 0 && value < 100000 ? (unsigned)value : otherwise;
}

void terminal_size(unsigned *ret_columns, unsigned *ret_rows)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		*ret_columns = size.ws_col;
		*ret_rows = size.ws_row;
		return;
	}
	*ret_columns = from_environment("COLUMNS", *ret_columns);
	*ret_rows = from_environment("LINES", *ret_rows);
}

/* Stops as any program does at Ctrl-Z, and comes back at SIGCONT. */
static void stop(void)
{
	sigset_t held;

	stop_asked = 0;
	put_back();
	on(SIGTSTP, SIG_DFL, 0);
	raise(SIGTSTP);
	sigemptyset(&held);
	sigaddset(&held, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &held, NULL); /* it stops here */
	sigprocmask(SIG_BLOCK, &held, NULL);
	on(SIGTSTP, on_stop, 0);
	take();
}

size_t terminal_wait(uint64_t wait_ns, char *keys, size_t room)
{
	struct pollfd input = { .fd = has_input ? STDIN_FILENO : -1, .events = POLLIN };
	struct timespec wait = { (time_t)(wait_ns / 1000000000), (long)(wait_ns % 1000000000) };
	int r = ppoll(&input, 1, &wait, &waiting);
	ssize_t n = 0;

	if (stop_asked)
		stop();
	if (r > 0 && input.revents) {
		n = read(STDIN_FILENO, keys, room);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
			put_back(); /* the terminal is gone */
			exit(0);
		}
	}
	return n > 0 ? (size_t)n : 0;
}

bool terminal_write(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, text, size);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };

			poll(&output, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return false;
		}
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return true;
}
