/* SPDX-License-Identifier: MIT */
/* peers.c - peers whose callers are C: see peers.h. */
#include "peers.h"

#include "../../tools/load/fastcgi.h"

#include <errno.h>
#include <pwd.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a process for each job ---- */

static void one_process(pid_t (*make)(const int *pair), uint32_t thread)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	int pair[2], status = -1;
	pid_t pid;

	message_fill(sent, thread);
	station_need(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	pid = make(pair);
	close(pair[1]);
	station_need(send(pair[0], sent, sizeof sent, MSG_NOSIGNAL) == MESSAGE_SIZE, "send");
	station_need(recv(pair[0], got, sizeof got, 0) == MESSAGE_SIZE, "recv");
	message_check(got, sent);
	if (waitpid(pid, &status, 0) != pid || status)
		station_fail("a process made for a job ended with %#x", (unsigned)status);
	close(pair[0]);
}

static void one_fork(uint32_t thread) { one_process(fork_echo, thread); }
static void one_spawn(uint32_t thread) { one_process(spawn_echo, thread); }
static void fork_open(const struct params *p) { callers_open_by(p, one_fork); }
static void spawn_open(const struct params *p) { callers_open_by(p, one_spawn); }

/* ---- php-fpm ---- */

#define FPM_READY_MS 20000

static struct peer_server server;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static struct fastcgi_text head;

static int fpm_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof address))
		return fd;
	close(fd);
	return -1;
}

/* Reads the whole answer, and compares it. */
static bool fpm_answers(int fd, const unsigned char *sent)
{
	struct fastcgi_reader reader = { 0 };
	struct fastcgi_head answer = { 0 };
	unsigned char buffer[4096];
	size_t size = 0;
	bool same = true;

	while (!reader.ended && !reader.broken) {
		ssize_t n = recv(fd, buffer, sizeof buffer, 0);
		size_t part;

		if (n <= 0)
			return false;
		for (size_t at = 0; at < (size_t)n; at += part) {
			struct fastcgi_piece piece;
			size_t skip;

			part = fastcgi_read(&reader, buffer + at, (size_t)n - at, &piece);
			if (piece.type != FASTCGI_STDOUT)
				continue;
			skip = fastcgi_head_add(&answer, piece.data, piece.size);
			if (size + piece.size - skip > MESSAGE_SIZE)
				return false;
			same = same && !memcmp(piece.data + skip, sent + size, piece.size - skip);
			size += piece.size - skip;
		}
	}
	return reader.ended && same && size == MESSAGE_SIZE;
}

static bool fpm_job(int fd, uint32_t number)
{
	unsigned char request[sizeof head.data + 64], sent[MESSAGE_SIZE];
	size_t size = head.used;

	message_fill(sent, number);
	memcpy(request, head.data, size);
	fastcgi_header(FASTCGI_STDIN, MESSAGE_SIZE, request + size);
	size += FASTCGI_HEADER;
	memcpy(request + size, sent, MESSAGE_SIZE);
	size += MESSAGE_SIZE;
	fastcgi_header(FASTCGI_STDIN, 0, request + size);
	size += FASTCGI_HEADER;
	return send(fd, request, size, MSG_NOSIGNAL) == (ssize_t)size && fpm_answers(fd, sent);
}

static void one_fpm(uint32_t thread)
{
	int fd = fpm_connect();

	if (fd < 0 || !fpm_job(fd, thread))
		station_fail("php-fpm: no answer, or a wrong one: %s", strerror(errno));
	close(fd);
}

static void fpm_request(void)
{
	static const char *const params[][2] = { { "REQUEST_METHOD", "POST" },
		{ "SCRIPT_NAME", "/echo.php" }, { "REQUEST_URI", "/echo.php" },
		{ "QUERY_STRING", "" }, { "SERVER_PROTOCOL", "HTTP/1.1" },
		{ "GATEWAY_INTERFACE", "CGI/1.1" }, { "CONTENT_TYPE", "application/octet-stream" },
		{ "CONTENT_LENGTH", "16" } };
	char script[128];

	snprintf(script, sizeof script, "%s/echo.php", server.folder);
	fastcgi_begin(&head);
	fastcgi_param(&head, "SCRIPT_FILENAME", script);
	for (size_t i = 0; i < sizeof params / sizeof *params; i++)
		fastcgi_param(&head, params[i][0], params[i][1]);
	fastcgi_params_end(&head);
}

static void fpm_files(uint32_t workers)
{
	const struct passwd *user = getpwuid(geteuid());
	char text[1024];

	peer_server_folder(&server);
	peer_server_file(&server, "echo.php", "<?php echo file_get_contents('php://input');\n");
	snprintf(text, sizeof text,
		"[global]\nerror_log = %s/log\n[bench]\nlisten = %s/socket\n"
		"listen.backlog = 1024\n%s%s\npm = static\npm.max_children = %u\n",
		server.folder, server.folder, user && geteuid() == 0 ? "user = " : "",
		user && geteuid() == 0 ? user->pw_name : "", workers);
	peer_server_file(&server, "conf", text);
	snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", server.folder);
}

static void fpm_open(const struct params *p)
{
	static char foreground[] = "-F", no_ini[] = "-n", root[] = "-R", which[] = "-y";
	char path[512], conf[128];
	char *argv[] = { path, foreground, no_ini, root, which, conf, NULL };
	uint64_t until = now_ns() + FPM_READY_MS * 1000000ull;
	int fd;

	if (!peer_server_find("php-fpm*", path, sizeof path))
		station_skip("not installed");
	fpm_files(p->workers);
	snprintf(conf, sizeof conf, "%s/conf", server.folder);
	fpm_request();
	peer_server_start(&server, argv);
	while ((fd = fpm_connect()) < 0) { /* it tells nobody when it is ready */
		if (now_ns() > until || waitpid(server.keeper, NULL, WNOHANG))
			station_fail("php-fpm did not begin");
		usleep(2000);
	}
	if (!fpm_job(fd, 0))
		station_fail("php-fpm: no answer, or a wrong one");
	close(fd);
	callers_open_by(p, one_fpm);
}

static void fpm_close(void) { peer_server_end(&server); }

const struct kind peer_fork = { fork_open, callers_block, NULL };
const struct kind peer_spawn = { spawn_open, callers_block, NULL };
const struct kind peer_fpm = { fpm_open, callers_block, fpm_close };
