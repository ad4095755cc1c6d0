/* SPDX-License-Identifier: MIT */
/*
 * zoo.c - a program with Brood that does what it is told, line by line, and says what is true of
 * itself. It answers each line with lines, the last of which is ".".
 *
 *   zoo WORKERS [TITLE [CONTROL_PATH [term]]]     term: SIGTERM is a "stop"
 *     stuck KIND handoff|lease    gives a job that waits for ever: futex, mutex, read, poll, sleep,
 *                                 pause, loop, vfork; or one that no look from outside gets
 *                                 frames of: blocks, urgent, faults, exec. Answer: its id. Its
 *                                 tag: KIND-PATH
 *     tag HEX                     a job that waits, with that tag
 *     hold                        a job that waits for ever, of a handle: brood_stop() leaves it to
 *                                 the supervisor
 *     run done|fail|crash|exit N  calls N jobs
 *     stats                       counters of brood_stats(), NAME VALUE
 *     metrics                     brood_metrics()
 *     reload                      a reload, to its end
 *     resize N                    another number of workers
 *     ended                       ID OUTCOME/DETAIL of each stuck job that has ended meanwhile
 *     shy                         from now on worker_init fails in new workers
 *     cancel                      all jobs that wait
 *     deaf                        from now on SIGTERM does nothing
 *     exit                        exit(), without brood_stop()
 *     stop                        brood_stop(), and the end
 *
 * While the folder has a file "hang", worker_init does not return.
 */
#define _GNU_SOURCE
#include <brood.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STUCK_MAX 128

static struct brood *brood;
static uint64_t stuck[STUCK_MAX];
static int stuck_count;
static char ended[STUCK_MAX][96];
static int ended_count;
static volatile sig_atomic_t stop_asked;

/* ---- jobs ---- */

static void wait_in_futex(void)
{
	int word = 0;

	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void wait_in_mutex(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&mutex);
}

static void wait_in_read(void)
{
	int ends[2];
	char byte;

	if (pipe(ends) == 0)
		while (read(ends[0], &byte, 1) < 0)
			;
}

static void wait_in_poll(void)
{
	for (;;)
		poll(NULL, 0, -1);
}

static void wait_in_sleep(void)
{
	const struct timespec day = { 86400, 0 };

	for (;;)
		nanosleep(&day, NULL);
}

static void wait_in_pause(void)
{
	for (;;)
		pause();
}

static void wait_in_loop(void)
{
	for (volatile int i = 0;; i++)
		;
}

/* The parent of a vfork() waits in state D, as for a disk. */
static void wait_in_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		for (;;)
			pause();
}

/* ---- jobs that cannot be looked at ---- */

static void on_signal(int sig) { (void)sig; }

static void handle(int sig)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(sig, &action, NULL);
}

static void wait_blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	sigprocmask(SIG_BLOCK, &set, NULL);
	wait_in_pause();
}

static void wait_with_urgent(void)
{
	handle(SIGURG);
	wait_in_pause();
}

static void wait_with_faults(void)
{
	handle(SIGSEGV);
	wait_in_pause();
}

static void become_another(void) { execlp("sleep", "sleep", "86400", NULL); }

static int init(void *context)
{
	struct brood_init_data data = { .size = sizeof data };

	(void)context;
	if (access("hang", F_OK) == 0)
		wait_in_pause();
	return brood_get_init_data(&data) == 0 && data.data_size > 0 ? 3 : 0;
}

static const struct kind {
	const char *name;
	void (*wait)(void);
} kinds[] = {
	{ "futex", wait_in_futex },
	{ "mutex", wait_in_mutex },
	{ "read", wait_in_read },
	{ "poll", wait_in_poll },
	{ "sleep", wait_in_sleep },
	{ "pause", wait_in_pause },
	{ "loop", wait_in_loop },
	{ "vfork", wait_in_vfork },
	{ "blocks", wait_blocked },
	{ "urgent", wait_with_urgent },
	{ "faults", wait_with_faults },
	{ "exec", become_another },
};

static int get_stuck(struct brood_job *job)
{
	size_t size;
	const char *name = brood_job_arg(job, &size);

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].name, name) == 0)
			kinds[i].wait();
	return 1;
}

static int act(struct brood_job *job)
{
	size_t size;
	const char *name = brood_job_arg(job, &size);

	if (strcmp(name, "crash") == 0) {
		if (getenv("ZOO_LINES"))
			fputs("reading the map\nno map: \033[31mgiving up\n", stderr);
		raise(SIGSEGV);
	}
	if (strcmp(name, "exit") == 0)
		exit(3);
	return strcmp(name, "done") == 0 ? 0 : 7;
}

/* ---- commands ---- */

/* A job may end at any time, but the zoo says only what it is asked. */
static void note_end(void *context, const struct brood_result *result)
{
	const struct brood_verdict *v = &result->verdict;

	(void)context;
	if (ended_count < STUCK_MAX)
		snprintf(ended[ended_count++], sizeof ended[0], "%llu %s/%s",
			(unsigned long long)v->id, brood_outcome_name(v->outcome),
			brood_detail_name(v->detail));
}

static void tell_ended(void)
{
	for (int i = 0; i < ended_count; i++)
		puts(ended[i]);
	ended_count = 0;
}

static void give(const char *kind, const char *tag, uint32_t path)
{
	struct brood_job_options options = { .size = sizeof options,
		.run_ms = BROOD_FOREVER,
		.arg = kind,
		.arg_size = strlen(kind) + 1,
		.dispatch = path,
		.on_done = note_end,
		.tag = tag };
	int r = brood_submit(brood, get_stuck, NULL, 0, &options, &stuck[stuck_count]);

	if (r < 0)
		printf("error %s\n", brood_error());
	else
		printf("%llu\n", (unsigned long long)stuck[stuck_count++]);
}

