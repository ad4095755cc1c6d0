/* SPDX-License-Identifier: MIT */
/*
 * daemon: a service that goes into the background by itself. It forks *before* brood_start(),
 * because the daemon's parent waits for the process that called brood_start(), the supervisor. The
 * command ends with 0 when the pool is ready, or with 1 when the pool could not start. (systemd
 * needs none of this: Type=notify and brood_notify_ready() do the same.)
 *
 * 	daemon PIDFILE [CODE]   worker_init returns CODE; use one that is not 0 to see a start fail
 */
#define _GNU_SOURCE
#include <brood.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int init_code;

static int init(void *context)
{
	(void)context;
	return init_code;
}

/* In the command: waits for one byte from the daemon, or for the daemon's end. */
static int wait_for(int fd)
{
	char byte;
	return read(fd, &byte, 1) == 1 ? 0 : 1;
}

/*
 * The supervisor took the lock and holds it as long as it lives: so the lock lasts as long as the
 * service.
 */
static int lock_pid_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || lockf(fd, F_TLOCK, 0) < 0 || ftruncate(fd, 0) < 0)
		return -1;
	return dprintf(fd, "%d\n", (int)getpid()) > 0 ? fd : -1;
}

static void serve(void)
{
	sigset_t ends;
	int signal;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	sigwait(&ends, &signal);
}

int main(int argc, char **argv)
{
	int ready[2];
	if (argc < 2 || pipe2(ready, O_CLOEXEC) < 0)
		return fprintf(stderr, "Usage: daemon PIDFILE [CODE]\n"), 2;
	init_code = argc > 2 ? atoi(argv[2]) : 0;
	if (fork() != 0) {
		close(ready[1]);
		return wait_for(ready[0]);
	}
	close(ready[0]);
	setsid();
	if (lock_pid_file(argv[1]) < 0)
		return perror(argv[1]), 1;

	struct brood_options options = {
		.size = sizeof options, .workers = 2, .worker_init = init
	};
	struct brood *brood;
	if (brood_start(&options, &brood) < 0 || brood_wait_ready(brood, 10000) < 0)
		return fprintf(stderr, "daemon: %s\n", brood_error()), 1;
	if (write(ready[1], "", 1) != 1)
		return 1;
	close(ready[1]);
	/* The terminal does not belong to the daemon any more. */
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	serve();
	return brood_stop(brood) < 0;
}
