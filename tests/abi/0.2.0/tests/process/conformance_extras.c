/* conformance_extras.c - what goes beside the bytes: extra fds with a job, fds with its reply, progress, log lines, functions of plugins; and that none of it leaks. On every path. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* A file with one line that tells it from others. */
static int make_file(int number)
{
	int fd = memfd_create("extra", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_GT(dprintf(fd, "%d", number), 0);
	return fd;
}
static int file_number(int fd)
{
	char text[16] = "";

	return pread(fd, text, sizeof text - 1, 0) > 0 ? atoi(text) : -1;
}

/* ---- with the job ---- */

static int reads_fds(struct brood_job *job)
{
	long count = said(job)->number;

	if (brood_job_extra_fds(job) != (size_t)count)
		return 1;
	for (long i = 0; i < count; i++)
		if (file_number(brood_job_extra_fd(job, (size_t)i)) != 1000 + i)
			return 2;
	return brood_job_extra_fd(job, (size_t)count) == -EINVAL && brood_job_extra_fd(job, SIZE_MAX) == -EINVAL && brood_job_take_extra_fd(job, (size_t)count) == -EINVAL ? 0 : 3;
}
static int takes_second(struct brood_job *job)
{
	int fd = brood_job_take_extra_fd(job, 1);

	return fd >= 0 && file_number(fd) == 1001 ? 0 : 1;
}
static int takes_and_closes(struct brood_job *job)
{
	return close(brood_job_take_extra_fd(job, 0));
}

static void extra_fds(struct site *s)
{
	static const unsigned counts[] = { 1, 2, 31, 32, 0 };
	int fds[BROOD_JOB_FDS_MAX + 1];
	struct given *g;

	for (int i = 0; i < BROOD_JOB_FDS_MAX + 1; i++)
		fds[i] = make_file(1000 + i);
	for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
		g = RUN(s, reads_fds, .request = "with bytes", .size = 10, .number = counts[k], .options = { .fds = fds, .fds_count = counts[k] });
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.left, 0);                        /* closed at its end */
	}
	g = RUN(s, takes_and_closes, .options = { .fds = fds, .fds_count = 3 });
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, 0);
	g = RUN(s, takes_second, .options = { .fds = fds, .fds_count = 3 });
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, BROOD_LEFT_FDS);
	for (int i = 0; i < BROOD_JOB_FDS_MAX + 1; i++) {
		CHECK_EQ(file_number(fds[i]), 1000 + i);       /* still the caller's */
		close(fds[i]);
	}
}
CASE(extra_fds, EVERYWHERE)

static void wrong_fds(struct site *s)
{
	int fds[BROOD_JOB_FDS_MAX + 1];
	struct given *g;

	for (int i = 0; i < BROOD_JOB_FDS_MAX + 1; i++)
		fds[i] = 1;
	g = RUN(s, job_code, .refusable = true, .options = { .fds = fds, .fds_count = BROOD_JOB_FDS_MAX + 1 });
	CHECK_MSG((site_is(s, CALLS) ? g->n : g->error) < 0, "%s", way_names[s->way]);
	fds[1] = 9999;
	g = RUN(s, job_code, .refusable = true, .options = { .fds = fds, .fds_count = 3 });
	CHECK_EQ(site_is(s, CALLS) ? g->n : g->error, -EBADF);
	site_well(s);
}
CASE(wrong_fds, EVERYWHERE)

/* Many at once, with large requests beside them: each its own. */
static void many_extra_fds(struct site *s)
{
	static char request[100000];
	struct given *g[16];
	int fds[16][8];

	for (int i = 0; i < 16; i++) {
		for (int k = 0; k < 8; k++)
			fds[i][k] = make_file(1000 + k);
		g[i] = GIVE(s, reads_fds, .request = request, .size = i % 2 ? sizeof request : 10, .number = i % 8 + 1, .options = { .fds = fds[i], .fds_count = (uint32_t)i % 8 + 1 });
		given_id(g[i]);
		for (int k = 0; k < 8 && !site_is(s, CALLS); k++)      /* duplicated when they were given */
			close(fds[i][k]);
	}
	for (int i = 0; i < 16; i++) {
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g[i]->v.left, 0);
		for (int k = 0; k < 8 && site_is(s, CALLS); k++)
			close(fds[i][k]);
	}
}
CASE(many_extra_fds, EVERYWHERE, .workers = 3)

