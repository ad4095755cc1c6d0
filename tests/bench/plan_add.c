/* SPDX-License-Identifier: MIT */
/* plan_add.c - adds stands, rows and bounds to a plan. */
#include "plan.h"

#include <stdarg.h>
#include <stdlib.h>

/* A plan larger than its tables is a bug of this program. */
static void need_room(uint32_t count, uint32_t room)
{
	if (count >= room)
		abort();
}

uint32_t add_stand(struct group *g, const struct kind *kind, const struct params *p)
{
	struct stand *s = &g->stands[g->stands_count];

	need_room(g->stands_count, STATIONS_MAX);
	s->kind = kind;
	if (p)
		s->params = *p;
	if (!s->params.threads)
		s->params.threads = 1;
	if (!s->params.out && kind != &bench_idle)
		s->params.out = 1;
	return g->stands_count++;
}

struct group *add_group(struct plan *plan, const char *name, uint32_t modes)
{
	struct group *g = &plan->groups[plan->count];

	need_room(plan->count++, GROUPS_MAX);
	*g = (struct group){ .name = name, .modes = modes };
	return g;
}

struct row *add_row(struct group *g, struct reading of, struct beside beside, const char *name, ...)
{
	struct row *row = &g->rows[g->rows_count];
	va_list args;

	need_room(g->rows_count++, ROWS_MAX);
	va_start(args, name);
	vsnprintf(row->name, sizeof row->name, name, args);
	va_end(args);
	row->of = of;
	row->floor = beside.floor;
	snprintf(row->floor_name, sizeof row->floor_name, "%s", beside.name);
	return row;
}

void say(struct row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(row->what, sizeof row->what, format, args);
	va_end(args);
}

void add_bound(struct group *g, enum mode mode, enum bound_kind kind, struct reading against,
	double limit, const char *what)
{
	struct bound *b = &g->bounds[g->bounds_count];

	need_room(g->bounds_count++, BOUNDS_MAX);
	*b = (struct bound){ .kind = kind,
		.mode = mode,
		.row = g->rows_count - 1,
		.against = against,
		.limit = limit };
	snprintf(b->what, sizeof b->what, "%s", what);
}
