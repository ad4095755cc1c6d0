/* SPDX-License-Identifier: MIT */
/*
 * run.c - runs a group: makes its stations, measures them in turn, round after round, and ends
 * them. A station that does not answer in time is killed. All processes that it made die with it,
 * because it is their supervisor or their parent.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_S  300 /* enough for the births of thousands of workers */
#define BLOCK_S 120
#define END_S   60

struct station {
	pid_t pid;
	int command_fd, answer_fd;
};

static void be_station(const struct station_config *config, pid_t parent) __attribute__((noreturn));
static void be_station(const struct station_config *config, pid_t parent)
{
	int low = config->command_fd < config->answer_fd ? config->command_fd : config->answer_fd;
	int high = config->command_fd < config->answer_fd ? config->answer_fd : config->command_fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (low > 3)
		close_range(3, (unsigned)low - 1, 0); /* the fds of other stations */
	if (high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0u, 0);
	station_run(config);
}

static bool station_begin(struct station *s, struct station_config *config)
{
	int commands[2], answers[2];
	pid_t parent = getpid();

	if (pipe(commands) < 0 || pipe(answers) < 0)
		return false;
	/* Empties stdio's buffers, which the station would otherwise write a second time. */
	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0)
		return false;
	if (!s->pid) {
		config->command_fd = commands[0];
		config->answer_fd = answers[1];
		be_station(config, parent);
	}
	close(commands[0]);
	close(answers[1]);
	s->command_fd = commands[1];
	s->answer_fd = answers[0];
	return true;
}

static bool station_hear(struct station *s, int seconds, struct station_answer *ret)
{
	struct pollfd poll_fd = { .fd = s->answer_fd, .events = POLLIN };
	uint64_t end = now_ns() + (uint64_t)seconds * 1000000000u;
	const char *why = "it died";

	memset(ret, 0, sizeof *ret);
	for (;;) {
		uint64_t now = now_ns();
		int r = now < end ? poll(&poll_fd, 1, (int)((end - now) / 1000000u) + 1) : 0;

		if (r < 0 && errno == EINTR)
			continue;
		if (r > 0 && read(s->answer_fd, ret, sizeof *ret) == (ssize_t)sizeof *ret)
			return ret->state == STATION_READY || ret->state == STATION_BLOCK;
		if (r == 0)
			why = "it did not answer in time";
		break;
	}
	ret->state = STATION_FAILED;
	snprintf(ret->note, sizeof ret->note, "%s", why);
	return false;
}

static void station_end(struct station *s)
{
	uint64_t end = now_ns() + END_S * 1000000000ull;

	if (s->pid <= 0)
		return;
	close(s->command_fd);
	close(s->answer_fd);
	while (waitpid(s->pid, NULL, WNOHANG) == 0) {
		if (now_ns() > end) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
			break;
		}
		poll(NULL, 0, 2);
	}
	s->pid = 0;
}

/* Reads one answer and keeps it. True: the station goes on. */
static bool hear(struct stand *stand, struct station *s, enum mode mode, int seconds,
	struct station_answer *ret)
{
	bool goes_on = station_hear(s, seconds, ret);

	if (*ret->note)
		snprintf(stand->note[mode], sizeof stand->note[mode], "%s", ret->note);
	stand->there[mode] = goes_on;
	if (!goes_on)
		station_end(s);
	return goes_on;
}

static bool open_stations(
	struct group *g, enum mode mode, const struct settings *settings, struct station *stations)
{
	bool failed = false;

	for (uint32_t i = 0; i < g->stands_count; i++) {
		struct stand *stand = &g->stands[i];
		struct station_config config = {
			.stand = stand, .settings = settings, .mode = mode
		};
		struct station_answer answer;

		stand->there[mode] = false;
		if (!stand->wanted)
			continue;
		if (!station_begin(&stations[i], &config)) {
			snprintf(
				stand->note[mode], sizeof stand->note[mode], "%s", strerror(errno));
			failed = true;
			continue;
		}
		if (hear(stand, &stations[i], mode, OPEN_S, &answer))
			stand->jobs[mode] = answer.jobs;
		failed = failed || answer.state == STATION_FAILED;
	}
	return failed;
}