/* ---- with the reply ---- */

static int replies_fds(struct brood_job *job)
{
	long count = said(job)->number % 100, code = said(job)->number / 100;
	int fds[BROOD_JOB_FDS_MAX];

	for (long i = 0; i < count; i++)
		if ((fds[i] = make_file(2000 + (int)i)) < 0)
			return 1;
	if (brood_job_reply_fds(job, fds, (size_t)count / 2) != 0 || brood_job_reply_fds(job, fds + count / 2, (size_t)(count - count / 2)) != 0)
		return 2;
	for (long i = 0; i < count; i++)
		close(fds[i]);
	if (code == 9)
		raise(SIGSEGV);
	return brood_job_reply(job, "and bytes", 9) == 9 ? (int)code : 3;
}
static int replies_large_and_fds(struct brood_job *job)
{
	static char much[400000];
	int fd = make_file(2000), r = brood_job_reply_fds(job, &fd, 1);

	close(fd);
	return r != 0 || brood_job_reply(job, much, sizeof much) != (ssize_t)sizeof much;
}
static int replies_wrong_fds(struct brood_job *job)
{
	int fds[BROOD_JOB_FDS_MAX + 1];

	for (int i = 0; i < BROOD_JOB_FDS_MAX + 1; i++)
		fds[i] = 1;
	if (brood_job_reply_fds(job, fds, BROOD_JOB_FDS_MAX + 1) != -E2BIG)
		return 1;
	fds[1] = 9999;
	if (brood_job_reply_fds(job, fds, 2) != -EBADF || brood_job_reply_fds(job, NULL, 2) != -EINVAL || brood_job_reply_fds(job, NULL, 0) != 0)
		return 2;
	return 0;
}

struct reply_fds { int fds[BROOD_JOB_FDS_MAX]; size_t count; };

static struct given *ask_fds(struct site *s, long number, struct reply_fds *got)
{
	struct given *g;

	memset(got, 0, sizeof *got);
	g = RUN(s, replies_fds, .number = number, .options = { .ret_fds = got->fds, .ret_fds_room = BROOD_JOB_FDS_MAX, .ret_fds_count = &got->count });
	if (!site_is(s, CALLS)) {
		memcpy(got->fds, g->fds, sizeof got->fds);
		got->count = g->fds_count;
	}
	return g;
}

static void check_fds(const struct reply_fds *got, size_t count)
{
	CHECK_EQ(got->count, count);
	for (size_t i = 0; i < count; i++) {
		CHECK_EQ(file_number(got->fds[i]), 2000 + (int)i);
		CHECK(fcntl(got->fds[i], F_GETFD) & FD_CLOEXEC);
		close(got->fds[i]);
	}
}

static void reply_fds(struct site *s)
{
	static const long counts[] = { 0, 1, 2, 31, 32 };
	struct reply_fds got;
	struct given *g;

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		g = ask_fds(s, counts[i], &got);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.left, 0);
		CHECK_EQ(g->reply_size, 9);
		CHECK_MEM(g->reply, "and bytes", 9);
		check_fds(&got, (size_t)counts[i]);
	}
	g = ask_fds(s, 503, &got);
	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.code, 5);
	check_fds(&got, 3);
	g = ask_fds(s, 903, &got);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(got.count, 0);
	expect(RUN(s, replies_wrong_fds), BROOD_DONE, BROOD_DETAIL_NONE);
	g = RUN(s, replies_large_and_fds, .options = { .ret_fds = got.fds, .ret_fds_room = 1, .ret_fds_count = &got.count });
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->reply_size, 400000);
	close(site_is(s, CALLS) ? got.fds[0] : g->fds[0]);
}
CASE(reply_fds, BYTES)

