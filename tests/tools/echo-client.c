/* SPDX-License-Identifier: MIT */
/*
 * echo-client PORT|PATH CLIENTS BYTES: that many clients of an echo server at the same time, each
 * with bytes of its own. Exit code 0: each got back what it sent, and then the server's end. Gives
 * up when nothing has moved for 20 seconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static size_t bytes;
struct client {
	size_t sent, received;
	int wrong;
};

static char byte_of(size_t client, size_t i)
{
	return (char)((client * 131 + i * 7 + i / 251) & 0xff);
}

static int connect_to(const char *where)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in loopback = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int is_path = strchr(where, '/') != NULL;
	snprintf(local.sun_path, sizeof local.sun_path, "%s", where);
	loopback.sin_port = htons((uint16_t)atoi(where));
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
		connect(fd, is_path ? (struct sockaddr *)&local : (struct sockaddr *)&loopback,
			is_path ? sizeof local : sizeof loopback) < 0) {
		perror(where);
		exit(1);
	}
	return fd;
}

static void write_some(struct client *client, size_t number, struct pollfd *poll_fd)
{
	char data[4096];
	size_t n = bytes - client->sent < sizeof data ? bytes - client->sent : sizeof data;
	for (size_t i = 0; i < n; i++)
		data[i] = byte_of(number, client->sent + i);
	ssize_t sent = send(poll_fd->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		client->sent += (size_t)sent;
	if (client->sent == bytes) {
		shutdown(poll_fd->fd, SHUT_WR);
		poll_fd->events = POLLIN;
	}
}

/* Not 0 at the end. */
static int read_some(struct client *client, size_t number, int fd)
{
	char data[4096];
	ssize_t n = recv(fd, data, sizeof data, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	for (ssize_t i = 0; i < n; i++)
		client->wrong |= data[i] != byte_of(number, client->received + (size_t)i);
	if (n > 0)
		client->received += (size_t)n;
	return n <= 0;
}

int main(int argc, char **argv)
{
	size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0, left = count, bad = 0;
	struct pollfd *fds = calloc(count + 1, sizeof *fds);
	struct client *clients = calloc(count + 1, sizeof *clients);
	if (count == 0 || !fds || !clients)
		return 2;
	bytes = strtoul(argv[3], NULL, 10);
	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = connect_to(argv[1]), .events = POLLIN | POLLOUT };
	while (left > 0 && poll(fds, count, 20000) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (fds[i].revents & POLLOUT)
				write_some(&clients[i], i, &fds[i]);
			if (!(fds[i].revents & (POLLIN | POLLHUP | POLLERR)) ||
				!read_some(&clients[i], i, fds[i].fd))
				continue;
			bad += clients[i].received != bytes || clients[i].wrong;
			close(fds[i].fd);
			fds[i].fd = -1;
			left--;
		}
	}
	if (left || bad)
		fprintf(stderr, "echo-client: %zu got wrong bytes, %zu are not done\n", bad, left);
	free(clients);
	free(fds);
	return left || bad;
}
