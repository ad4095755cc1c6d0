/* SPDX-License-Identifier: MIT */
/*
 * drive_fork.c - a process for each job, and no pool: the measure for --compare, and a peer. Of a
 * fork() the child finds its request in the memory that it inherited. Of a posix_spawn() it gets
 * the request through its socketpair. The child runs the same job function, and sends its reply
 * through the socketpair. The parent reads the reply to its end and reaps the child. The verdict is
 * made here, from the wait status, and judged like any other.
 */
#include "load.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK      65536
#define EVENTS_MAX 64
#define WAIT_MS    1000

struct child {
	struct child *next; /* for the list of free children */
	struct load_job job;
	pid_t pid; /* 0: free */
	int fd;
	uint64_t sent, received;
	bool sending, intact;
};

struct nursery {
	struct driver *driver;
	bool spawns; /* posix_spawn(), not fork() */
	int epoll_fd;
	struct child *children, *free;
	unsigned active;
	bool over;
	unsigned char *request, chunk[CHUNK];
};

static void make_verdict(const struct child *c, int status, struct brood_verdict *v)
{
	peer_verdict(&c->job, c->pid, v);
	v->reply_size = c->received;
	if (WIFSIGNALED(status)) {
		v->outcome = BROOD_CRASHED;
		v->signal = WTERMSIG(status);
		return;
	}
	/* From outside, a function's return value and an argument of exit() look the same. */
	v->code = WEXITSTATUS(status);
	v->outcome = c->job.kind == KIND_EXIT ? BROOD_EXITED : v->code ? BROOD_FAILED : BROOD_DONE;
}

static void ended(struct nursery *n, struct child *c)
{
	struct reply reply = { .size = c->received, .intact = c->intact, .judged = true };
	struct brood_verdict verdict;
	int status = 0;

	/*
	 * Other children hold copies of this socket, so close() alone would not take it out of the
	 * epoll.
	 */
	epoll_ctl(n->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	make_verdict(c, status, &verdict);
	c->job.id = verdict.id;
	drive_verdict(n->driver, &c->job, &verdict, &reply);
	c->pid = 0;
	c->next = n->free;
	n->free = c;
	n->active--;
}

static void receive_some(struct nursery *n, struct child *c)
{
	ssize_t size = recv(c->fd, n->chunk, CHUNK, MSG_DONTWAIT);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0) {
		ended(n, c);
		return;
	}
	if (c->received + (uint64_t)size > c->job.size ||
		!payload_same(c->job.key, c->received, n->chunk, (size_t)size))
		c->intact = false;
	c->received += (uint64_t)size;
}

static void be_child(struct nursery *n, const struct child *c, int fd)
{
	const struct forked_job job = {
		.request = n->request, .request_size = c->job.size, .arg = &c->job.arg, .fd = fd
	};

	_exit(jobs_run_forked(job_work(c->job.kind, true), &job));
}

static bool watch(struct nursery *n, struct child *c, int how)
{
	struct epoll_event event = { .events = EPOLLIN | (c->sending ? EPOLLOUT : 0),
		.data.ptr = c };

	return epoll_ctl(n->epoll_fd, how, c->fd, &event) == 0;
}

/* A child that does not take all of its request says by its end what is wrong. */
static void send_some(struct nursery *n, struct child *c)
{
	while (c->sent < c->job.size) {
		size_t part = c->job.size - c->sent < CHUNK ? (size_t)(c->job.size - c->sent)
							    : CHUNK;
		ssize_t size;

		payload_fill(c->job.key, c->sent, n->chunk, part);
		size = send(c->fd, n->chunk, part, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size < 0)
			break;
		c->sent += (uint64_t)size;
	}
	c->sending = false;
	shutdown(c->fd, SHUT_WR);
	watch(n, c, EPOLL_CTL_MOD);
}

static bool start(struct nursery *n, struct child *c, int fd)
{
	c->pid = 0;
	if (n->spawns) {
		errno = -peer_spawn_start(&c->job, fd, &c->pid);
		return !errno;
	}
	payload_fill(c->job.key, 0, n->request, c->job.size);
	c->pid = fork();
	if (c->pid == 0)
		be_child(n, c, fd);
	return c->pid > 0;
}

static bool fork_one(struct nursery *n, struct child *c)
{
	int fds[2];
	bool started;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	started = start(n, c, fds[1]);
	close(fds[1]);
	c->fd = fds[0];
	c->sent = c->received = 0;
	c->sending = n->spawns;
	c->intact = true;
	if (started && watch(n, c, EPOLL_CTL_ADD))
		return true;
	close(c->fd);
	if (started)
		waitpid(c->pid, NULL, 0);
	return false;
}

static void begin_one(struct nursery *n)
{
	struct child *c = n->free;

	n->over = !drive_next(n->driver, &c->job);
	if (n->over)
		return;
	if (!fork_one(n, c)) {
		engine_break_off(n->driver->engine, "a %s for a job: %s",
			n->spawns ? "posix_spawn()" : "fork()", strerror(errno));
		n->over = true;
		return;
	}
	n->free = c->next;
	n->active++;
}

static void turn(struct nursery *n)
{
	struct epoll_event events[EVENTS_MAX];
	bool paced = n->driver->pacer != NULL;
	int count;

	if (paced)
		pacer_poll(n->driver, n->epoll_fd, n->free && !n->over, WAIT_MS);
	count = epoll_wait(n->epoll_fd, events, EVENTS_MAX, paced ? 0 : WAIT_MS);

	for (int i = 0; i < count; i++) {
		struct child *c = events[i].data.ptr;

		if (events[i].events & EPOLLOUT && c->sending)
			send_some(n, c);
		if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			receive_some(n, c);
	}
}

/* True: a job is due, or it is time to notice that there are no more jobs. */
static bool may_begin(struct driver *d)
{
	uint64_t now = load_now();

	return pacer_due(d, now) || drive_over(d, now);
}

static bool prepare(struct nursery *n)
{
	n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	n->children = calloc(n->driver->concurrency, sizeof *n->children);
	n->request = malloc(n->driver->engine->options->size_max + 8);
	if (n->epoll_fd < 0 || !n->children || !n->request) {
		engine_break_off(
			n->driver->engine, "no memory for %u children", n->driver->concurrency);
		return false;
	}
	for (unsigned i = 0; i < n->driver->concurrency; i++) {
		n->children[i].next = n->free;
		n->free = &n->children[i];
	}
	return true;
}

void *drive_fork(void *driver)
{
	struct nursery *n = calloc(1, sizeof *n);

	if (!n) {
		engine_break_off(
			((struct driver *)driver)->engine, "no memory for a loop of children");
		return NULL;
	}
	n->driver = driver;
	n->spawns = n->driver->engine->options->way == WAY_SPAWN;
	n->epoll_fd = -1;
	if (prepare(n)) {
		do {
			while (n->free && !n->over && may_begin(n->driver))
				begin_one(n);
			if (n->active || !n->over)
				turn(n);
		} while (n->active || !n->over);
	}
	if (n->epoll_fd >= 0)
		close(n->epoll_fd);
	free(n->children);
	free(n->request);
	free(n);
	return NULL;
}