/* What the caller has no room for is closed. */
static void reply_fds_without_room(struct site *s)
{
	struct reply_fds got = { .count = 99 };

	expect(RUN(s, replies_fds, .number = 5, .options = { .ret_fds = got.fds, .ret_fds_room = 2, .ret_fds_count = &got.count }), BROOD_DONE, BROOD_DETAIL_NONE);
	check_fds(&got, 2);
	expect(RUN(s, replies_fds, .number = 5), BROOD_DONE, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(reply_fds_without_room, CALLS)

/* A conversation can send what it likes itself. */
static int may_not_reply_fds(struct brood_job *job)
{
	int fd = 1;

	return brood_job_reply_fds(job, &fd, 1) == -EINVAL ? 0 : 1;
}
static void no_reply_fds(struct site *s)
{
	struct given *g = RUN(s, may_not_reply_fds);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.left, 0);
}
CASE(no_reply_fds, STREAMS)

/* ---- progress ---- */

/* Each begins with its number, and is longer than that by as much as the number says. */
static size_t progress_size(int number) { return sizeof number + (size_t)(number * 37) % (BROOD_PROGRESS_MAX + 1 - sizeof number); }

static int progresses(struct brood_job *job)
{
	unsigned char data[BROOD_PROGRESS_MAX + 1];
	int count = (int)said(job)->number;

	memset(data, 0, sizeof data);
	if (brood_job_progress(job, data, sizeof data) != -EMSGSIZE)
		return 1;
	for (int i = 0; i < count; i++) {
		int r;

		memset(data, i, sizeof data);
		memcpy(data, &i, sizeof i);
		for (unsigned round = 0; (r = brood_job_progress(job, data, progress_size(i))) == -EAGAIN; round++)
			test_pause(round);
		if (r != 0)
			return 2;
	}
	return 0;
}

struct heard { atomic_int count, next; uint64_t id; pthread_t thread; struct given *given; };
static struct heard *heard_of(struct stage *stage) { static struct heard all[64]; return &all[((uintptr_t)stage / sizeof *stage) % 64]; }

static void progress_came(void *context, uint64_t id, const void *data, size_t size)
{
	struct given *g = context;
	struct heard *h = heard_of(g->site->stage);
	const unsigned char *bytes = data;
	int i;

	CHECK_EQ(atomic_load(&g->over), 0);                    /* never after the verdict */
	CHECK(h->id == 0 || h->id == id);
	h->id = id;
	CHECK_GE(size, sizeof i);
	memcpy(&i, data, sizeof i);
	CHECK_EQ(size, progress_size(i));
	for (size_t k = sizeof i; k < size; k++)
		CHECK_EQ(bytes[k], (unsigned char)i);
	CHECK_GE(i, atomic_load(&h->next));                    /* in order */
	atomic_store(&h->next, i + 1);
	atomic_fetch_add(&h->count, 1);
}

/* The context is the submitted job's; of a call it is told the same way. */
static void progress(struct site *s)
{
	struct heard *h = heard_of(s->stage);
	struct given *g, fake = { .site = s };
	int all = 0;

	for (int round = 0; round < 3; round++) {
		atomic_store(&h->count, 0);
		atomic_store(&h->next, 0);
		h->id = 0;
		g = RUN(s, progresses, .number = 30, .options = { .on_progress = progress_came, .context = site_is(s, CALLS) ? &fake : NULL });
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		/* Handed off, it goes by the supervisor, which drops what the engine's full socket does not take; where many threads fill it, all of it. */
		CHECK(atomic_load(&h->count) == 30 || site_is(s, HANDOFF));
		CHECK(h->id == g->v.id || atomic_load(&h->count) == 0);
		all += atomic_load(&h->count);
	}
	CHECK(all > 0 || s->number > 0);
	expect(RUN(s, progresses, .number = 5), BROOD_DONE, BROOD_DETAIL_NONE);       /* nobody wants it */
}
CASE(progress, BYTES)

/* Nobody hears that of a conversation; it costs nothing. */
static void progress_unheard(struct site *s)
{
	expect(RUN(s, progresses, .number = 5), BROOD_DONE, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(progress_unheard, STREAMS)

/* It comes while the job runs, not with its verdict. */
static int progresses_and_waits(struct brood_job *job)
{
	if (brood_job_progress(job, "", 0) != 0)
		return 1;
	return job_gated(job);
}
static void opens_gate(void *context, uint64_t id, const void *data, size_t size)
{
	(void)id, (void)data;
	CHECK_EQ(size, 0);
	stage_open(((struct given *)context)->site);
}
static void progress_while_it_runs(struct site *s)
{
	struct given fake = { .site = s };

	expect(RUN(s, progresses_and_waits, .options = { .on_progress = opens_gate, .context = site_is(s, CALLS) ? &fake : NULL }), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(progress_while_it_runs, BYTES)

/* More than anybody can hear: dropped or heard, in order, and the job is done. */
static int floods(struct brood_job *job)
{
	unsigned number = 0;

	for (int i = 0; i < 20000; i++, number++)
		if (brood_job_progress(job, &number, sizeof number) != 0)
			usleep(10);
	return 0;
}
static void rising(void *context, uint64_t id, const void *data, size_t size)
{
	struct heard *h = heard_of(((struct given *)context)->site->stage);
	int number;

	(void)id;
	CHECK_EQ(size, sizeof number);
	memcpy(&number, data, sizeof number);
	CHECK_GE(number, atomic_load(&h->count));
	atomic_store(&h->count, number + 1);
}
static void progress_flood(struct site *s)
{
	struct given fake = { .site = s };

	atomic_store(&heard_of(s->stage)->count, 0);
	expect(RUN(s, floods, .options = { .on_progress = rising, .context = site_is(s, CALLS) ? &fake : NULL }), BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GT(atomic_load(&heard_of(s->stage)->count), 0);
	site_well(s);
}
CASE(progress_flood, BYTES)

/* ---- log lines ---- */

#define LINES 4096
static struct { _Atomic uint64_t job; atomic_uint lines; } heard_lines[LINES];
static atomic_uint *lines_of(uint64_t job)
{
	for (unsigned i = 0; i < LINES; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&heard_lines[i].job, &none, job) || none == job)
			return &heard_lines[i].lines;
	}
	FAIL("more jobs than there is room for");
}
static void counts_lines(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->event != BROOD_EVENT_JOB_LOG)
		return;
	CHECK_STR(log->text, "a line of 7");
	CHECK_EQ(log->level, BROOD_NOTICE);
	CHECK_GT(log->pid, 0);
	CHECK_NE(log->job, 0);
	atomic_fetch_add(lines_of(log->job), 1);
}
static int logs(struct brood_job *job)
{
	for (int i = 0; i < 3; i++)
		if (brood_job_log(job, BROOD_NOTICE, "a line of %d\n", 7) != 0)
			return 1;
	return 0;
}
static void log_lines(struct site *s)
{
	for (int i = 0; i < 3; i++) {
		struct given *g = RUN(s, logs);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 && atomic_load(lines_of(g->v.id)) == 3, 20000));
	}
}
CASE(log_lines, EVERYWHERE, .log = counts_lines)

/* ---- plugins ---- */

static char plugin_path[4200];
static void __attribute__((constructor)) find_plugin(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	path[n > 0 ? n : 0] = '\0';
	if (strrchr(path, '/'))
		*strrchr(path, '/') = '\0';
	snprintf(plugin_path, sizeof plugin_path, "%s/conformance-plugin.so", path);
}

static struct given *run_plugin(struct site *s, const char *path, const char *symbol, const void *request, size_t size)
{
	return finish(give(s, &(struct what){ .name = "a plugin's", .request = request, .size = size, .number = 33, .options = { .plugin = path, .symbol = symbol } }));
}

static void plugins(struct site *s)
{
	struct given *g;

	CHECK_EQ(access(plugin_path, R_OK), 0);
	for (int i = 1; i <= 3; i++) {
		g = run_plugin(s, plugin_path, "plugin_upper", "bytes", 5);
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->reply_size, 5);
		CHECK_MEM(g->reply, "BYTES", 5);
		CHECK_EQ(g->v.left, 0);
		g = run_plugin(s, plugin_path, "plugin_code", NULL, 0);
		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, 33);               /* its argument stands before the plugin's names */
		g = run_plugin(s, plugin_path, "plugin_counts", NULL, 0);
		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, i);                /* it stays open */
	}
	g = run_plugin(s, plugin_path, "plugin_that_is_none", NULL, 0);
	expect(g, BROOD_REFUSED, BROOD_DETAIL_PLUGIN);
	CHECK_EQ(g->v.started, 0);
	g = run_plugin(s, "/nowhere/no-plugin.so", "plugin_code", NULL, 0);
	expect(g, BROOD_REFUSED, BROOD_DETAIL_PLUGIN);
	CHECK_EQ(g->v.started, 0);
	site_well(s);
	CHECK_EQ(pool_stats(s->brood).died, 0);
}
CASE(plugins, EVERYWHERE | FRESH, .workers = 1)

