/* SPDX-License-Identifier: MIT */
/*
 * reload: new data for all workers, while clients are served. The server reads a file at the start
 * and at each SIGHUP; each client gets what stands there. The workers get it as init data, and a
 * reload replaces them, a few at a time. A worker that does not like the data does not get ready:
 * then the former ones go on, and the log says why. (An empty file is such data here.)
 *
 * 	reload FILE        prints its port
 * 	kill -HUP PID      of the process that was started
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <brood.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct brood_init_data greeting;

static int take_greeting(void *context) /* in a worker, before its first job */
{
	(void)context;
	if (brood_get_init_data(&greeting) < 0)
		return 1;
	/* Those that are born before the engine has read the file are replaced in a moment. */
	return greeting.version > 0 && greeting.data_size == 0;
}

static int answer(struct brood_job *job) /* in a worker */
{
	return send(brood_job_fd(job), greeting.data, greeting.data_size, MSG_NOSIGNAL) < 0;
}

/* From here on workers are born with what stands in the file, and those that are there go. */
static void reload(struct brood *brood, const char *path)
{
	char text[4096];
	size_t size = 0;
	FILE *file = fopen(path, "re");
	if (!file) {
		fprintf(stderr, "reload: %s: %s\n", path, strerror(errno));
		return;
	}
	size = fread(text, 1, sizeof text, file);
	fclose(file);
	if (brood_set_init_data(brood, text, size, NULL, 0) < 0 ||
		brood_reload(brood, NULL, NULL) < 0)
		fprintf(stderr, "reload: %s\n", brood_error());
}

static void say(void *context, const struct brood_log *log)
{
	(void)context;
	fprintf(stderr, "reload: %s: %s\n", brood_event_name(log->event), log->text);
}

static int listen_anywhere(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 128) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void serve(struct brood *brood, int listener, int signals, const char *path)
{
	struct pollfd fds[3] = { { signals, POLLIN, 0 }, { listener, POLLIN, 0 },
		{ brood_fd(brood), POLLIN, 0 } };
	struct signalfd_siginfo info;
	while (poll(fds, 3, -1) >= 0 || errno == EINTR) {
		while (read(signals, &info, sizeof info) == sizeof info) {
			if (info.ssi_signo != SIGHUP)
				return;
			reload(brood, path);
		}
		if (fds[2].revents)
			brood_dispatch(brood);
		int client = fds[1].revents ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (client >= 0 && brood_give(brood, answer, client, NULL, NULL) < 0)
			close(client);
	}
}

int main(int argc, char **argv)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 2, .worker_init = take_greeting, .log = say
	};
	struct brood *brood;
	unsigned port;
	sigset_t set;
	int listener, signals;
	if (argc != 2)
		return fprintf(stderr, "Usage: reload FILE\n"), 2;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL); /* before the start: SIGHUP would end the engine */
	if (brood_start(&options, &brood) < 0 || brood_wait_ready(brood, 10000) < 0)
		return fprintf(stderr, "reload: %s\n", brood_error()), 1;
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	listener = listen_anywhere(&port);
	if (signals < 0 || listener < 0)
		return fprintf(stderr, "reload: %s\n", strerror(errno)), 1;
	reload(brood, argv[1]);
	printf("%u\n", port);
	fflush(stdout);
	serve(brood, listener, signals, argv[1]);
	return brood_stop(brood) < 0;
}
