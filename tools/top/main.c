/* SPDX-License-Identifier: MIT */
/*
 * brood-top: a brood on the whole screen, while it works. Like brood-ctl it reads the status page
 * and /proc, and asks nothing of the program.
 */
#include "choose.h"
#include "keys.h"
#include "terminal.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ONCE_ROWS 20000               /* not a screen: all workers are shown */
#define ONCE_NS   UINT64_C(200000000) /* rates need two looks */

const char top_help[] =
	"Usage: brood-top [OPTION]... [PID|NAME]\n"
	"Shows what a brood does, live: its pools, and what each worker runs, for how long, and\n"
	"what it waits on. PID: any process of it. NAME: its name. Without both: the only brood\n"
	"of this user.\n"
	"\n"
	"  -d, --delay SEC         looks every SEC seconds, 0.1 to 60 (default: 1)\n"
	"      --pool NAME|NUMBER  one pool alone\n"
	"      --sort time|slot|jobs|function   (default: time)\n"
	"      --filter TEXT       workers with TEXT in function, tag, state, pool, slot or pid\n"
	"      --once              writes one frame and ends, as it does if standard output is no\n"
	"                          terminal\n"
	"  -h, --help    -V, --version\n"
	"\n"
	"Keys: ? lists them. With NO_COLOR in the environment there are no colours.\n"
	"\n"
	"Exit code: 0: fine; 2: wrong usage; 3: no such brood or pool; 4: another user's; 5: "
	"several\n"
	"broods are meant; 6: the page cannot be read, or the output not be written.\n";

struct options {
	const char *brood, *pool;
	bool once;
};

