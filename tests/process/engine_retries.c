/* SPDX-License-Identifier: MIT */
/* engine_retries.c - the retries of calls, against a fake supervisor. */
#include "../helpers/case.h"
#include "../helpers/peer.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(engine_calls, .timeout = 120);

static struct peer peer;

static void start(const struct peer_service *services)
{
	peer_init(&peer);
	peer_start(&peer, 64);
	if (services)
		peer_serve(&peer, services);
}

/* ---- retries ---- */

static struct brood_job_options retrying = { .size = sizeof retrying, .retries = 3 };

struct attempt {
	enum brood_outcome outcome;
	enum brood_detail detail;
};

/* Answers all attempts. Their ids go to ret_ids. */
static void answer(const struct attempt *attempts, int count, uint64_t *ret_ids)
{
	for (int i = 0; i < count; i++) {
		struct brood_verdict v = { .outcome = attempts[i].outcome,
			.detail = attempts[i].detail,
			.attempts = (uint32_t)i + 1,
			.started = 1 };
		struct peer_job job;
		char request[8] = "";

		peer_job(&peer, &job);
		CHECK_EQ(job.message.attempt, i);
		/* each gets the whole of it */
		CHECK_EQ(recv(job.fd, request, sizeof request, MSG_WAITALL), 5);
		CHECK_STR(request, "again");
		CHECK(peer_write_all(job.fd, &"attempt 1"[i > 0 ? 0 : 1], (size_t)(9 - i)));
		shutdown(job.fd, SHUT_RDWR);
		close(job.fd);
		v.id = ret_ids[i] = job.id;
		peer_verdict(&peer, &v);
	}
}

static void retry(const struct attempt *attempts, int count, ssize_t result)
{
	char reply[16] = "";
	struct engine_bytes bytes = { "again", 5, reply, sizeof reply, false };
	struct brood_verdict v;
	struct brood_stats before, after;
	uint64_t ids[8];
	pthread_t thread;

	engine_stats(peer.brood, &before);
	thread = peer_call_with_later(&peer, &retrying, &bytes, &v);
	answer(attempts, count, ids);
	CHECK_EQ(peer_join(thread), result);
	CHECK(peer_silent(&peer));
	CHECK_EQ(v.outcome, attempts[count - 1].outcome);
	CHECK_EQ(v.id, ids[0]);
	CHECK_EQ(v.attempts, count);
	CHECK_EQ(v.reply_size, count == 1 ? 9 - 0 : 10 - count);
	engine_stats(peer.brood, &after);
	CHECK_EQ(after.submitted - before.submitted, 1);
	CHECK_EQ(after.retried - before.retried, count - 1);
}
static void retries(void)
{
	static const struct attempt good[] = { { BROOD_DONE, 0 } },
				    second[] = { { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE },
					    { BROOD_DONE, 0 } },
				    never[] = { { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE },
					    { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE },
					    { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE },
					    { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE } },
				    own[] = { { BROOD_CRASHED, BROOD_DETAIL_NONE } },
				    exited[] = { { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE },
					    { BROOD_EXITED, 0 } };

	start(NULL);
	retry(good, 1, 9);
	retry(second, 2, 8);
	retry(never, 4, -EREMOTEIO);
	retry(own, 1, -EREMOTEIO);
	retry(exited, 2, -EREMOTEIO);
}
Test(engine_calls, retries_after_a_kill_from_outside) { case_run(retries, 20000); }

static void cancelled_retry(void)
{
	struct engine_bytes bytes = { "again", 5, NULL, 0, false };
	struct brood_verdict v;
	struct peer_job first, second;
	struct frame f;
	pthread_t thread;

	start(NULL);
	thread = peer_call_with_later(&peer, &retrying, &bytes, &v);
	peer_job(&peer, &first);
	v = (struct brood_verdict){ .id = first.id,
		.outcome = BROOD_CRASHED,
		.detail = BROOD_DETAIL_OUTSIDE,
		.attempts = 1 };
	close(first.fd);
	peer_verdict(&peer, &v);
	peer_job(&peer, &second);
	CHECK_EQ(engine_cancel(peer.brood, first.id), 0); /* the id that its caller knows */
	peer_hear(&peer, &f, MESSAGE_CANCEL);
	CHECK_EQ(f.about.id, second.id);
	v = (struct brood_verdict){ .id = second.id,
		.outcome = BROOD_CRASHED,
		.detail = BROOD_DETAIL_OUTSIDE,
		.attempts = 2 };
	close(second.fd);
	peer_verdict(&peer, &v);
	CHECK_EQ(peer_join(thread), -EREMOTEIO); /* cancelled: no third attempt */
	CHECK(peer_silent(&peer));
	CHECK_EQ(engine_cancel(peer.brood, first.id), -ENOENT);
	CHECK_EQ(v.id, first.id);
}
Test(engine_calls, a_cancelled_call_is_not_tried_again) { case_run(cancelled_retry, 20000); }

static void lost_retry(void)
{
	struct engine_bytes bytes = { "again", 5, NULL, 0, false };
	struct brood_verdict v, said;
	struct peer_job job;
	pthread_t thread;

	start(NULL);
	thread = peer_call_with_later(&peer, &retrying, &bytes, &v);
	peer_job(&peer, &job);
	close(job.fd);
	said = (struct brood_verdict){ .id = job.id,
		.outcome = BROOD_CRASHED,
		.detail = BROOD_DETAIL_OUTSIDE,
		.attempts = 1 };
	peer_verdict(&peer, &said);
	peer_hang_up(&peer);
	peer_join(thread);
	/*
	 * Depending on the moment, the second attempt could no longer be given (the verdict of the
	 * first stands), or it was lost.
	 */
	CHECK(v.outcome == BROOD_CRASHED || v.outcome == BROOD_LOST);
	CHECK_EQ(v.id, job.id);
}
Test(engine_calls, a_retry_that_cannot_be_given) { case_run(lost_retry, 20000); }
