/* SPDX-License-Identifier: MIT */
/*
 * drain: a program that ends well. Until SIGTERM or SIGINT it accepts work. Then it accepts no
 * more, and each job that was accepted has its result before the program ends. A second signal a
 * second later, or the end of two seconds, cancels what still runs.
 *
 * 	drain [MS]      each job takes so many milliseconds; 50
 */
#define _GNU_SOURCE
#include <brood.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 16

/* In a worker. A job that looks ends early when it is told to, and says so by its code. */
static int work(struct brood_job *job)
{
	unsigned ms = *(const unsigned *)brood_job_arg(job, NULL);
	struct pollfd fd = { .fd = brood_job_cancel_fd(job), .events = POLLIN };
	poll(&fd, 1, (int)ms);
	return brood_job_cancelled(job);
}

static unsigned accepted, done, other;

static void on_done(void *context, const struct brood_result *result)
{
	(void)context;
	if (result->verdict.outcome == BROOD_DONE)
		done++;
	else
		other++;
}

static int is_up(int signals)
{
	struct signalfd_siginfo info;
	return read(signals, &info, sizeof info) > 0;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One turn of the loop: sees what has come, waits for more. */
static void turn(struct brood *brood, int signals)
{
	struct pollfd fds[2] = { { .fd = brood_fd(brood), .events = POLLIN },
		{ .fd = signals, .events = POLLIN } };
	if (poll(fds, 2, 100) > 0 && fds[0].revents)
		brood_dispatch(brood);
}

int main(int argc, char **argv)
{
	unsigned ms = argc > 1 ? (unsigned)atoi(argv[1]) : 50;
	struct brood_options options = { .size = sizeof options, .workers = 4, .drain_ms = 1 };
	struct brood_job_options job = {
		.size = sizeof job, .arg = &ms, .arg_size = sizeof ms, .on_done = on_done
	};
	struct brood *brood;
	sigset_t ends;
	if (brood_start(&options, &brood) < 0)
		return fprintf(stderr, "drain: %s\n", brood_error()), 1;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	int signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	printf("accepting\n");
	fflush(stdout);

	while (!is_up(signals)) { /* 1: accept */
		while (accepted - done - other < AT_ONCE &&
			brood_submit(brood, work, NULL, 0, &job, NULL) == 0)
			accepted++;
		turn(brood, signals);
	}
	double began = seconds(); /* 2: no more; what is out ends */
	while (brood_queue_out(brood_own_queue(brood)) > 0 && seconds() < began + 2) {
		turn(brood, signals);
		/*
		 * One stop may come twice: from the supervisor, and from whoever signals all
		 * processes.
		 */
		if (is_up(signals) && seconds() > began + 1)
			break;
	}
	/* 3: what is left is cancelled, and says so */
	int r = brood_stop(brood);
	brood_queue_dispatch(brood_own_queue(brood));
	printf("%u accepted, %u done, %u cancelled, %d without a result\n", accepted, done, other,
		(int)(accepted - done - other));
	close(signals);
	return r < 0;
}
