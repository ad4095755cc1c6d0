/* SPDX-License-Identifier: MIT */
/*
 * image.c - a worker that is a copy of the spawner's image is what a worker is that has made
 * itself: files, signals, limits, what it finds of a job's residue. And it has more memory in
 * common with the others.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

TestSuite(image, .timeout = 300);

#define TEXT_MAX 4000

static struct brood *brood;

/* ---- what a worker is like ---- */

struct text {
	char bytes[TEXT_MAX];
	size_t size;
};

static void add(struct text *t, const char *name, long value)
{
	t->size += (size_t)snprintf(
		t->bytes + t->size, sizeof t->bytes - t->size, "%s %ld\n", name, value);
}

static void add_signals(struct text *t)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[512];

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0 ||
			strncmp(line, "SigCgt", 6) == 0 || strncmp(line, "NoNewPrivs", 10) == 0)
			t->size += (size_t)snprintf(
				t->bytes + t->size, sizeof t->bytes - t->size, "%s", line);
	if (file)
		fclose(file);
}

static void add_limit(struct text *t, const char *name, __rlimit_resource_t which)
{
	struct rlimit limit = { 0 };

	getrlimit(which, &limit);
	add(t, name, (long)limit.rlim_cur);
}

static long oom_score(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	long value = -2000;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -2001;
	if (file)
		fclose(file);
	return value;
}

static int describes(struct brood_job *job)
{
	struct text t = { .size = 0 };
	struct stat st = { 0 };
	stack_t alternate;
	mode_t mask = umask(0);

	umask(mask);
	add_signals(&t);
	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			add(&t, "open", fd <= 2 ? fd : -1);
	fstat(0, &st);
	add(&t, "stdin", (long)st.st_rdev);
	add(&t, "umask", (long)mask);
	add(&t, "oom_score_adj", oom_score());
	add_limit(&t, "files", RLIMIT_NOFILE);
	add_limit(&t, "core", RLIMIT_CORE);
	add(&t, "alternate", sigaltstack(NULL, &alternate) == 0 ? alternate.ss_flags : -1);
	return brood_job_reply(job, t.bytes, t.size) == (ssize_t)t.size ? 0 : 1;
}

static int init_nothing(void *context)
{
	(void)context;
	return 0;
}

static const int kept[] = { SIGUSR1, SIGSEGV };
static const struct brood_options kinds[] = {
	{ .workers = 1 },
	{ .workers = 1, .worker_init = init_nothing },
	{ .workers = 1, .worker_memory = 1 << 30 },
	{ .workers = 1, .flags = BROOD_ACCOUNT_MEMORY | BROOD_ACCOUNT_CPU },
	{ .workers = 1, .keep_signals = kept, .keep_signals_count = 2 },
	{ .workers = 1, .flags = BROOD_DEBUGGING },
};

struct asked {
	struct brood_options options;
	struct text *answer; /* shared with the test */
};

static void handles(int sig) { (void)sig; }

static void asks(void *context)
{
	struct asked *a = context;

	CHECK(signal(SIGUSR1, handles) != SIG_ERR);
	a->options.log = note_log;
	brood = pool_start(&a->options);
	CHECK_GT(brood_call(brood, describes, "", 0, a->answer->bytes, TEXT_MAX - 1, NULL, NULL),
		50);
	pool_stop(brood);
}

static struct text *shared_text(void)
{
	void *memory = mmap(NULL, sizeof(struct text), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(memory, MAP_FAILED);
	return memory;
}

/* one by fork() of the supervisor, one by the spawner */
Test(image, a_worker_is_the_same)
{
	const enum brood_spawn ways[2] = { BROOD_SPAWN_FORK, BROOD_SPAWN_CLONE3 };
	struct text *texts[2] = { shared_text(), shared_text() };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (int i = 0; i < 2; i++) {
			struct asked a = { kinds[k], texts[i] };

			memset(texts[i], 0, sizeof *texts[i]);
			a.options.spawn = ways[i];
			case_run_with(asks, &a, 30000);
		}
		cr_assert_str_eq(texts[0]->bytes, texts[1]->bytes, "kind %zu", k);
	}
}

/* ---- what it finds of a job's residue ---- */

static int leaves(struct brood_job *job)
{
	const struct itimerval hour = { .it_value = { .tv_sec = 3600 } };
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	sigset_t set;
	timer_t id;

	switch (*(const uint32_t *)brood_job_arg(job, &(size_t){ 0 })) {
	case BROOD_LEFT_FDS: return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0;
	case BROOD_LEFT_TIMERS: return timer_create(CLOCK_MONOTONIC, &event, &id) < 0;
	case BROOD_LEFT_TIMERS | BROOD_LEFT_CWD:
		return setitimer(ITIMER_REAL, &hour, NULL) < 0 || chdir("/proc") < 0;
	case BROOD_LEFT_UMASK: umask(0777); return 0;
	case BROOD_LEFT_HANDLERS: return signal(SIGTERM, SIG_IGN) == SIG_ERR;
	case BROOD_LEFT_MASK:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		return sigprocmask(SIG_BLOCK, &set, NULL) < 0;
	case BROOD_LEFT_CHILDREN:
		if (fork() == 0)
			pause();
		return 0;
	default: return 0;
	}
}

static uint32_t left_by(uint32_t what)
{
	const struct brood_job_options o = {
		.size = sizeof o, .arg = &what, .arg_size = sizeof what
	};
	struct brood_verdict v = pool_call_with(brood, leaves, &o);

	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.code, 0);
	return v.left;
}

static void finds_residue(void)
{
	static const uint32_t all[] = { BROOD_LEFT_TIMERS, BROOD_LEFT_TIMERS | BROOD_LEFT_CWD,
		BROOD_LEFT_UMASK, BROOD_LEFT_HANDLERS, BROOD_LEFT_MASK, BROOD_LEFT_FDS,
		BROOD_LEFT_CHILDREN };
	struct brood_options options = {
		.workers = 1, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};

	brood = pool_start(&options);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		CHECK_EQ(left_by(0), 0);
		CHECK_EQ(left_by(all[i]), all[i]);
	}
	CHECK_EQ(left_by(0), 0);
	pool_stop(brood);
}
Test(image, finds_residue) { case_run(finds_residue, 30000); }

/* ---- its memory ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static int private_kb(struct brood_job *job)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	int kb = 0;

	(void)job;
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Private_Dirty: %d", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb;
}

static void shares_memory(void)
{
	struct brood_options options = {
		.workers = 4, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	int kb;

	brood = pool_start(&options);
	kb = POOL_CALL(brood, private_kb).code; /* and what the call itself has changed */
	CHECK_MSG(kb > 0 && kb <= 100, "%d kB", kb);
	pool_stop(brood);
}
Test(image, shares_its_memory) { case_run(shares_memory, 30000); }

#endif