static void give_tag(const char *hex)
{
	char tag[64] = "";
	unsigned byte;

	for (size_t i = 0; i < sizeof tag - 1 && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
		tag[i] = (char)byte;
	give("pause", tag, BROOD_PATH_HANDOFF);
}

static void hold(void)
{
	struct brood_job_options options = { .size = sizeof options,
		.run_ms = BROOD_FOREVER,
		.arg = "pause",
		.arg_size = sizeof "pause",
		.dispatch = BROOD_PATH_HANDOFF };
	struct brood_handle *handle;
	int fd;

	if (brood_open(brood, get_stuck, &options, &fd, &handle) < 0)
		printf("error %s\n", brood_error());
}

static void run(const char *kind, int count)
{
	struct brood_job_options options = {
		.size = sizeof options, .arg = kind, .arg_size = strlen(kind) + 1
	};

	for (int i = 0; i < count; i++) {
		struct brood_verdict verdict;
		char reply[8];

		brood_call(brood, act, NULL, 0, reply, sizeof reply, &options, &verdict);
	}
}

static void stats(void)
{
	struct brood_stats s = { .size = sizeof s };

	brood_stats(brood, &s);
	for (int i = 1; i < BROOD_OUTCOMES; i++)
		printf("%s %llu\n", brood_outcome_name((enum brood_outcome)i),
			(unsigned long long)s.verdicts[i]);
	printf("died %llu\nspawned %llu\nready %u\nworkers %u\n", (unsigned long long)s.died,
		(unsigned long long)s.spawned, s.ready, s.workers);
}

static void metrics(void)
{
	static char text[1 << 20];
	char small[100];
	ssize_t need = brood_metrics(brood, NULL, 0), n = brood_metrics(brood, text, sizeof text);

	if (n < 0 || need <= n || brood_metrics(brood, small, sizeof small) != -ENOSPC ||
		brood_metrics(brood, NULL, 1) != -EINVAL || text[n] != '\0')
		puts("error");
	fputs(text, stdout);
}

static void reload(void)
{
	uint64_t id;

	if (brood_reload(brood, NULL, &id) < 0 || brood_reload_wait(brood, id, 20000) < 0)
		printf("error %s\n", brood_error());
}

static void cancel(void)
{
	while (stuck_count > 0)
		brood_cancel(brood, stuck[--stuck_count]);
}

static void hear(int sig) { (void)sig; }

static void command(const char *line)
{
	char word[16] = "", first[160] = "", second[16] = "";

	sscanf(line, "%15s %159s %15s", word, first, second);
	if (strcmp(word, "stuck") == 0) {
		char tag[64];

		snprintf(tag, sizeof tag, "%.20s-%s", first, second);
		give(first, tag, second[0] == 'l' ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF);
	} else if (strcmp(word, "tag") == 0) {
		give_tag(first);
	} else if (strcmp(word, "hold") == 0) {
		hold();
	} else if (strcmp(word, "run") == 0) {
		run(first, atoi(second));
	} else if (strcmp(word, "stats") == 0) {
		stats();
	} else if (strcmp(word, "metrics") == 0) {
		metrics();
	} else if (strcmp(word, "reload") == 0) {
		reload();
	} else if (strcmp(word, "resize") == 0) {
		brood_pool_resize(
			brood_pool(brood, NULL), (uint32_t)atoi(first), (uint32_t)atoi(first));
	} else if (strcmp(word, "ended") == 0) {
		tell_ended();
	} else if (strcmp(word, "shy") == 0) {
		brood_set_init_data(brood, "no", 2, NULL, 0);
	} else if (strcmp(word, "cancel") == 0) {
		cancel();
	} else if (strcmp(word, "deaf") == 0) {
		signal(SIGTERM, hear);
	} else if (strcmp(word, "exit") == 0) {
		exit(0);
	} else {
		puts("error");
	}
}

/* Jobs go on to workers while nothing is asked. False: the end of the input. */
static bool next_line(char *line, size_t size)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = brood_fd(brood), .events = POLLIN } };

	do {
		if (poll(fds, 2, -1) < 0)
			fds[0].revents = fds[1].revents = 0;
		if (fds[1].revents)
			brood_dispatch(brood);
		if (stop_asked)
			return false;
	} while (!fds[0].revents);
	return fgets(line, (int)size, stdin) != NULL;
}

static void on_term(int sig)
{
	(void)sig;
	stop_asked = 1;
}

int main(int argc, char **argv)
{
	const struct sigaction stop_action = { .sa_handler = on_term };
	struct brood_options options = { .size = sizeof options,
		.workers = argc > 1 ? (uint32_t)atoi(argv[1]) : 4,
		.title = argc > 2 ? argv[2] : NULL,
		.control_path = argc > 3 ? argv[3] : NULL,
		.worker_init = init,
		.stderr_lines = getenv("ZOO_LINES") ? 20 : 0,
		.init_ms = 600000,
		.drain_ms = 60000,
		.stop_ms = 5000 };
	char line[256];

	if (argc > 4 && strcmp(argv[4], "term") == 0)
		sigaction(SIGTERM, &stop_action, NULL);
	if (brood_start(&options, &brood) < 0 || brood_wait_ready(brood, 30000) < 0)
		return fprintf(stderr, "zoo: %s\n", brood_error()), 1;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	printf("%d\n.\n", (int)getppid());
	fflush(stdout);
	setvbuf(stdin, NULL, _IONBF, 0);
	while (next_line(line, sizeof line) && strncmp(line, "stop", 4) != 0) {
		command(line);
		puts(".");
		fflush(stdout);
	}
	return brood_stop(brood) < 0;
}