static void plugins_of_many(struct site *s)
{
	for (int i = 0; i < 20; i++) {
		struct given *g = run_plugin(s, plugin_path, "plugin_upper", "bytes", 5);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_MEM(g->reply, "BYTES", 5);
		CHECK_EQ(g->v.left, 0);
	}
}
CASE(plugins_of_many, EVERYWHERE)

/* ---- nothing leaks ---- */

static void some_of_all(struct site *s)
{
	static char large[200000];
	int fds[3] = { make_file(1000), make_file(1001), make_file(1002) };
	struct reply_fds got = { .count = 0 };

	for (int i = 0; i < 5; i++) {
		site_well(s);
		expect(RUN(s, job_echo, .request = large, .size = sizeof large), BROOD_DONE, BROOD_DETAIL_NONE);
		expect(RUN(s, reads_fds, .number = 3, .options = { .fds = fds, .fds_count = 3 }), BROOD_DONE, BROOD_DETAIL_NONE);
		expect(RUN(s, job_raises, .number = SIGSEGV, .options = { .fds = fds, .fds_count = 3 }), BROOD_CRASHED, BROOD_DETAIL_NONE);
		if (!site_is(s, BYTES))
			continue;
		expect(ask_fds(s, 3, &got), BROOD_DONE, BROOD_DETAIL_NONE);
		check_fds(&got, 3);
		expect(ask_fds(s, 903, &got), BROOD_CRASHED, BROOD_DETAIL_NONE);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static int supervisor_fds(void) { return proc_fds(proc_supervisor()); }

static bool settled(struct site *s)
{
	struct brood_stats stats;

	brood_dispatch(s->brood);
	stats = pool_stats(s->brood);
	return stats.leased == 0 && stats.idle == stats.workers;
}

static void no_leaks(struct site *s)
{
	int engine, supervisor;
	char list[4096];

	some_of_all(s);
	s->lease = brood_lease_end(s->lease);
	CHECK(WAIT_UNTIL(settled(s), 20000));
	engine = proc_own_fds();
	supervisor = supervisor_fds();
	for (int i = 0; i < 4; i++)
		some_of_all(s);
	s->lease = brood_lease_end(s->lease);
	CHECK(WAIT_UNTIL(settled(s), 20000));
	CHECK_MSG(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 && proc_own_fds() <= engine, 5000), "%s: %d fds, then %d:\n%s", way_names[s->way], engine, proc_own_fds(),
	          proc_fd_list(getpid(), list, sizeof list));
	CHECK_MSG(WAIT_UNTIL(supervisor_fds() <= supervisor, 5000), "%s: %d fds in the supervisor, then %d", way_names[s->way], supervisor, supervisor_fds());
}
CASE(no_leaks, EVERYWHERE | ALONE, .workers = 2, .lease_idle_ms = 50)
