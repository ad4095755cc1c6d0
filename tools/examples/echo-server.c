/* SPDX-License-Identifier: MIT */
/*
 * echo-server: each client is a job. The server accepts connections on loopback (--tcp PORT) or on
 * a Unix socket (--unix PATH). It gives each connection to a worker, which talks with the client
 * until the client has said all. A worker that falls costs its own client, and no other.
 *
 * One epoll loop in the engine watches the listening socket, a signalfd and brood_fd(). After
 * SIGTERM or SIGINT the server accepts no more, and brood_stop() waits for the remaining clients,
 * at most drain_ms. SIGHUP replaces the workers. Under systemd the server reports when it is ready
 * and how much it has done; see tools/systemd/.
 *
 * The listening socket comes from a socket unit, or from the start before this one, if there is
 * such a socket (brood_kept()). Else the server opens one, and a TCP socket is kept for the next
 * start (brood_keep()): clients that come while the server restarts wait in it.
 *
 * With --fault a client may send "crash", "hang", "exit" or "stray", and its worker does that;
 * "stray" leaves a process behind.
 */
#define _GNU_SOURCE
#include <brood.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct settings {
	const char *unix_path;
	unsigned port;
	unsigned workers;
	unsigned run_ms;
	int fault;
};

struct server {
	struct settings settings;
	struct brood *brood;
	int epoll, listener, signals;
	int stopping, taken;
	uint64_t reload; /* SIGHUP: new workers take the places of the old ones; 0: they have */
	uint64_t clients, turned_away;
	struct brood_handle **handles; /* clients whose verdict is due, in no order */
	size_t handles_count, handles_room;
};

/* ---- In a worker ----------------------------------------------------------------------------- */

