/* SPDX-License-Identifier: MIT */
/*
 * peer_fpm.c - --peer fpm:SOCKET: a client of a FastCGI server, as a web server is one: a
 * connection for each job. brood-load writes the script that the server runs into a temporary
 * file, and removes it at the end. The script tells the server's process id, so that a verdict
 * names who did the job.
 */
#include "fastcgi.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REFUSED_MS 2

static const char script[] = "<?php\n"
			     "function cpu() {\n"
			     "\t$r = getrusage();\n"
			     "\treturn ($r['ru_utime.tv_sec'] + $r['ru_stime.tv_sec']) * 1000000\n"
			     "\t\t+ $r['ru_utime.tv_usec'] + $r['ru_stime.tv_usec'];\n"
			     "}\n"
			     "$kind = $_SERVER['LOAD_KIND'];\n"
			     "$ns = (int)$_SERVER['LOAD_VALUE'];\n"
			     "header('Content-Type: application/octet-stream');\n"
			     "header('X-Load-Pid: ' . getmypid());\n"
			     "if ($kind === 'echo') {\n"
			     "\techo file_get_contents('php://input');\n"
			     "} elseif ($kind === 'sleep') {\n"
			     "\ttime_nanosleep(intdiv($ns, 1000000000), $ns % 1000000000);\n"
			     "} elseif ($kind === 'spin') {\n"
			     "\tfor ($end = cpu() + intdiv($ns + 999, 1000); cpu() < $end;);\n"
			     "}\n";

static struct {
	struct sockaddr_un address;
	char path[PATH_MAX]; /* of the script */
} fpm;

/* One job's conversation. */
struct talk {
	struct engine *engine;
	struct driver *driver; /* NULL: the try before the load */
	struct load_job job;
	int fd;
	struct fastcgi_reader reader;
	struct fastcgi_head head;
	struct reply reply;
	char error[160]; /* the begin of what the server wrote to its standard error */
};

/* ---- before the load ------------------------------------------------------------------------- */

static int connect_to(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&fpm.address, sizeof fpm.address) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int write_script(void)
{
	const char *folder = getenv("TMPDIR");
	ssize_t written = -1;
	int fd, length;

	length = snprintf(fpm.path, sizeof fpm.path, "%s/brood-load-XXXXXX.php",
		folder && *folder ? folder : "/tmp");
	errno = ENAMETOOLONG;
	fd = length < (int)sizeof fpm.path ? mkstemps(fpm.path, 4) : -1;
	if (fd < 0) {
		fpm.path[0] = 0;
		return -errno;
	}
	/* The server is another user. */
	if (fchmod(fd, 0644) == 0)
		written = write(fd, script, sizeof script - 1);
	return close(fd) == 0 && written == (ssize_t)sizeof script - 1 ? 0 : -EIO;
}

/* ---- one job --------------------------------------------------------------------------------- */

