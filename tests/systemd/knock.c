/* SPDX-License-Identifier: MIT */
/*
 * knock: clients of the echo server, for as long as FILE exists. Each connects, says a line, reads
 * it back, and begins anew. At the end it prints what became of them:
 *
 *   refused  connect() failed: nobody listened
 *   cut      the connection ended without an answer: its server was killed
 *   silent   there was no answer for 30 s
 *
 * Usage: knock CLIENTS PORT FILE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct counts {
	unsigned long served, refused, cut, silent;
};

static unsigned long *knock(struct counts *c, unsigned port)
{
	static const char words[] = "knock, knock\n";
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = 30 };
	unsigned long *what = &c->served;
	char text[sizeof words];
	size_t got = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return &c->refused;
	}
	if (send(fd, words, sizeof words - 1, MSG_NOSIGNAL) < 0)
		what = &c->cut;
	while (what == &c->served && got < sizeof words - 1) {
		ssize_t n = recv(fd, text + got, sizeof text - got, 0);

		if (n > 0)
			got += (size_t)n;
		else
			what = n < 0 && errno == EAGAIN ? &c->silent : &c->cut;
	}
	if (what == &c->served && memcmp(text, words, sizeof words - 1) != 0)
		what = &c->cut;
	close(fd);
	return what;
}

static void client(unsigned port, const char *file, int result)
{
	struct counts c = { 0 };

	while (access(file, F_OK) == 0)
		++*knock(&c, port);
	_exit(write(result, &c, sizeof c) != sizeof c);
}

int main(int argc, char **argv)
{
	struct counts all = { 0 }, one;
	int results[2];

	if (argc != 4 || pipe(results) < 0) {
		fprintf(stderr, "Usage: knock CLIENTS PORT FILE\n");
		return 2;
	}
	for (int i = atoi(argv[1]); i > 0; i--)
		if (fork() == 0)
			client((unsigned)atoi(argv[2]), argv[3], results[1]);
	close(results[1]);
	while (read(results[0], &one, sizeof one) == sizeof one) {
		all.served += one.served;
		all.refused += one.refused;
		all.cut += one.cut;
		all.silent += one.silent;
	}
	while (wait(NULL) > 0)
		;
	printf("served %lu refused %lu cut %lu silent %lu\n", all.served, all.refused, all.cut,
		all.silent);
	return 0;
}
