/* SPDX-License-Identifier: MIT */
/*
 * pty-run.c - runs a program on a terminal of its own, as a person would.
 *
 *   pty-run COLUMNSxROWS SCRIPT PROGRAM [ARGUMENT]...
 *
 * SCRIPT: words, in their order: "wait:TEXT" until the output since the last act has TEXT;
 * "key:TEXT" types; "enter:" types Enter; "size:COLUMNSxROWS" changes the size; "kill:NUMBER" sends
 * a signal; "stop:PID", "start:PID" and "end:PID" stop, let on and kill another process. Blanks in
 * a TEXT are "~". At the end the program is waited for. Output: what it wrote, and then on standard
 * error how it ended, and whether the terminal is as it was. Exit: 0; 1 a word was in vain, or it
 * did not end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 20

static int master;
static pid_t child;
static char seen[1 << 20]; /* since the last word */
static size_t seen_size;

static void die(const char *what)
{
	fprintf(stderr, "pty-run: %s: %s\n", what, strerror(errno));
	if (child > 0)
		kill(child, SIGKILL);
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Reads what there is. False: the program has closed its terminal. */
static bool read_some(int wait_ms)
{
	struct pollfd fd = { .fd = master, .events = POLLIN };
	ssize_t n;

	if (poll(&fd, 1, wait_ms) <= 0)
		return true;
	if (seen_size > sizeof seen - 65536)
		seen_size = 0;
	n = read(master, seen + seen_size, 32768);
	if (n <= 0)
		return false;
	fwrite(seen + seen_size, 1, (size_t)n, stdout);
	seen_size += (size_t)n;
	seen[seen_size] = '\0';
	return true;
}

static void wait_for(const char *text)
{
	double until = now_s() + PATIENCE_S;

	while (!memmem(seen, seen_size, text, strlen(text)))
		if (!read_some(50) || now_s() > until) {
			errno = ETIME;
			die(text);
		}
}

static void resize(const char *text)
{
	unsigned columns = 80, rows = 24;
	struct winsize size;

	sscanf(text, "%ux%u", &columns, &rows);
	memset(&size, 0, sizeof size);
	size.ws_col = (unsigned short)columns;
	size.ws_row = (unsigned short)rows;
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		die("TIOCSWINSZ");
}

static void act(char *word)
{
	char *text = strchr(word, ':');

	if (!text)
		die("a word of the script has no colon");
	*text++ = '\0';
	for (char *at = text; *at; at++)
		*at = *at == '~' ? ' ' : *at;
	if (strcmp(word, "wait") == 0) {
		wait_for(text);
		return;
	}
	seen_size = 0;
	if (strcmp(word, "key") == 0 && write(master, text, strlen(text)) < 0)
		die("write");
	else if (strcmp(word, "enter") == 0 && write(master, "\r", 1) < 0)
		die("write");
	else if (strcmp(word, "size") == 0)
		resize(text);
	else if (strcmp(word, "stop") == 0)
		kill(atoi(text), SIGSTOP);
	else if (strcmp(word, "start") == 0)
		kill(atoi(text), SIGCONT);
	else if (strcmp(word, "end") == 0)
		kill(atoi(text), SIGKILL);
	else if (strcmp(word, "kill") == 0)
		kill(child, atoi(text));
}

static void begin(char **arguments)
{
	const char *name = ptsname(master);
	int slave = name ? open(name, O_RDWR | O_NOCTTY) : -1;

	if (slave < 0)
		die("the other end of the terminal");
	child = fork();
	if (child != 0) {
		close(slave);
		return;
	}
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		dup2(slave, i);
	close(slave);
	execvp(arguments[0], arguments);
	_exit(127);
}

/* Waits for the end; the output goes on meanwhile. */
static int end(void)
{
	double until = now_s() + PATIENCE_S;
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		read_some(20);
		if (now_s() > until) {
			errno = ETIME;
			die("it does not end");
		}
	}
	while (read_some(0) && seen_size > 0)
		seen_size = 0;
	return status;
}

int main(int argc, char **argv)
{
	struct termios before, after;
	int status, holder;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (argc < 4 || master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		die("a terminal");
	/* keeps the terminal alive, and its settings with it */
	holder = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (holder < 0 || tcgetattr(holder, &before) < 0)
		die("the terminal");
	resize(argv[1]);
	begin(argv + 3);
	for (char *word = strtok(argv[2], " \n\t"); word; word = strtok(NULL, " \n\t"))
		act(word);
	status = end();
	fflush(stdout);
	if (tcgetattr(holder, &after) < 0)
		die("the terminal");
	fprintf(stderr, WIFSIGNALED(status) ? "signal %d\n" : "exit %d\n",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fprintf(stderr, "terminal %s\n",
		before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag ? "as it was"
										   : "changed");
	return 0;
}
