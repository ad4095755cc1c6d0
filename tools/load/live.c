/* SPDX-License-Identifier: MIT */
/* live.c - looks into the tally and at the terminal. live_text.c makes the lines. */
#include "live.h"
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EVERY_NS (250 * NS_MS)

static struct {
	bool shown;
	uint64_t start_ns, last_ns, verdicts;
	uint32_t latency[SERIES_BUCKETS];
	struct live_view view;
} live;

static bool is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

uint64_t live_every_ns(void) { return is_terminal() ? EVERY_NS : 1000000 * NS_S; }

/* As the locale's names say it. The program itself keeps to the locale C. */
static bool has_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static void look_at_terminal(struct live_view *v)
{
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size = { 0 };

	v->columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
										     : 80;
	v->colour = !(no_colour && *no_colour);
	v->utf8 = has_utf8();
}

static void count(const struct tally *t, uint64_t *ret_submitted, uint64_t *ret_verdicts)
{
	*ret_submitted = *ret_verdicts = 0;
	for (unsigned s = 0; s < t->shards; s++) {
		for (unsigned k = 0; k < KINDS; k++) {
			*ret_submitted += t->shard[s].submitted[k];
			for (unsigned v = 0; v < BROOD_OUTCOMES; v++)
				*ret_verdicts += t->shard[s].verdicts[k][v];
		}
	}
}

static void push(double *values, unsigned count, double value)
{
	if (count == LIVE_HISTORY)
		memmove(values, values + 1, (LIVE_HISTORY - 1) * sizeof *values);
	values[count < LIVE_HISTORY ? count : LIVE_HISTORY - 1] = value;
}

/* The latencies since the last look are the difference of the sums. */
static void look_at_latencies(const struct tally *t, struct live_view *v)
{
	uint32_t sums[SERIES_BUCKETS] = { 0 }, since[SERIES_BUCKETS];

	for (unsigned s = 0; s < t->shards; s++)
		series_add_all(t->shard[s].series, sums);
	for (unsigned i = 0; i < SERIES_BUCKETS; i++)
		since[i] = sums[i] - live.latency[i];
	memcpy(live.latency, sums, sizeof sums);
	v->p50_ns = series_quantile(since, 0, 0.5);
	v->p99_ns = series_quantile(since, 0, 0.99);
}

static void look_at_pool(const struct tally *t, struct live_view *v)
{
	const struct brood_stats stats = t->engine.stats;

	v->workers = stats.workers;
	v->busy = stats.busy;
	v->idle = stats.idle;
	v->starting = stats.starting;
	v->queued = stats.queued;
	v->died = stats.died;
}

static void look(const struct tally *t, uint64_t now)
{
	struct live_view *v = &live.view;
	uint64_t submitted, verdicts, since;

	count(t, &submitted, &verdicts);
	since = now - live.last_ns;
	v->seconds = (double)(now - live.start_ns) / (double)NS_S;
	v->rate = since ? (double)(verdicts - live.verdicts) * (double)NS_S / (double)since : 0;
	v->verdicts = verdicts;
	v->out = submitted > verdicts ? submitted - verdicts : 0;
	look_at_latencies(t, v);
	push(v->rates, v->history, v->rate);
	push(v->p99s, v->history, v->p99_ns);
	v->history += v->history < LIVE_HISTORY;
	live.verdicts = verdicts;
	live.last_ns = now;
}

void live_show(const struct tally *t, uint64_t killed)
{
	uint64_t start = atomic_load(&t->engine.run_start_ns), now = load_now();
	char text[LIVE_ROOM];

	if (!is_terminal() || !start)
		return;
	if (live.start_ns != start) { /* another run */
		memset(&live, 0, sizeof live);
		live.start_ns = live.last_ns = start;
	}
	look(t, now);
	look_at_pool(t, &live.view);
	live.view.killed = killed;
	look_at_terminal(&live.view);
	live_text(&live.view, text);
	if (live.shown)
		fprintf(stderr, "\r\033[%dA", LIVE_LINES - 1);
	fprintf(stderr, "\033[J%s", text);
	fflush(stderr);
	live.shown = true;
}

void live_end(void)
{
	if (live.shown)
		fprintf(stderr, "\r\033[%dA\033[J", LIVE_LINES - 1);
	fflush(stderr);
	live.shown = false;
}
