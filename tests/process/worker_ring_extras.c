/* SPDX-License-Identifier: MIT */
/*
 * worker_ring_extras.c - one worker on lease: progress, plugins, accounting. And the same on jobs
 * that were handed off.
 */
#define _GNU_SOURCE
#include "../../src/base/base.h"
#include "../../src/worker/job.h"
#include "worker_ring.h"

#include <criterion/criterion.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(worker_ring_bytes, .timeout = 120);

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define KEEPS_FREED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED 1
#elif !defined(KEEPS_FREED)
#define KEEPS_FREED 0
#endif

/* ---- progress, plugins, accounting ---- */

static int progresses(struct brood_job *job)
{
	return brood_job_progress(job, "half", 4) | brood_job_progress(job, NULL, 0) |
		brood_job_log(job, BROOD_INFO, "at work");
}

static void progress(void)
{
	struct frame f;

	begin();
	fake_push(&ring, progresses, NULL, 0);
	fake_done(&ring, 0);
	fake_side(&ring, &f, MESSAGE_PROGRESS);
	CHECK_EQ(f.progress.sequence, ring.published);
	CHECK_EQ(f.progress.id, fake.id);
	CHECK_EQ(f.progress.size, 4);
	CHECK_MEM(f.progress.data, "half", 4);
	fake_side(&ring, &f, MESSAGE_PROGRESS);
	CHECK_EQ(f.progress.size, 0);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_EQ(f.job_log.id, fake.id);
	CHECK_EQ(fake_leave(&ring).flags, 0);
	fake_assign(&fake);
	fake_run(&fake, progresses, NULL, 0);
	fake_hear(&fake, &f, MESSAGE_PROGRESS);
	CHECK_EQ(f.progress.id, fake.id);
	CHECK_EQ(f.progress.sequence, fake.sequence);
	CHECK_MEM(f.progress.data, "half", 4);
	fake_hear(&fake, &f, MESSAGE_PROGRESS);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_EQ(fake_finished(&fake).code, 0);
	fake_end(&fake);
}
Test(worker_ring_bytes, progress) { case_run(progress, 20000); }

/* The path of the C library: a shared object with a function that we know. */
static int find_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so") && !strstr(info->dlpi_name, "/libc-"))
		return 0;
	snprintf(path, 512, "%s", info->dlpi_name);
	return 1;
}

static size_t plugin_text(char *text, const char *path, const char *symbol)
{
	size_t size = strlen(path) + 1;

	memcpy(text, path, size);
	memcpy(text + size, symbol, strlen(symbol) + 1);
	return size + strlen(symbol) + 1;
}

static struct ring_done push_plugin(const char *text, size_t size)
{
	struct ring_entry *e = fake_entry(&ring, NULL, NULL, 0);

	fake_entry_arg(&ring, e, text, size, size);
	fake_publish(&ring);
	return fake_done_raw(&ring);
}

static void refused_plugin(const char *text, size_t size, const char *why)
{
	struct frame f;

	CHECK_EQ(push_plugin(text, size).flags, DONE_NO_PLUGIN);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_CONTAINS(f.job_log.text, why);
	CHECK_EQ(f.job_log.id, fake.id);
}

static void plugins(void)
{
	char path[512] = "", text[1024];
	size_t size;
	struct frame f;

	dl_iterate_phdr(find_libc, path);
	CHECK_EQ(path[0], '/');
	begin();
	size = plugin_text(text, path, "getpid");
	for (int i = 0; i < 10; i++)
		CHECK_EQ(push_plugin(text, size).code, fake.pid);
	CHECK_EQ(push_plugin(text, size).left, 0);
	refused_plugin(text, plugin_text(text, path, "brood_no_such"), "no brood_no_such in");
	refused_plugin(text, plugin_text(text, "/no/such.so", "f"), "/no/such.so");
	refused_plugin(text, plugin_text(text, "libc.so.6", "getpid"), "a path from the root");
	refused_plugin("/a\0b", 4, "a path from the root"); /* its end is missing */
	refused_plugin("/a", 3, "a path from the root");
	fake_ring_job(&ring, nothing, 0);
	CHECK_EQ(fake_leave(&ring).flags, 0);
	size = plugin_text(text, path, "getppid");
	fake_assign(&fake);
	fake.plugin_size = (uint32_t)size;
	fake_run(&fake, NULL, text, size);
	CHECK_EQ(fake_finished(&fake).code, getpid());
	size = plugin_text(text, "/no/such.so", "f");
	fake_assign(&fake);
	fake.plugin_size = (uint32_t)size;
	fake_run(&fake, NULL, text, size);
	fake_hear(&fake, &f, MESSAGE_JOB_LOG);
	CHECK_EQ(fake_finished(&fake).flags, FINISHED_NO_PLUGIN);
	fake_end(&fake);
}
Test(worker_ring_bytes, plugins) { case_run(plugins, 20000); }

static int burns(struct brood_job *job)
{
	uint64_t until = now_ns() + 20 * NS_PER_MS;

	(void)job;
	while (now_ns() < until)
		;
	return 0;
}

static int fills(struct brood_job *job)
{
	size_t size = 24 << 20;
	volatile char *memory = malloc(size);

	(void)job;
	for (size_t i = 0; memory && i < size; i += 512)
		memory[i] = 1;
	free((void *)(uintptr_t)memory);
	return memory ? 0 : 1;
}

static void accounts(void)
{
	struct ring_done d;
	uint64_t little;

	fake_init(&fake);
	fake.options.flags = BROOD_ACCOUNT_CPU | BROOD_ACCOUNT_MEMORY;
	fake_start(&fake);
	fake_grant(&fake, &ring);
	d = fake_ring_job(&ring, burns, 0);
	CHECK_GT(d.cpu_us, 0);
	CHECK_LE(d.cpu_us, (d.ended_ns - d.began_ns) / 1000 + 1000);
	little = d.peak_kb;
	CHECK_GT(little, 0);
	d = fake_ring_job(&ring, fills, 0);
	CHECK_GT(d.peak_kb, little + 20000);
	d = fake_ring_job(&ring, nothing, 0);
	if (!KEEPS_FREED)
		CHECK_LT(d.peak_kb, little + 15000); /* of this job, not of the one before */
	CHECK_EQ(fake_leave(&ring).left, 0);
	CHECK_GT(fake_job(&fake, burns).cpu_us, 0);
	CHECK_GT(fake_job(&fake, nothing).peak_kb, 0);
	fake_end(&fake);
}
Test(worker_ring_bytes, accounting) { case_run(accounts, 30000); }
