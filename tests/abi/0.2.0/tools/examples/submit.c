/*
 * submit: a server with one event loop, whose work is done in workers. Each packet that comes to a UDP port of the loopback interface is a job: it is submitted
 * without waiting, with whoever sent it as its context. When brood_fd() is readable the loop takes what has come, in batches, and sends answers; they come in the
 * order in which jobs end. When too many jobs are out the packet is dropped, as such a server does. "crash" does that: it costs that answer, and no other.
 *
 *	submit PORT
 */
#define _GNU_SOURCE
#include <brood.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET 1024

struct server {
	struct brood *brood;
	int epoll, socket, signals;
	unsigned long long answers, dropped;
};

/* Runs in a worker. The request lies where the engine has put it: nothing is copied. */
static int reverse(struct brood_job *job)
{
	char text[PACKET];
	size_t size;
	const char *word = brood_job_request(job, &size);
	if (!word || size > sizeof text)
		return 1;
	if (size == 5 && memcmp(word, "crash", 5) == 0)
		abort();
	for (size_t i = 0; i < size; i++)
		text[i] = word[size - 1 - i];
	return brood_job_reply(job, text, size) == (ssize_t) size ? 0 : 1;
}

static void die(const char *what)
{
	fprintf(stderr, "submit: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_packets(struct server *server)
{
	struct brood_job_options options = { .size = sizeof options, .queue_ms = 2000, .run_ms = 1000 };
	char packet[PACKET];
	for (;;) {
		struct sockaddr_in from, *sender = malloc(sizeof *sender);
		socklen_t from_size = sizeof from;
		ssize_t n = recvfrom(server->socket, packet, sizeof packet, 0, (struct sockaddr *) &from, &from_size);
		if (n < 0 || !sender) {            /* there is no more, for now */
			free(sender);
			return;
		}
		*sender = from;
		options.context = sender;
		if (brood_submit(server->brood, reverse, packet, (size_t) n, &options, NULL) < 0) {
			free(sender);
			server->dropped++;
		}
	}
}

static void answer(struct server *server, const struct brood_result *result)
{
	struct sockaddr_in *sender = result->context;
	char line[300];
	const void *text = result->reply;
	size_t size = result->reply_size;
	if (result->verdict.outcome != BROOD_DONE) {
		brood_verdict_format(&result->verdict, line, sizeof line);
		text = line;
		size = strlen(line);
	}
	sendto(server->socket, text, size, 0, (struct sockaddr *) sender, sizeof *sender);
	free(sender);
	server->answers++;
}

static void on_results(struct server *server)
{
	const struct brood_result *results[64];
	int n;
	brood_dispatch(server->brood);
	while ((n = brood_take(brood_own_queue(server->brood), results, 64)) > 0)
		for (int i = 0; i < n; i++)
			answer(server, results[i]);
}

static void watch(struct server *server, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void prepare(struct server *server, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	server->signals = signalfd(-1, &ends, SFD_CLOEXEC);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(server->socket, (struct sockaddr *) &address, size) < 0 || getsockname(server->socket, (struct sockaddr *) &address, &size) < 0)
		die("that port");
	watch(server, server->signals);
	watch(server, server->socket);
	watch(server, brood_fd(server->brood));
	printf("port %u\n", ntohs(address.sin_port));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct server server = { .epoll = -1 };
	struct brood_options options = { .size = sizeof options, .flags = BROOD_NO_CORE, .title = "submit" };
	if (argc != 2)
		return fprintf(stderr, "Usage: submit PORT     (0 takes a free one)\n"), 2;
	if (brood_start(&options, &server.brood) < 0)
		return fprintf(stderr, "submit: %s\n", brood_error()), 1;
	prepare(&server, atoi(argv[1]));
	for (int ending = 0; !ending;) {
		struct epoll_event events[8];
		int n = epoll_wait(server.epoll, events, 8, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == server.socket)
				on_packets(&server);
			else if (events[i].data.fd == server.signals)
				ending = 1;
			else
				on_results(&server);
		}
	}
	int r = brood_stop(server.brood);
	on_results(&server);                       /* of jobs that ended during the stop */
	printf("%llu answers, %llu dropped\n", server.answers, server.dropped);
	return r < 0;
}
