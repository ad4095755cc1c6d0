/* SPDX-License-Identifier: MIT */
/*
 * drain: a program that ends well. It accepts work until SIGTERM or SIGINT. Then it accepts no
 * more, and each accepted job gets its result before the program ends. Jobs that still run are
 * cancelled after two seconds, or when a second signal comes more than a second after the first.
 *
 * 	drain [MS]      each job takes MS milliseconds (50)
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

/* In a worker. When the job is told to end early, it does so, and its code says so. */
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

/* One turn of the loop: waits, then takes the results that have come. */
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

	while (!is_up(signals)) { /* 1: accept jobs */
		while (accepted - done - other < AT_ONCE &&
			brood_submit(brood, work, NULL, 0, &job, NULL) == 0)
			accepted++;
		turn(brood, signals);
	}
	double began = seconds(); /* 2: accept no more; wait for the accepted jobs */
	while (brood_queue_out(brood_own_queue(brood)) > 0 && seconds() < began + 2) {
		turn(brood, signals);
		/*
		 * One stop may send two signals: one from the supervisor, one from a program that
		 * signals all processes.
		 */
		if (is_up(signals) && seconds() > began + 1)
			break;
	}
	/* 3: the remaining jobs are cancelled, and their verdicts say so. */
	int r = brood_stop(brood);
	brood_queue_dispatch(brood_own_queue(brood));
	printf("%u accepted, %u done, %u cancelled, %d without a result\n", accepted, done, other,
		(int)(accepted - done - other));
	close(signals);
	return r < 0;
}
