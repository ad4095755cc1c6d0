/* SPDX-License-Identifier: MIT */
/*
 * peer_control.c - --peer control: what one writes in an hour. Workers are forked before the load
 * and read jobs from one shared socket; each caller has a socket of its own for its replies. There
 * is no supervisor: nobody notices when a worker dies, and its caller waits in vain.
 */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_MAX (64u << 10) /* as options_peer.c says */

struct request {
	uint32_t caller, kind;
	struct job_arg arg;
};
struct answer {
	pid_t pid;
	int32_t code;
	uint32_t slot, pad;
	uint64_t number; /* of the job */
};

static struct {
	int jobs[2];
	int (*back)[2]; /* of each caller */
	unsigned callers;
	pid_t *workers;
	unsigned workers_count;
} control;

/* A message of SOCK_SEQPACKET goes as a whole or not at all. */
static bool send_two(int fd, void *first, size_t first_size, void *second, size_t second_size)
{
	struct iovec parts[2] = { { first, first_size }, { second, second_size } };
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

static ssize_t receive_two(int fd, void *first, size_t first_size, void *second, size_t second_size)
{
	struct iovec parts[2] = { { first, first_size }, { second, second_size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = recvmsg(fd, &message, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static void be_worker(unsigned slot, pid_t parent)
{
	static unsigned char data[MESSAGE_MAX];
	struct request request;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	while ((n = receive_two(control.jobs[1], &request, sizeof request, data, sizeof data)) >=
		(ssize_t)sizeof request) {
		const struct forked_job job = { .arg = &request.arg };
		struct answer answer = { .pid = getpid(), .slot = slot };
		size_t size = (size_t)n - sizeof request;

		answer.number = request.arg.checksum;
		if (request.kind != KIND_ECHO)
			answer.code = jobs_run_forked(
				job_work((enum kind)request.kind, true), &job);
		if (!send_two(control.back[request.caller][1], &answer, sizeof answer, data, size))
			break;
	}
	_exit(0);
}

static bool open_sockets(const struct engine *e)
{
	const struct timeval bound = { .tv_sec = (time_t)(e->bound_ns / NS_S) + 1 };
	int ready;

	ready = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control.jobs);
	for (unsigned i = 0; i < e->options->threads && !ready; i++) {
		ready = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control.back[i]);
		if (ready)
			break;
		control.callers++;
		setsockopt(control.back[i][0], SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
	}
	if (!ready)
		setsockopt(control.jobs[0], SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
	return !ready;
}

int peer_control_begin(struct engine *e)
{
	const struct options *o = e->options;
	pid_t self = getpid(), pid = 1;

	control.jobs[0] = control.jobs[1] = -1;
	control.back = calloc(o->threads, sizeof *control.back);
	control.workers = calloc(o->workers, sizeof *control.workers);
	if (!control.back || !control.workers || !open_sockets(e)) {
		engine_break_off(e, "no room for %u callers: %s", o->threads, strerror(errno));
		return -1;
	}
	for (unsigned i = 0; i < o->workers && pid > 0; i++) {
		pid = fork();
		if (pid == 0)
			be_worker(i, self);
		if (pid > 0)
			control.workers[control.workers_count++] = pid;
	}
	if (pid > 0)
		return 0;
	engine_break_off(e, "the fork() of worker %u of %u: %s", control.workers_count + 1,
		o->workers, strerror(errno));
	peer_control_end();
	return -1;
}

void peer_control_end(void)
{
	for (unsigned i = 0; i < control.workers_count; i++)
		kill(control.workers[i], SIGKILL);
	for (unsigned i = 0; i < control.workers_count; i++)
		while (waitpid(control.workers[i], NULL, 0) < 0 && errno == EINTR)
			;
	for (unsigned i = 0; i < control.callers; i++) {
		close(control.back[i][0]);
		close(control.back[i][1]);
	}
	for (unsigned i = 0; i < 2; i++) {
		if (control.jobs[i] >= 0)
			close(control.jobs[i]);
	}
	free(control.back);
	free(control.workers);
	memset(&control, 0, sizeof control);
}

static void judge_answer(struct driver *d, const struct load_job *job, const struct answer *answer,
	const struct reply *reply)
{
	struct brood_verdict verdict;

	peer_verdict(job, answer->pid, &verdict);
	verdict.slot = answer->slot;
	verdict.code = answer->code;
	verdict.reply_size = reply->size;
	verdict.outcome = answer->code ? BROOD_FAILED : BROOD_DONE;
	drive_verdict(d, job, &verdict, reply);
}

static void call_one(struct driver *d, const struct load_job *job, unsigned char *data)
{
	struct request request = { .caller = d->index, .kind = job->kind, .arg = job->arg };
	int fd = control.back[d->index][0];
	struct reply reply = { .judged = true };
	struct answer answer;
	ssize_t n;

	request.arg.checksum = job->number;
	payload_fill(job->key, 0, data, job->size);
	if (!send_two(control.jobs[0], &request, sizeof request, data, job->size)) {
		if (errno == EAGAIN)
			drive_overdue(d, job, "no worker has taken it within its bound");
		else
			engine_break_off(d->engine, "a job to the workers: %s", strerror(errno));
		return;
	}
	/* An answer that came too late for the job before is not this one's. */
	do
		n = receive_two(fd, &answer, sizeof answer, data, MESSAGE_MAX);
	while (n >= (ssize_t)sizeof answer && answer.number != job->number);
	if (n < (ssize_t)sizeof answer) {
		drive_overdue(d, job, "no worker has answered within its bound");
		return;
	}
	reply.size = (uint64_t)n - sizeof answer;
	reply.intact = payload_same(
		job->key, 0, data, reply.size < job->size ? (size_t)reply.size : job->size);
	judge_answer(d, job, &answer, &reply);
}

void *peer_control(void *driver)
{
	struct driver *d = driver;
	unsigned char *data = malloc(MESSAGE_MAX);
	struct load_job job;

	if (!data)
		engine_break_off(d->engine, "no memory for requests and replies");
	while (data && drive_next(d, &job)) {
		job.id = job.number + 1;
		call_one(d, &job, data);
	}
	free(data);
	return NULL;
}