static bool round_trip(struct group *g, enum mode mode, uint32_t round, struct station *stations)
{
	bool failed = false;

	for (uint32_t i = 0; i < g->stands_count; i++) {
		struct stand *stand = &g->stands[i];
		struct station_answer answer;

		if (!stand->there[mode])
			continue;
		if (write(stations[i].command_fd, "", 1) != 1 && errno != EPIPE)
			failed = true;
		if (hear(stand, &stations[i], mode, BLOCK_S, &answer)) {
			for (uint32_t v = 0; v < VALUES_MAX; v++)
				stand->samples[mode][v][round] = answer.values[v];
		}
		failed = failed || answer.state == STATION_FAILED;
	}
	return failed;
}

int group_run(struct group *g, enum mode mode, const struct settings *settings)
{
	struct station stations[STATIONS_MAX] = { 0 };
	uint32_t rounds = g->rounds && g->rounds < settings->rounds ? g->rounds : settings->rounds;
	bool failed = open_stations(g, mode, settings, stations);

	g->measured[mode] = 0;
	for (uint32_t round = 0; round < rounds && !failed; round++) {
		failed = round_trip(g, mode, round, stations);
		if (!failed)
			g->measured[mode]++;
	}
	for (uint32_t i = 0; i < g->stands_count; i++)
		station_end(&stations[i]);
	g->done[mode] = true;
	return failed ? -1 : 0;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static struct figure figure_make(double *values, uint32_t count)
{
	struct figure f = { .there = count > 0 };

	if (!count)
		return f;
	qsort(values, count, sizeof *values, compare);
	f.min = values[0];
	f.max = values[count - 1];
	f.median = (values[count / 2] + values[(count - 1) / 2]) / 2;
	return f;
}

struct figure figure_of(const struct group *g, enum mode mode, struct reading reading)
{
	const struct stand *stand = &g->stands[reading.stand];
	double values[ROUNDS_MAX];

	memcpy(values, stand->samples[mode][reading.value], sizeof values);
	return figure_make(values, stand->there[mode] ? g->measured[mode] : 0);
}

struct figure ratio_of(const struct group *g, enum mode mode, struct reading of, struct reading to)
{
	const struct stand *above = &g->stands[of.stand], *below = &g->stands[to.stand];
	double values[ROUNDS_MAX];
	uint32_t count = above->there[mode] && below->there[mode] ? g->measured[mode] : 0;

	for (uint32_t i = 0; i < count; i++)
		values[i] = above->samples[mode][of.value][i] / below->samples[mode][to.value][i];
	return figure_make(values, count);
}

struct figure bound_figure(const struct group *g, const struct bound *bound)
{
	struct reading of = g->rows[bound->row].of;
	struct figure f = { 0 };

	if (!g->done[bound->mode])
		return f;
	switch (bound->kind) {
	case TIMES_AT_MOST: return ratio_of(g, bound->mode, of, bound->against);
	case TIMES_FASTER: return ratio_of(g, bound->mode, bound->against, of);
	case RATE_AT_LEAST:
		f = figure_of(g, bound->mode, of);
		if (f.there)
			f = (struct figure){ .there = true,
				.median = 1e6 / f.median,
				.min = 1e6 / f.max,
				.max = 1e6 / f.min };
		return f;
	case COUNT_AT_MOST: return figure_of(g, bound->mode, of);
	}
	return f;
}

bool bound_holds(const struct bound *bound, const struct figure *f)
{
	bool most = bound->kind == TIMES_AT_MOST || bound->kind == COUNT_AT_MOST;

	return f->there && (most ? f->median <= bound->limit : f->median >= bound->limit);
}
