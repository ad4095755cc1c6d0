/* SPDX-License-Identifier: MIT */
/*
 * handoff_extras.c - what comes with a handed-off job beside its socket: files, progress, accounts,
 * a plugin. Seen from the supervisor, with a fake engine and fake workers (stage.h).
 */
#include "leases.h"

#include <criterion/criterion.h>

TestSuite(leases_end, .timeout = 180);

/* ---- what handed-off jobs bring along ---- */

static void handed_off(void)
{
	const struct message_job with = {
		.queue_ms = BROOD_FOREVER, .run_ms = BROOD_FOREVER, .grace_ms = 30, .name = "played"
	};
	struct brood_verdict v;
	struct message_run run;
	struct stage_worker *w;
	struct frame f;
	struct play p;
	uint64_t id;

	stage_init(&p.s, 1);
	p.s.options.flags |= BROOD_ACCOUNT_CPU;
	stage_start(&p.s);
	w = &p.s.workers[0];
	for (size_t extra = 0; extra <= BROOD_JOB_FDS_MAX; extra += BROOD_JOB_FDS_MAX / 2) {
		id = stage_job_with(&p.s, &with, extra);
		stage_hear(w->channel, &f, MESSAGE_RUN);
		CHECK_EQ(f.fds_count, 1 + extra);
		run = f.run;
		frame_done(&f);
		stage_word(&p.s, w, run.sequence, SLOT_PAGE_RUNNING);
		frame_begin(&f, MESSAGE_PROGRESS)->progress = (struct message_progress){
			.id = id, .sequence = run.sequence, .size = 5, .data = "half"
		};
		stage_say(w->channel, &f);
		stage_hear(p.s.channel, &f, MESSAGE_PROGRESS);
		CHECK_EQ(f.progress.id, id);
		CHECK_STR((const char *)f.progress.data, "half");
		stage_word(&p.s, w, run.sequence, SLOT_PAGE_DONE);
		frame_begin(&f, MESSAGE_FINISHED)->finished = (struct message_finished){
			.id = id, .sequence = run.sequence, .cpu_us = 17, .peak_kb = 4711
		};
		for (f.fds_count = 0; f.fds_count < extra; f.fds_count++)
			f.fds[f.fds_count] = STDERR_FILENO;
		stage_say(w->channel, &f);
		stage_hear(p.s.channel, &f, MESSAGE_VERDICT);
		CHECK_EQ(f.fds_count, extra);
		v = f.verdict.verdict;
		frame_done(&f);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_EQ(v.path, BROOD_PATH_HANDOFF);
		CHECK_EQ(v.cpu_us, 17);
		CHECK_EQ(v.peak_kb, 0);
	}
	stage_end(&p.s);
}
Test(leases_end, jobs_with_files_progress_and_accounts) { case_run(handed_off, 30000); }

static void no_plugin(void)
{
	struct message_job m = { .queue_ms = BROOD_FOREVER,
		.run_ms = BROOD_FOREVER,
		.grace_ms = 30,
		.name = "played",
		.plugin_size = 4,
		.tag_size = 2 };
	struct brood_verdict v;
	struct stage_worker *w;
	struct frame f;
	struct play p;

	begin(&p, 1);
	w = &p.s.workers[0];
	frame_begin(&f, MESSAGE_JOB)->job = m;
	f.job.id = 5000;
	CHECK_EQ(frame_append(&f, "a\0b\0t", 6), 0);
	f.fds[0] = STDERR_FILENO;
	f.fds_count = 1;
	stage_say(p.s.channel, &f);
	stage_hear(w->channel, &f, MESSAGE_RUN);
	CHECK_EQ(f.run.plugin_size, 4);
	CHECK_EQ(f.run.tag_size, 2);
	CHECK_EQ(f.run.arg_size, 6);
	CHECK_MEM((const char *)frame_rest(&f), "a\0b\0t", 6);
	frame_done(&f);
	stage_word(&p.s, w, f.run.sequence, SLOT_PAGE_DONE);
	m.attempt = (uint32_t)f.run.sequence;
	frame_begin(&f, MESSAGE_FINISHED)->finished = (struct message_finished){
		.id = 5000, .sequence = m.attempt, .flags = FINISHED_NO_PLUGIN
	};
	stage_say(w->channel, &f);
	v = stage_verdict(&p.s, 5000);
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_PLUGIN);
	CHECK_EQ(v.started, 0);
	stage_end(&p.s);
}
Test(leases_end, a_plugin_that_is_none) { case_run(no_plugin, 30000); }

/* An engine whose memory is damaged: such a job is dropped, and the next one runs. */
static void nonsense_tags(void)
{
	static const struct {
		uint32_t plugin_size, tag_size;
		const char *rest;
		size_t size;
	} wrong[] = {
		{ 0, 3, "ab", 3 - 1 },              /* longer than all */
		{ 0, 3, "abc", 3 },                 /* no NUL */
		{ 3, 2, "a\0b", 4 },                /* both together are longer */
		{ 0, BROOD_TAG_MAX + 1, NULL, 80 }, /* too long */
		{ 0, UINT32_MAX, "ab", 3 },
	};
	static const char zeros[80];
	struct stage_worker *w;
	struct message_run run;
	struct frame f;
	struct play p;

	begin(&p, 1);
	w = &p.s.workers[0];
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		frame_begin(&f, MESSAGE_JOB)->job = (struct message_job){ .id = 6000 + i,
			.queue_ms = BROOD_FOREVER,
			.run_ms = BROOD_FOREVER,
			.fn = wrong[i].plugin_size ? 0 : 4711,
			.plugin_size = wrong[i].plugin_size,
			.tag_size = wrong[i].tag_size,
			.name = "played" };
		CHECK_EQ(frame_append(&f, wrong[i].rest ? wrong[i].rest : zeros, wrong[i].size), 0);
		f.fds[0] = STDERR_FILENO;
		f.fds_count = 1;
		stage_say(p.s.channel, &f);
	}
	run = stage_run(w, stage_job(&p.s));
	CHECK_EQ(run.tag_size, 0);
	stage_finish(&p.s, w, &run);
	CHECK_EQ(stage_verdict(&p.s, run.id).outcome, BROOD_DONE);
	stage_end(&p.s);
}
Test(leases_end, tags_that_make_no_sense) { case_run(nonsense_tags, 30000); }