static void fault(const char *text, size_t size)
{
	if (size >= 5 && memcmp(text, "crash", 5) == 0)
		raise(SIGSEGV);
	if (size >= 4 && memcmp(text, "exit", 4) == 0)
		_exit(3);
	if (size >= 5 && memcmp(text, "stray", 5) == 0 && fork() == 0)
		for (setsid();;)
			pause();
	while (size >= 4 && memcmp(text, "hang", 4) == 0)
		;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/*
 * Ends when the client ends, when the client's time is up, or when the server stops. The cancel fd
 * tells of the last two.
 */
static int echo(struct brood_job *job)
{
	char data[16384];
	size_t arg_size;
	const int *fault_allowed = brood_job_arg(job, &arg_size);
	struct pollfd fds[2] = { { .fd = brood_job_fd(job), .events = POLLIN },
		{ .fd = brood_job_cancel_fd(job), .events = POLLIN } };
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (brood_job_cancelled(job))
			return 0;
		if (!fds[0].revents)
			continue;
		ssize_t n = recv(fds[0].fd, data, sizeof data, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n == 0 || errno == ECONNRESET ? 0 : 1;
		if (*fault_allowed)
			fault(data, (size_t)n);
		if (send_all(fds[0].fd, data, (size_t)n) < 0)
			return 0;
	}
}

/* ---- In the engine --------------------------------------------------------------------------- */

static void die(const char *what)
{
	fprintf(stderr, "echo-server: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_listener(struct server *server)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in loopback = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)server->settings.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int unix_socket = server->settings.unix_path != NULL, yes = 1;
	const struct sockaddr *address = unix_socket ? (const struct sockaddr *)&local
						     : (const struct sockaddr *)&loopback;
	socklen_t size = unix_socket ? sizeof local : sizeof loopback;
	if (unix_socket) {
		if (strlen(server->settings.unix_path) >= sizeof local.sun_path) {
			errno = ENAMETOOLONG;
			die(server->settings.unix_path);
		}
		strcpy(local.sun_path, server->settings.unix_path);
		unlink(local.sun_path);
	}
	server->listener = socket(
		address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0)
		die("socket");
	setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(server->listener, address, size) < 0 || listen(server->listener, SOMAXCONN) < 0)
		die(unix_socket ? server->settings.unix_path : "cannot listen on that port");
}

/*
 * The socket of a socket unit with FileDescriptorName=echo; or the one of an earlier start, whose
 * name has the port, so that a server with another --tcp does not find it.
 */
static int take_listener(struct server *server, const char *name)
{
	if (brood_kept(server->brood, "echo", &server->listener, 1) >= 1)
		return 1;
	return !server->settings.unix_path &&
		brood_kept(server->brood, name, &server->listener, 1) >= 1;
}

static void listen_on(struct server *server)
{
	struct sockaddr_in local;
	socklen_t size = sizeof local;
	char name[32];
	snprintf(name, sizeof name, "tcp %u", server->settings.port);
	if (take_listener(server, name)) {
		server->taken = 1;
		fcntl(server->listener, F_SETFL, O_NONBLOCK);
	} else {
		open_listener(server);
		if (!server->settings.unix_path &&
			brood_keep(server->brood, name, server->listener) < 0)
			fprintf(stderr, "echo-server: %s\n", brood_error());
	}
	if (getsockname(server->listener, (struct sockaddr *)&local, &size) == 0 &&
		local.sin_family == AF_INET)
		server->settings.port = ntohs(local.sin_port);
}

static void watch(struct server *server, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void remember(struct server *server, struct brood_handle *handle)
{
	if (server->handles_count == server->handles_room) {
		size_t room = server->handles_room ? server->handles_room * 2 : 64;
		struct brood_handle **handles = realloc(server->handles, room * sizeof *handles);
		if (!handles) {
			brood_release(handle); /* this client's verdict will not be seen */
			return;
		}
		server->handles = handles;
		server->handles_room = room;
	}
	server->handles[server->handles_count++] = handle;
}

static void on_client(struct server *server)
{
	struct brood_job_options options = { .size = sizeof options,
		.run_ms = server->settings.run_ms,
		.arg = &server->settings.fault,
		.arg_size = sizeof server->settings.fault };
	for (;;) {
		struct brood_handle *handle;
		int client = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0 && errno == ECONNABORTED)
			continue;
		if (client < 0)
			return;
		server->clients++;
		if (brood_give(server->brood, echo, client, &options, &handle) == 0) {
			remember(server, handle);
		} else {
			server->turned_away++;
			close(client);
		}
	}
}

/* Under systemd (Type=notify) the service is "reloading" until all workers are new. */
static void reload(struct server *server)
{
	char text[200];
	int r = brood_notify(server->brood, "RELOADING=1");
	if (r == 0)
		r = brood_reload(server->brood, NULL, &server->reload);
	if (r == 0)
		return;
	snprintf(text, sizeof text, "no reload: %s", brood_error());
	brood_notify_status(server->brood, text);
	brood_notify(server->brood, "READY=1");
}

/* Looks whether the reload is over. It may have failed: then the old workers go on. */
static void on_reload(struct server *server)
{
	int r = brood_reload_wait(server->brood, server->reload, 0);
	if (r == -ETIMEDOUT || r == -ECANCELED)
		return; /* it goes on, or a later one does */
	server->reload = 0;
	brood_notify(server->brood,
		r < 0 ? "READY=1\nSTATUS=the reload failed, the log says why" : "READY=1");
}

static void on_signal(struct server *server)
{
	struct signalfd_siginfo info;
	if (read(server->signals, &info, sizeof info) <= 0)
		return;
	if (info.ssi_signo == SIGHUP)
		reload(server);
	else
		server->stopping = 1;
}

/* Prints each verdict but "done". */
static void on_verdicts(struct server *server)
{
	struct brood_verdict verdict = { .size = sizeof verdict };
	char line[256];
	if (brood_dispatch(server->brood) < 0)
		server->stopping = 1;
	if (server->reload && !server->stopping)
		on_reload(server);
	for (size_t i = 0; i < server->handles_count;) {
		if (brood_fetch(server->handles[i], &verdict) < 0) {
			i++;
			continue;
		}
		if (verdict.outcome != BROOD_DONE) {
			brood_verdict_format(&verdict, line, sizeof line);
			fprintf(stderr, "%s\n", line);
		}
		brood_release(server->handles[i]);
		server->handles[i] = server->handles[--server->handles_count];
	}
}

static void run(struct server *server)
{
	struct epoll_event events[16];
	while (!server->stopping) {
		int n = epoll_wait(server->epoll, events, 16, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == server->listener)
				on_client(server);
			else if (events[i].data.fd == server->signals)
				on_signal(server);
			else
				on_verdicts(server);
		}
	}
}

