/* SPDX-License-Identifier: MIT */
/*
 * fastcgi_responder.c - fastcgi-responder SOCKET MODE: a small FastCGI server for the tests of
 * brood-load --peer fpm. It serves one connection at a time, and answers like the script of
 * brood-load: an echo gets its bytes back. Its code shares nothing with the client's.
 *
 *   right   answers
 *   flip    changes a bit in each hundredth answer
 *   cut     closes each hundredth connection without the end of the answer
 *   full    says in each hundredth answer that it has too much to do
 *   404     answers with "Status: 404"
 *   http    does not speak FastCGI
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX (1u << 20)

static unsigned char body[BODY_MAX + 65536];
static size_t body_size;
static const char *mode;
static unsigned count;

static int is(const char *name) { return !strcmp(mode, name); }

static int now_and_then(void) { return count % 100 == 50; }

static int read_all(int fd, void *data, size_t size)
{
	for (char *at = data; size;) {
		ssize_t n = read(fd, at, size);

		if (n <= 0)
			return 0;
		at += n;
		size -= (size_t)n;
	}
	return 1;
}

static void write_record(int fd, int type, const void *data, size_t size)
{
	/* some padding, which a server may add */
	unsigned char record[8 + 65536 + 8] = { 1, (unsigned char)type, 0, 1,
		(unsigned char)(size >> 8), (unsigned char)size, (unsigned char)(size % 7) };
	size_t whole = 8 + size + size % 7;

	memcpy(record + 8, data, size);
	for (size_t at = 0; at < whole;) {
		ssize_t n = write(fd, record + at, whole - at);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

/* Reads up to the empty STDIN record. Parameters are passed over. */
static int read_request(int fd)
{
	static unsigned char skipped[65536 + 256];
	unsigned char header[8];

	body_size = 0;
	while (read_all(fd, header, sizeof header)) {
		size_t size = (size_t)header[4] << 8 | header[5];
		unsigned char *at = header[1] == 5 ? body + body_size : skipped;

		if (body_size + size > BODY_MAX || !read_all(fd, at, size) ||
			!read_all(fd, skipped, header[6]))
			return 0;
		if (header[1] == 5)
			body_size += size;
		if (header[1] == 5 && !size)
			return 1;
	}
	return 0;
}

static void answer(int fd)
{
	unsigned char end[8] = { 0 };
	char head[128];

	snprintf(head, sizeof head, "%sX-Load-Pid: %d\r\nContent-Type: text/plain\r\n\r\n",
		is("404") ? "Status: 404 Not Found\r\n" : "", (int)getpid());
	if (is("full") && now_and_then()) {
		end[4] = 2;
		write_record(fd, 3, end, sizeof end);
		return;
	}
	if (is("flip") && now_and_then() && body_size)
		body[body_size / 2] ^= 4;
	write_record(fd, 6, head, strlen(head));
	for (size_t at = 0; at < body_size; at += 50000)
		write_record(fd, 6, body + at, body_size - at < 50000 ? body_size - at : 50000);
	if (is("cut") && now_and_then())
		return;
	write_record(fd, 6, "", 0);
	write_record(fd, 3, end, sizeof end);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	if (argc != 3)
		return 2;
	mode = argv[2];
	signal(SIGPIPE, SIG_IGN);
	alarm(300); /* for the case that nobody ends this process */
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
		listen(listener, 64) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (is("http"))
			dprintf(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
		else if (read_request(fd))
			answer(fd);
		count++;
		close(fd);
	}
	return 0;
}
