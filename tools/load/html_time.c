/* SPDX-License-Identifier: MIT */
/*
 * html_time.c - the charts that share the axis of time: rate, latency, what did not end well, and
 * the pool. All of them have the marks of what was done to the pool, so that cause and effect stand
 * above each other.
 */
#include "html_report.h"
#include "pace.h"

#include <math.h>
#include <stdlib.h>

#define POINTS 240 /* at most, of a line */

struct columns { /* a figure for each slice */
	double x[POINTS];
	double zero[POINTS];
	double planned[POINTS], ended[POINTS];
	double p50[POINTS], p99[POINTS], max[POINTS];
	double outcome[BROOD_OUTCOMES][POINTS]; /* each on top of those before; not BROOD_DONE */
	double busy[POINTS], ready[POINTS], least[POINTS], there[POINTS], wanted[POINTS];
	double died[POINTS];
};

struct over_time {
	const struct findings *findings;
	struct series_view view;
	struct html_mark *mark;
	struct html_marks marks; /* the same */
	struct columns *columns;
};

/* ---- marks ----------------------------------------------------------------------------------- */

static bool read_marks(struct over_time *t)
{
	const struct tally *tally = t->findings->tally;
	uint32_t count = atomic_load(&tally->judge.marks_count);
	uint64_t start = atomic_load(&tally->engine.run_start_ns);
	struct html_mark *mark;

	count = count < CHAOS_MARKS_MAX ? count : CHAOS_MARKS_MAX;
	mark = calloc(count + 1u, sizeof *mark);
	for (uint32_t i = 0; i < count && mark; i++) {
		const struct chaos_mark *m = &tally->judge.marks[i];
		uint64_t at = m->at_ns > start ? m->at_ns - start : 0;
		uint64_t until = m->until_ns == UINT64_MAX ? t->view.elapsed_ns
			: m->until_ns > start              ? m->until_ns - start
							   : 0;

		mark[i] = (struct html_mark){ .from = (double)at / (double)NS_S,
			.to = (double)until / (double)NS_S,
			.kind = m->kind };
	}
	t->mark = mark;
	t->marks = (struct html_marks){ mark, count };
	return mark;
}

/* What the colours of the marks mean. */
static void marks_key(FILE *file, const struct html_marks *marks, bool warm)
{
	if (!marks->count && !warm)
		return;
	fputs("<p class=\"sub\">", file);
	if (warm)
		fputs("<span class=\"key c7\"><i></i>warm-up, left out of all figures</span> ",
			file);
	for (unsigned kind = 0; kind < CHAOS_KINDS; kind++) {
		unsigned count = 0;

		for (unsigned i = 0; i < marks->count; i++)
			count += marks->mark[i].kind == kind;
		if (!count)
			continue;
		fprintf(file, "<span class=\"key m%u\"><i></i>", html_mark_style(kind));
		html_text(file, chaos_name(kind));
		fprintf(file, " &times; %u</span> ", count);
	}
	fputs("</p>\n", file);
}

/* ---- columns --------------------------------------------------------------------------------- */

static void fill_jobs(struct over_time *t, unsigned i)
{
	const struct series_slice *slice = &t->view.slice[i];
	const struct pace_plan *plan = &t->findings->options->pacing.plan;
	double begin = (double)i * (double)t->view.width_ns / (double)NS_S;
	double seconds = series_seconds(&t->view, i), sum = 0;
	struct columns *c = t->columns;

	c->x[i] = begin + seconds / 2;
	c->planned[i] = (pace_jobs(plan, begin + seconds) - pace_jobs(plan, begin)) / seconds;
	c->ended[i] = (double)series_verdicts(slice) / seconds;
	c->p50[i] = series_quantile(slice->latency, slice->max_ns, 0.5);
	c->p99[i] = series_quantile(slice->latency, slice->max_ns, 0.99);
	c->max[i] = (double)slice->max_ns;
	if (!slice->max_ns)
		c->p50[i] = c->p99[i] = c->max[i] = NAN;
	for (unsigned v = BROOD_DONE + 1; v < BROOD_OUTCOMES; v++) {
		sum += slice->outcomes[v] / seconds;
		c->outcome[v][i] = sum;
	}
}

static void fill_pool(struct over_time *t, unsigned i, uint64_t *inout_died)
{
	uint64_t from = i * t->view.width_ns;
	struct columns *c = t->columns;
	struct series_sample s;

	c->busy[i] = c->ready[i] = c->least[i] = c->there[i] = c->wanted[i] = NAN;
	c->died[i] = 0;
	if (!series_pool_look(t->findings->tally->engine.pool, from, from + t->view.width_ns, &s))
		return;
	c->busy[i] = s.busy;
	c->ready[i] = s.ready;
	c->least[i] = s.ready_least;
	c->there[i] = s.ready + s.starting;
	c->wanted[i] = s.workers;
	c->died[i] = (double)(s.died - *inout_died) / series_seconds(&t->view, i);
	*inout_died = s.died;
}

/* ---- charts ---------------------------------------------------------------------------------- */

static void show(FILE *file, const struct over_time *t, struct html_chart *chart)
{
	chart->x_to = (double)t->view.elapsed_ns / (double)NS_S;
	chart->x = t->columns->x;
	chart->count = t->view.count;
	chart->marks = &t->marks;
	chart->warm = (double)findings_warm_ns(t->findings) / (double)NS_S;
	html_fit(chart);
	html_chart(file, chart);
}