static void prepare(struct server *server)
{
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	server->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->signals < 0 || server->epoll < 0)
		die("signalfd");
	listen_on(server);
	watch(server, server->listener);
	watch(server, server->signals);
	watch(server, brood_fd(server->brood));
	if (brood_notify_ready(server->brood) < 0)
		fprintf(stderr, "echo-server: %s\n", brood_error());
	if (server->settings.unix_path)
		printf("listening on %s\n", server->settings.unix_path);
	else
		printf("listening on port %u\n", server->settings.port);
	fflush(stdout);
}

static int finish(struct server *server)
{
	char text[100];
	close(server->listener);
	if (server->settings.unix_path && !server->taken)
		unlink(server->settings.unix_path);
	int r = brood_stop(server->brood);
	on_verdicts(server);
	snprintf(text, sizeof text, "%llu clients, %llu turned away",
		(unsigned long long)server->clients, (unsigned long long)server->turned_away);
	printf("%s\n", text);
	while (server->handles_count > 0)
		brood_release(server->handles[--server->handles_count]);
	free(server->handles);
	close(server->signals);
	close(server->epoll);
	return r < 0;
}

static void usage(FILE *where, int code)
{
	fprintf(where,
		"Usage: echo-server [--tcp PORT | --unix PATH] [-w WORKERS] [--run-ms MS] "
		"[--fault]\n"
		"Sends back what a client sends. Each client is a job of a worker of its own.\n"
		"  --tcp PORT      on loopback; 7007 unless given, 0 takes a free port\n"
		"  --unix PATH     on a Unix socket\n"
		"  -w WORKERS      clients at a time; 8. Others wait\n"
		"  --run-ms MS     how long a client may stay; 60000\n"
		"  --fault         a client that says crash, hang, exit or stray gets it\n"
		"A socket named \"echo\" that systemd passes takes the place of --tcp and --unix.\n"
		"SIGTERM and SIGINT end it; after SIGHUP new workers take the places of the old "
		"ones.\n");
	exit(code);
}

static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*end || end == text || text[0] == '-' || value > most) {
		fprintf(stderr, "echo-server: %s: a number up to %u is wanted\n", text, most);
		usage(stderr, 2);
	}
	return (unsigned)value;
}

static void read_options(struct settings *settings, int argc, char **argv)
{
	static const struct option names[] = { { "tcp", required_argument, NULL, 't' },
		{ "unix", required_argument, NULL, 'u' },
		{ "run-ms", required_argument, NULL, 'r' }, { "fault", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	int option;
	*settings = (struct settings){ .port = 7007, .workers = 8 };
	while ((option = getopt_long(argc, argv, "w:", names, NULL)) >= 0) {
		switch (option) {
		case 't': settings->port = number(optarg, 65535); break;
		case 'u': settings->unix_path = optarg; break;
		case 'w': settings->workers = number(optarg, 10000); break;
		case 'r': settings->run_ms = number(optarg, 86400000); break;
		case 'f': settings->fault = 1; break;
		case 'h': usage(stdout, 0); break;
		default: usage(stderr, 2);
		}
	}
	if (optind < argc)
		usage(stderr, 2);
}

int main(int argc, char **argv)
{
	struct server server = { .epoll = -1 };
	read_options(&server.settings, argc, argv);
	struct brood_options options = { .size = sizeof options,
		.workers = server.settings.workers,
		.drain_ms = 1000,
		.grace_ms = 1000,
		.flags = BROOD_NO_CORE,
		.title = "echo-server" };
	if (brood_start(&options, &server.brood) < 0) {
		fprintf(stderr, "echo-server: %s\n", brood_error());
		return 1;
	}
	prepare(&server);
	run(&server);
	return finish(&server);
}
