/*
 * epoll: jobs in an event loop of the program's own, without a thread that waits.
 *
 * Each job is a conversation on a socket (brood_open()): a name goes out, a greeting comes back. The loop watches those sockets and brood_fd(), and whenever
 * that one is readable brood_dispatch() reads what the supervisor said. Here one job in ten crashes; its verdict comes as those of the others do.
 *
 *	epoll [JOBS [AT_A_TIME]]
 */
#define _GNU_SOURCE
#include <brood.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conversation {
	int fd;                   /* -1: closed */
	struct brood_handle *handle;
	char reply[64];
	size_t size;
};

struct loop {
	struct brood *brood;
	int epoll;
	struct conversation *conversations;
	unsigned at_a_time, jobs, given, ended;
	unsigned outcomes[BROOD_OUTCOMES];
};

static int greet(struct brood_job *job)
{
	char name[32], text[48];
	ssize_t n = brood_job_read_all(job, name, sizeof name - 1);
	if (n < 0)
		return 1;
	name[n] = 0;
	if (n > 0 && name[n - 1] == '7')
		raise(SIGSEGV);
	int size = snprintf(text, sizeof text, "hello, %s", name);
	return brood_job_reply(job, text, (size_t) size) == size ? 0 : 1;
}

static void die(const char *what)
{
	fprintf(stderr, "epoll: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void give(struct loop *loop, struct conversation *conversation)
{
	char name[32];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conversation };
	conversation->size = 0;
	if (brood_open(loop->brood, greet, NULL, &conversation->fd, &conversation->handle) < 0) {
		fprintf(stderr, "epoll: %s\n", brood_error());
		exit(1);
	}
	int size = snprintf(name, sizeof name, "job %u", loop->given++);
	/* A worker that is dead already is no matter of this socket: the verdict tells. */
	send(conversation->fd, name, (size_t) size, MSG_NOSIGNAL);
	shutdown(conversation->fd, SHUT_WR);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, conversation->fd, &event) < 0)
		die("epoll_ctl");
}

/* After both: the socket's end and the verdict. Which one comes first is not said. */
static void end(struct loop *loop, struct conversation *conversation)
{
	struct brood_verdict verdict = { .size = sizeof verdict };
	if (conversation->fd >= 0 || !conversation->handle || brood_fetch(conversation->handle, &verdict) < 0)
		return;
	conversation->handle = brood_release(conversation->handle);
	loop->outcomes[verdict.outcome]++;
	loop->ended++;
	if (verdict.outcome == BROOD_DONE && memcmp(conversation->reply, "hello, job ", 11) != 0)
		fprintf(stderr, "epoll: a strange reply: %.*s\n", (int) conversation->size, conversation->reply);
	if (loop->given < loop->jobs)
		give(loop, conversation);
}

static void on_reply(struct loop *loop, struct conversation *conversation)
{
	size_t room = sizeof conversation->reply - conversation->size;
	ssize_t n = recv(conversation->fd, conversation->reply + conversation->size, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		conversation->size += (size_t) n;
		return;
	}
	close(conversation->fd);
	conversation->fd = -1;
	end(loop, conversation);
}

static void on_verdicts(struct loop *loop)
{
	int fresh = brood_dispatch(loop->brood);
	if (fresh < 0)
		fprintf(stderr, "epoll: %s\n", brood_error());
	for (unsigned i = 0; i < loop->at_a_time; i++)
		end(loop, &loop->conversations[i]);
}

static void run(struct loop *loop)
{
	struct epoll_event events[64], event = { .events = EPOLLIN, .data.ptr = NULL };
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, brood_fd(loop->brood), &event) < 0)
		die("epoll_ctl");
	for (unsigned i = 0; i < loop->at_a_time; i++)
		give(loop, &loop->conversations[i]);
	while (loop->ended < loop->jobs) {
		int n = epoll_wait(loop->epoll, events, 64, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_reply(loop, events[i].data.ptr);
			else
				on_verdicts(loop);
		}
	}
}

static unsigned number(char **argv, int argc, int i, unsigned otherwise)
{
	char *end_of_number;
	if (i >= argc)
		return otherwise;
	unsigned long value = strtoul(argv[i], &end_of_number, 10);
	if (*end_of_number || value < 1 || value > 1000000) {
		fprintf(stderr, "Usage: epoll [JOBS [AT_A_TIME]]\n");
		exit(2);
	}
	return (unsigned) value;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return printf("Usage: epoll [JOBS [AT_A_TIME]]\nGives jobs from an event loop, and says what became of them. 100 and 10 unless given.\n") < 0;
	struct loop loop = { .jobs = number(argv, argc, 1, 100), .at_a_time = number(argv, argc, 2, 10) };
	struct brood_options options = { .size = sizeof options, .workers = 4, .flags = BROOD_NO_CORE };
	if (loop.at_a_time > loop.jobs)
		loop.at_a_time = loop.jobs;
	if (brood_start(&options, &loop.brood) < 0) {
		fprintf(stderr, "epoll: %s\n", brood_error());
		return 1;
	}
	loop.conversations = calloc(loop.at_a_time, sizeof *loop.conversations);
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!loop.conversations || loop.epoll < 0)
		die("start");
	run(&loop);
	for (int i = 1; i < BROOD_OUTCOMES; i++)
		if (loop.outcomes[i])
			printf("%u %s\n", loop.outcomes[i], brood_outcome_name((enum brood_outcome) i));
	free(loop.conversations);
	close(loop.epoll);
	return brood_stop(loop.brood) < 0;
}
