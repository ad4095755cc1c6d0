/* SPDX-License-Identifier: MIT */
/* options_pace.c - when jobs are given. */
#include "load.h"
#include "options.h"
#include "options_text.h"

enum { OPT_RATE = OPTIONS_PACE_FIRST, OPT_CONTROL, OPT_IDLE };

static const struct option longs[] = {
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "control", no_argument, NULL, OPT_CONTROL },
	{ "idle", required_argument, NULL, OPT_IDLE },
};

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case OPT_RATE: return options_real("--rate", text, 1, 1e7, &o->rate);
	case OPT_CONTROL: o->control = true; return 0;
	case OPT_IDLE: return options_real("--idle", text, 0, 1e6, &o->idle_s);
	default: return OPTIONS_NOT_MINE;
	}
}

static int together(struct options *o)
{
	if (o->idle_s >= 0 &&
		(options_kill(o) || o->jobs || o->duration_s > 0 || o->reload_every_s > 0 ||
			o->resize_ms || o->rate > 0 || o->control))
		return options_wrong("--idle is a run without load: it takes no -d, -n, "
				     "--reload-every, --resize, --rate, --control or --kill "
				     "options");
	if (o->rate > 0 && o->way == WAY_OPEN)
		return options_wrong("--rate is for --call call and --call submit");
	if (!o->jobs && o->duration_s <= 0)
		o->duration_s = 10;
	return 0;
}

static const char help[] =
	"      --rate N            gives at most N jobs a second (--call call or submit)\n"
	"      --control           tells the longest time without a completion, and beside it\n"
	"                          that of a bare epoll loop in the same run\n"
	"      --idle SEC          no load: starts, waits until the pool is ready, waits SEC\n"
	"                          seconds, stops\n";

const struct options_part options_pace = { longs, COUNT_OF(longs), take, together, help };
