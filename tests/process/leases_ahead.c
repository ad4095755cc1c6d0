/* SPDX-License-Identifier: MIT */
/* leases_ahead.c - a program that gives conversations often has idle workers on lease for more. */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(leases_ahead, .timeout = 120);

#define WORKERS 5
#define WAIT_MS 10000

static struct brood *brood;

/* A conversation that lasts until the engine's end is closed. */
static int job_talks(struct brood_job *job)
{
	char c;

	while (brood_job_read(job, &c, 1) == 1)
		if (brood_job_write(job, &c, 1) != 1)
			return 1;
	return 0;
}

struct talk {
	struct brood_handle *handle;
	int fd;
};

static void talk_begin(struct talk *t)
{
	char c = 'x';

	CHECK_EQ(brood_open(brood, job_talks, NULL, &t->fd, &t->handle), 0);
	CHECK_EQ(send(t->fd, &c, 1, MSG_NOSIGNAL), 1);
	CHECK_EQ(recv(t->fd, &c, 1, MSG_WAITALL), 1);
}

static bool is_over(struct talk *t)
{
	struct brood_verdict v;

	brood_dispatch(brood);
	return brood_fetch(t->handle, &v) == 0;
}

static void talk_end(struct talk *t)
{
	close(t->fd);
	CHECK(WAIT_UNTIL(is_over(t), WAIT_MS));
	brood_release(t->handle);
}

static bool leased(uint32_t count)
{
	struct brood_stats stats = { .size = sizeof stats };

	brood_dispatch(brood);
	CHECK_EQ(brood_stats(brood, &stats), 0);
	return stats.leased == count;
}

static void ahead(void)
{
	struct brood_options options = { .workers = WORKERS, .lease_idle_ms = 600000 };
	struct brood_job_options handoff = { .size = sizeof handoff,
		.dispatch = BROOD_PATH_HANDOFF };
	struct talk talks[3];
	struct brood_verdict v;

	brood = pool_start(&options);
	CHECK_GE(brood_fd(brood), 0); /* this program dispatches */
	for (int i = 0; i < 20; i++) {
		talk_begin(&talks[0]);
		talk_end(&talks[0]);
	}
	/* one that lasts, and two ahead of the next ones; or one and all but the last worker */
	for (uint32_t i = 0; i < 3; i++) {
		talk_begin(&talks[i]);
		CHECK_MSG(WAIT_UNTIL(leased(MIN(i + 3, (uint32_t)WORKERS - 1)), WAIT_MS),
			"with %u conversations", i + 1);
	}
	/* the last worker is not leased: a job that is handed off has it */
	v = pool_call_with(brood, job_nothing, &handoff);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK(leased(WORKERS - 1));
	for (int i = 0; i < 3; i++)
		talk_end(&talks[i]);
	pool_stop(brood);
}
Test(leases_ahead, two_and_never_the_last_worker) { case_run(ahead, 60000); }
