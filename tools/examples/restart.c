/* SPDX-License-Identifier: MIT */
/*
 * restart: new code, without refusing a client. Workers are snapshots of the program at
 * brood_start(), so new code needs a new start of the program. (For new data see reload.c.) The
 * launcher keeps the listening socket. At SIGHUP the launcher starts the program again, waits until
 * the new program is ready, and tells the old program to end. The old program first serves the
 * clients that it has. Clients that come meanwhile wait in the socket's backlog. (systemd does the
 * same with a socket unit and `systemctl restart`.)
 *
 * 	restart         prints its port; each client gets the number of the start that serves it
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <brood.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENER 3
#define READY    4

/* Counts the starts: this stands for the new code. */
static int number;

static int answer(struct brood_job *job) /* in a worker */
{
	return dprintf(brood_job_fd(job), "%d\n", number) < 0;
}

static int signals_of(int a, int b)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The program itself: serves until SIGTERM. */
static int serve(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 2 };
	struct brood *brood;
	if (brood_start(&options, &brood) < 0 || brood_wait_ready(brood, 10000) < 0)
		return fprintf(stderr, "restart: %s\n", brood_error()), 1;
	int signals = signals_of(SIGTERM, SIGINT);
	struct pollfd fds[3] = { { signals, POLLIN, 0 }, { LISTENER, POLLIN, 0 },
		{ brood_fd(brood), POLLIN, 0 } };
	if (write(READY, "", 1) != 1)
		return 1;
	close(READY);
	while (poll(fds, 3, -1) >= 0 || errno == EINTR) {
		if (fds[0].revents)
			break;
		if (fds[2].revents)
			brood_dispatch(brood);
		int client = fds[1].revents ? accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (client >= 0 && brood_give(brood, answer, client, NULL, NULL) < 0)
			close(client);
	}
	close(LISTENER); /* the other program accepts now */
	/* Drains: the clients that this program has are served first. */
	return brood_stop(brood) < 0;
}

/* Starts the program anew. Returns its pid once it is ready, else -1. */
static pid_t launch(const char *program, int listener, int count)
{
	char text[16], byte;
	int ready[2], ok;
	if (pipe(ready) < 0)
		return -1;
	snprintf(text, sizeof text, "%d", count);
	pid_t pid = fork();
	if (pid == 0) {
		int copies[2] = { dup(listener), dup(ready[1]) };
		dup2(copies[0], LISTENER);
		dup2(copies[1], READY);
		for (int fd = READY + 1; fd < 32; fd++)
			close(fd);
		execl(program, "restart", text, (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	ok = pid > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	if (!ok && pid > 0)
		waitpid(pid, NULL, 0);
	return ok ? pid : -1;
}

static int end(pid_t pid)
{
	int status = 1;
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	return status;
}

static int listen_on_loopback(void)
{
	struct sockaddr_in local = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof local;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) < 0 ||
		listen(fd, SOMAXCONN) < 0 || getsockname(fd, (struct sockaddr *)&local, &size) < 0)
		return -1;
	printf("port %d\n", ntohs(local.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		number = atoi(argv[1]);
		return serve();
	}
	struct signalfd_siginfo info = { 0 };
	int listener = listen_on_loopback(), signals = signals_of(SIGHUP, SIGTERM), count = 1;
	struct pollfd wait = { signals, POLLIN, 0 };
	pid_t now = listener < 0 ? -1 : launch("/proc/self/exe", listener, count);
	while (now > 0 && poll(&wait, 1, -1) > 0 && read(signals, &info, sizeof info) > 0 &&
		info.ssi_signo == SIGHUP) {
		pid_t next = launch("/proc/self/exe", listener, ++count);
		if (next < 0) /* the old program goes on */
			continue;
		end(now);
		now = next;
	}
	return now > 0 ? end(now) != 0 : 1;
}