static int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(int code, const char *format, ...)
{
	va_list args;

	fputs("brood-top: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(code == CHOOSE_USAGE ? "\nTry: brood-top --help\n" : "\n", stderr);
	return code;
}

/* ---- the command line ---- */

enum { OPTION_POOL = 256, OPTION_SORT, OPTION_FILTER, OPTION_ONCE };

static const struct option longs[] = {
	{ "delay", required_argument, NULL, 'd' },
	{ "pool", required_argument, NULL, OPTION_POOL },
	{ "sort", required_argument, NULL, OPTION_SORT },
	{ "filter", required_argument, NULL, OPTION_FILTER },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static bool parse_delay(const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < 0.1 || value > 60)
		return false;
	*ret = value;
	return true;
}

static bool parse_sort(const char *text, enum rows_sort *ret)
{
	for (int i = 0; i < ROWS_SORTS; i++)
		if (strcmp(rows_sort_name((enum rows_sort)i), text) == 0) {
			*ret = (enum rows_sort)i;
			return true;
		}
	return false;
}

/* 0: go on; -1: help or version was printed; or an exit code. */
static int parse_one(int option, const char *last, struct options *o, struct view *view)
{
	switch (option) {
	case 'd':
		return parse_delay(optarg, &view->delay_s)
			? 0
			: fail(CHOOSE_USAGE, "--delay wants 0.1 to 60 seconds, not \"%s\"", optarg);
	case OPTION_SORT:
		return parse_sort(optarg, &view->choice.sort)
			? 0
			: fail(CHOOSE_USAGE,
				  "--sort wants time, slot, jobs or function, not \"%s\"", optarg);
	case OPTION_POOL: o->pool = optarg; return 0;
	case OPTION_FILTER: snprintf(view->filter, sizeof view->filter, "%s", optarg); return 0;
	case OPTION_ONCE: o->once = true; return 0;
	case 'h': fputs(top_help, stdout); return -1;
	case 'V': puts("brood-top " BROOD_VERSION_TEXT); return -1;
	case ':': return fail(CHOOSE_USAGE, "%s wants a value", last);
	default: return fail(CHOOSE_USAGE, "there is no option %s", last);
	}
}

static int parse(int argc, char **argv, struct options *o, struct view *view)
{
	int option, code = 0;

	opterr = 0;
	while (code == 0 && (option = getopt_long(argc, argv, ":d:hV", longs, NULL)) != -1)
		code = parse_one(option, argv[optind - 1], o, view);
	if (code == 0 && optind < argc)
		o->brood = argv[optind++];
	if (code == 0 && optind < argc)
		code = fail(CHOOSE_USAGE, "\"%s\" is one brood too many", argv[optind]);
	return code;
}

/* ---- frames ---- */

struct top {
	struct samples samples;
	struct rows rows;
	struct view view;
	struct canvas canvas;
};

/* It knows the sequences of a screen. */
static bool is_screen(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

static enum canvas_style style(void)
{
	const char *no_colour = getenv("NO_COLOR");

	if (!is_screen())
		return CANVAS_BARE;
	return no_colour && *no_colour ? CANVAS_PLAIN : CANVAS_COLOURS;
}

/* Takes the next look. False: no memory. */
static bool look_again(struct top *top)
{
	return samples_next(&top->samples) == 0 && rows_read(&top->rows, &top->samples.look);
}

/* False: it could not be written. */
static bool show(struct top *top, unsigned columns, unsigned rows)
{
	canvas_begin(&top->canvas, columns, rows);
	rows_fill(&top->rows, &top->samples.look, &top->view.choice);
	draw_frame(&top->canvas, &top->samples, &top->rows, &top->view);
	return top->canvas.text && terminal_write(top->canvas.text, top->canvas.length);
}

static int once(struct top *top)
{
	const struct timespec pause = { 0, (long)ONCE_NS };
	unsigned columns = 132, rows = ONCE_ROWS;

	if (isatty(STDOUT_FILENO))
		rows = 24;
	terminal_size(&columns, &rows);
	/* a first frame, for nobody: CPU is told of rows that were looked at before */
	if (look_again(top)) {
		canvas_begin(&top->canvas, columns, rows);
		rows_fill(&top->rows, &top->samples.look, &top->view.choice);
		draw_frame(&top->canvas, &top->samples, &top->rows, &top->view);
	}
	nanosleep(&pause, NULL);
	if (!look_again(top))
		return fail(CHOOSE_TROUBLE, "there is no memory");
	return show(top, columns, rows) ? 0 : fail(CHOOSE_TROUBLE, "the frame cannot be written");
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int live(struct top *top)
{
	uint64_t next = now_ns();
	unsigned columns = 80, rows = 24;
	bool fine = true, stay = true;
	int r = terminal_enter();

	if (r < 0)
		return fail(CHOOSE_TROUBLE, "the terminal: %s", strerror(-r));
	top->view.live = top->canvas.screen = true;
	while (stay && fine) {
		uint64_t now = now_ns();
		char keys[256];
		size_t n;

		if (now >= next) {
			fine = top->view.paused || look_again(top);
			next = now + (uint64_t)(top->view.delay_s * 1e9);
		}
		terminal_size(&columns, &rows);
		fine = fine && show(top, columns, rows);
		now = now_ns();
		n = terminal_wait(now < next ? next - now : 0, keys, sizeof keys);
		stay = keys_take(&top->view, keys, n, top->samples.look.pools, rows / 2);
	}
	terminal_leave();
	return fine ? 0 : fail(CHOOSE_TROUBLE, "there is no memory, or no screen");
}

static int run(const struct options *o, struct top *top)
{
	char why[CHOOSE_WHY_MAX];
	struct status_page page;
	int code = (int)choose_brood(o->brood, &page, why);

	if (code != 0)
		return fail(code, "%s", why);
	if (samples_begin(&top->samples, &page) < 0) {
		status_page_close(&page);
		return fail(CHOOSE_TROUBLE, "there is no memory");
	}
	top->view.choice.filter = top->view.filter;
	if (o->pool)
		top->view.choice.pool = look_pool_number(&top->samples.look, o->pool);
	if (o->pool && top->view.choice.pool < 0)
		code = fail(CHOOSE_NONE, "this brood has no pool \"%s\"", o->pool);
	else
		code = o->once || !is_screen() ? once(top) : live(top);
	samples_end(&top->samples);
	status_page_close(&page);
	return code;
}

int main(int argc, char **argv)
{
	static struct top top;
	struct options options = { 0 };
	int code;

	setlocale(LC_CTYPE, "");
	top.view.delay_s = 1;
	top.view.choice.pool = -1;
	top.canvas.style = style();
	code = parse(argc, argv, &options, &top.view);
	if (code == 0)
		code = run(&options, &top);
	rows_free(&top.rows);
	canvas_free(&top.canvas);
	if (fflush(stdout) != 0)
		code = fail(CHOOSE_TROUBLE, "standard output cannot be written");
	return code < 0 ? 0 : code;
}