static void show_rate(FILE *file, const struct over_time *t)
{
	const struct columns *c = t->columns;
	const struct html_line lines[] = {
		{ .name = "ended", .style = "c1", .y = c->ended, .base = c->zero },
		{ .name = "planned", .style = "c7", .y = c->planned, .dashed = true },
	};
	struct html_chart chart = { .title = "Jobs a second",
		.unit = UNIT_RATE,
		.rows = 15,
		.lines = lines,
		.lines_count = COUNT_OF(lines) };

	/* in a closed loop there is no plan */
	if (t->findings->options->pacing.plan.stages == 0)
		chart.lines_count--;
	show(file, t, &chart);
}

static void show_latency(FILE *file, const struct over_time *t)
{
	const struct columns *c = t->columns;
	const struct html_line lines[] = {
		{ .name = "slowest", .style = "c7", .y = c->max },
		{ .name = "p99", .style = "c3", .y = c->p99 },
		{ .name = "p50", .style = "c1", .y = c->p50 },
	};
	struct html_chart chart = { .title = "Latency",
		.unit = UNIT_TIME,
		.log = true,
		.rows = 17,
		.lines = lines,
		.lines_count = COUNT_OF(lines) };

	show(file, t, &chart);
}

static void show_ends(FILE *file, const struct over_time *t)
{
	static const char *const styles[BROOD_OUTCOMES] = { [BROOD_FAILED] = "c5",
		[BROOD_CRASHED] = "cbad",
		[BROOD_EXITED] = "c3",
		[BROOD_TIMED_OUT] = "c2",
		[BROOD_CANCELLED] = "c7",
		[BROOD_REFUSED] = "c6",
		[BROOD_LOST] = "c1" };
	struct html_line lines[BROOD_OUTCOMES];
	struct html_chart chart = { .title = "Jobs a second that did not end well",
		.unit = UNIT_RATE,
		.rows = 9,
		.lines = lines };
	const double *base = t->columns->zero;

	for (unsigned v = BROOD_DONE + 1; v < BROOD_OUTCOMES; v++) {
		if (!t->findings->totals.outcomes[v])
			continue;
		lines[chart.lines_count++] = (struct html_line){ .name = brood_outcome_name(
									 (enum brood_outcome)v),
			.style = styles[v],
			.y = t->columns->outcome[v],
			.base = base };
		base = t->columns->outcome[v];
	}
	if (chart.lines_count)
		show(file, t, &chart);
}

static void show_pool(FILE *file, const struct over_time *t)
{
	const struct columns *c = t->columns;
	const struct html_line lines[] = {
		{ .name = "busy", .style = "c4", .y = c->busy, .base = c->zero },
		{ .name = "idle", .style = "c6", .y = c->ready, .base = c->busy },
		{ .name = "starting", .style = "c5", .y = c->there, .base = c->ready },
		{ .name = "fewest ready", .style = "cbad", .y = c->least },
		{ .name = "size of the pool", .style = "c7", .y = c->wanted, .dashed = true },
	};
	struct html_chart chart = { .title = "Workers",
		.unit = UNIT_COUNT,
		.rows = 12,
		.lines = lines,
		.lines_count = COUNT_OF(lines) };

	show(file, t, &chart);
}

static void show_deaths(FILE *file, const struct over_time *t)
{
	const struct html_line lines[] = {
		{ .name = "died", .style = "cbad", .y = t->columns->died, .base = t->columns->zero }
	};
	struct html_chart chart = { .title = "Deaths of workers a second",
		.unit = UNIT_RATE,
		.rows = 7,
		.lines = lines,
		.lines_count = COUNT_OF(lines) };

	if (t->findings->tally->engine.stats.died)
		show(file, t, &chart);
}

/* Not for a peer, which has no pool of this library. */
static void show_workers(FILE *file, const struct over_time *t)
{
	if (t->findings->options->way >= WAY_FORK)
		return;
	html_section(file, "pool", "The pool", NULL);
	show_pool(file, t);
	show_deaths(file, t);
	html_workers(file, t->findings);
	html_section_end(file);
}

void html_over_time(FILE *file, const struct findings *f)
{
	struct over_time t = { .findings = f };
	uint64_t died = 0;

	if (!findings_view(f, POINTS, &t.view))
		return;
	t.columns = calloc(1, sizeof *t.columns);
	/* A short rest of a slice would show rates of very few jobs. */
	if (t.view.count > 1 &&
		series_seconds(&t.view, t.view.count - 1) * 2 < series_seconds(&t.view, 0))
		t.view.count--;
	if (t.columns && read_marks(&t)) {
		for (unsigned i = 0; i < t.view.count; i++) {
			fill_jobs(&t, i);
			fill_pool(&t, i, &died);
		}
		html_section(file, "time", "Over time", NULL);
		marks_key(file, &t.marks, findings_warm_ns(f) > 0);
		show_rate(file, &t);
		show_latency(file, &t);
		show_ends(file, &t);
		html_section_end(file);
		show_workers(file, &t);
	}
	free(t.mark);
	free(t.columns);
	series_view_free(&t.view);
}