static bool send_all(int fd, const void *data, size_t size)
{
	for (const char *at = data; size;) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static bool send_head(const struct talk *t)
{
	struct fastcgi_text text;
	char size[24], value[24];

	snprintf(size, sizeof size, "%zu", t->job.size);
	snprintf(value, sizeof value, "%llu", (llu)t->job.arg.value);
	fastcgi_begin(&text);
	fastcgi_param(&text, "SCRIPT_FILENAME", fpm.path);
	fastcgi_param(&text, "SCRIPT_NAME", "/load.php");
	fastcgi_param(&text, "REQUEST_URI", "/load.php");
	fastcgi_param(&text, "REQUEST_METHOD", "POST");
	fastcgi_param(&text, "QUERY_STRING", "");
	fastcgi_param(&text, "SERVER_PROTOCOL", "HTTP/1.1");
	fastcgi_param(&text, "GATEWAY_INTERFACE", "CGI/1.1");
	fastcgi_param(&text, "CONTENT_TYPE", "application/octet-stream");
	fastcgi_param(&text, "CONTENT_LENGTH", size);
	fastcgi_param(&text, "LOAD_KIND", kind_name(t->job.kind));
	fastcgi_param(&text, "LOAD_VALUE", value);
	fastcgi_params_end(&text);
	return !text.full && send_all(t->fd, text.data, text.used);
}

/* A server that does not take all of it says in its answer what is wrong. */
static void send_request(const struct talk *t, unsigned char *buffer)
{
	bool sent = send_head(t);

	for (size_t at = 0; sent && at < t->job.size;) {
		size_t part = t->job.size - at < FASTCGI_CONTENT_MAX ? t->job.size - at
								     : FASTCGI_CONTENT_MAX;

		fastcgi_header(FASTCGI_STDIN, part, buffer);
		payload_fill(t->job.key, at, buffer + FASTCGI_HEADER, part);
		sent = send_all(t->fd, buffer, FASTCGI_HEADER + part);
		at += part;
	}
	fastcgi_header(FASTCGI_STDIN, 0, buffer);
	if (sent)
		send_all(t->fd, buffer, FASTCGI_HEADER);
}

static void take_piece(struct talk *t, const struct fastcgi_piece *piece)
{
	size_t head, size;

	if (piece->type == FASTCGI_STDERR && !t->error[0])
		snprintf(t->error, sizeof t->error, "%.*s", (int)piece->size, piece->data);
	if (piece->type != FASTCGI_STDOUT)
		return;
	head = fastcgi_head_add(&t->head, piece->data, piece->size);
	size = piece->size - head;
	if (t->reply.size + size > t->job.size ||
		!payload_same(t->job.key, t->reply.size, piece->data + head, size))
		t->reply.intact = false;
	t->reply.size += size;
}

/* False: the time was up. */
static bool receive_answer(struct talk *t, unsigned char *buffer)
{
	uint64_t end = t->job.start_ns + t->engine->bound_ns;

	while (!t->reader.ended && !t->reader.broken) {
		ssize_t n = recv(t->fd, buffer, FASTCGI_CONTENT_MAX, 0);
		struct fastcgi_piece piece;
		size_t part;

		if (n < 0 && errno == EINTR)
			continue;
		if ((n < 0 && errno == EAGAIN) || load_now() >= end)
			return false;
		if (n <= 0)
			return true;
		for (size_t at = 0; at < (size_t)n; at += part) {
			part = fastcgi_read(&t->reader, buffer + at, (size_t)n - at, &piece);
			take_piece(t, &piece);
		}
	}
	return true;
}

/* True: the server cannot do such jobs at all, and the run has broken off. */
static bool is_no_server(const struct talk *t)
{
	long status = fastcgi_head_number(&t->head, "Status", 200);
	bool script_missing = status == 403 || status == 404;

	if (t->reader.broken)
		engine_break_off(t->engine, "--peer fpm: what answers at %s does not speak FastCGI",
			fpm.address.sun_path);
	else if (t->reader.ended && status != 200)
		engine_break_off(t->engine, "--peer fpm: the server answers with status %ld%s%s%s",
			status,
			script_missing ? ": it cannot read the script. It must see the same files: "
					 "set TMPDIR to a folder that it sees"
				       : "",
			t->error[0] ? "; it says: " : "", t->error);
	else
		return false;
	return true;
}

static void judge(struct talk *t)
{
	struct driver *d = t->driver;
	long pid = fastcgi_head_number(&t->head, "X-Load-Pid", 0);
	struct brood_verdict verdict;

	if (is_no_server(t))
		return;
	peer_verdict(&t->job, (pid_t)pid, &verdict);
	verdict.reply_size = t->reply.size;
	/* An answer without an end: the process that worked on it is gone. */
	verdict.outcome = !t->reader.ended  ? BROOD_CRASHED
		: t->reader.protocol_status ? BROOD_REFUSED
					    : BROOD_DONE;
	if (verdict.outcome == BROOD_REFUSED) {
		verdict.started = 0;
		verdict.detail = BROOD_DETAIL_QUEUE_FULL;
	}
	drive_verdict(d, &t->job, &verdict, &t->reply);
}

static void begin_talk(struct talk *t, const struct load_job *job)
{
	t->job = *job;
	t->job.id = job->number + 1;
	t->reader = (struct fastcgi_reader){ 0 };
	t->head.used = 0;
	t->head.text[0] = 0;
	t->head.whole = false;
	t->reply = (struct reply){ .intact = true, .judged = true };
	t->error[0] = 0;
}

static void set_bound(const struct talk *t)
{
	const struct timeval bound = { .tv_sec = (time_t)(t->engine->bound_ns / NS_S) + 1 };

	setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
}

static void call_one(struct talk *t, unsigned char *buffer)
{
	const struct timespec pause = { .tv_nsec = REFUSED_MS * (long)NS_MS };

	t->fd = connect_to();
	if (t->fd == -EAGAIN || t->fd == -EMFILE || t->fd == -ENFILE || t->fd == -ENOMEM) {
		drive_refused(t->driver, &t->job, t->fd);
		nanosleep(&pause, NULL);
		return;
	}
	if (t->fd < 0) {
		engine_break_off(t->engine, "--peer fpm: a connection to %s: %s",
			fpm.address.sun_path, strerror(-t->fd));
		return;
	}
	set_bound(t);
	send_request(t, buffer);
	if (receive_answer(t, buffer))
		judge(t);
	else
		drive_overdue(t->driver, &t->job, "no answer within its bound");
	close(t->fd);
}

void *peer_fpm(void *driver)
{
	struct driver *d = driver;
	struct talk t = { .engine = d->engine, .driver = d };
	struct load_job job;
	unsigned char *buffer = malloc(FASTCGI_HEADER + FASTCGI_CONTENT_MAX);

	if (!buffer)
		engine_break_off(t.engine, "no memory for requests and replies");
	while (buffer && drive_next(t.driver, &job)) {
		begin_talk(&t, &job);
		call_one(&t, buffer);
	}
	free(buffer);
	return NULL;
}

/* ---- begin and end --------------------------------------------------------------------------- */

/* Gives one job before the load. False: the server cannot do such jobs, and the run breaks off. */
static bool try_server(struct engine *e, int fd)
{
	static unsigned char buffer[FASTCGI_HEADER + FASTCGI_CONTENT_MAX];
	const struct load_job job = { .kind = KIND_NOP, .start_ns = load_now() };
	struct talk t = { .engine = e, .fd = fd };
	bool answered;

	begin_talk(&t, &job);
	set_bound(&t);
	send_request(&t, buffer);
	answered = receive_answer(&t, buffer);
	if (is_no_server(&t))
		return false;
	if (answered && t.reader.ended)
		return true;
	engine_break_off(e, "--peer fpm: the server at %s gives no %sanswer", fpm.address.sun_path,
		answered ? "whole " : "");
	return false;
}

void peer_fpm_end(void)
{
	if (fpm.path[0])
		unlink(fpm.path);
	fpm.path[0] = 0;
}

int peer_fpm_begin(struct engine *e)
{
	const char *path = e->options->peer_socket;
	int fd, r;

	fpm.address.sun_family = AF_UNIX;
	snprintf(fpm.address.sun_path, sizeof fpm.address.sun_path, "%s", path);
	fd = connect_to();
	if (fd < 0) {
		engine_break_off(e, "--peer fpm: the socket %s: %s%s", path, strerror(-fd),
			fd == -ENOENT || fd == -ECONNREFUSED ? "; does the server run?" : "");
		return -1;
	}
	r = write_script();
	if (r)
		engine_break_off(e,
			"--peer fpm: the script in %s: %s; TMPDIR may name another folder",
			getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", strerror(-r));
	r = r || !try_server(e, fd) ? -1 : 0;
	close(fd);
	if (r)
		peer_fpm_end();
	return r;
}
