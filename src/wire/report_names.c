/* SPDX-License-Identifier: MIT */
/*
 * report_names.c - see report_names.h. The paths come from a worker, which may have written
 * anything there: symbols.h says what is done against that.
 */
#include "report_names.h"

#include "../base/demangle.h"
#include "../os/symbols.h"

#include <stdio.h>

#define PATH_ROOM (TRACE_PATH + 32)

static void name_module(struct brood_report_frame *f, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(f->module, sizeof f->module, "%.*s", (int)sizeof f->module - 1,
		slash ? slash + 1 : path);
}

/* A C++ name as people know it, if it is understood; cut where it is too long. */
static void name_function(struct brood_report_frame *f, const struct symbols_place *place)
{
	char text[SYMBOLS_NAME];
	const char *name = demangle(place->function, text, sizeof text) ? text : place->function;

	snprintf(f->function, sizeof f->function, "%.*s", (int)sizeof f->function - 1, name);
}

/* Where the module's file can be opened; "": it is the caller's own program. */
static const char *place_of(const struct trace_module *module, pid_t process, char text[PATH_ROOM])
{
	const char *path = module->path;

	if (process == 0)
		return path;
	if (path[0] == '\0')
		snprintf(text, PATH_ROOM, "/proc/%d/exe", (int)process);
	else
		snprintf(text, PATH_ROOM, "/proc/%d/root/%s", (int)process, path);
	return text;
}

/* The file's name, as a person knows it. */
static const char *name_of(
	const struct trace_module *module, pid_t process, char *text, size_t size)
{
	static const char deleted[] = " (deleted)";
	char link[32];
	ssize_t n;

	if (module->path[0])
		return module->path;
	if (process == 0)
		return symbols_own_path(text, size);
	snprintf(link, sizeof link, "/proc/%d/exe", (int)process);
	n = readlink(link, text, size - 1);
	text[MAX(n, (ssize_t)0)] = '\0';
	if (n > (ssize_t)sizeof deleted && strcmp(text + n - sizeof deleted + 1, deleted) == 0)
		text[n - (ssize_t)sizeof deleted + 1] = '\0';
	return text;
}

/* Looks up the frames that lie in one module. `numbers` has their places in the report. */
static void look_up(struct brood_report *report, const uint32_t *numbers, size_t count,
	const struct trace_module *module, pid_t process)
{
	struct symbols_place places[BROOD_REPORT_FRAMES];
	struct symbols_file file;
	char text[4096], path[PATH_ROOM];
	const char *name = name_of(module, process, text, sizeof text);

	memset(places, 0, sizeof places);
	for (size_t i = 0; i < count; i++) {
		/* a return address may lie behind the end of its function: look one byte before */
		places[i].offset = report->frames[numbers[i]].offset - (numbers[i] > 0);
		name_module(&report->frames[numbers[i]], name);
	}
	if (symbols_open(place_of(module, process, path), module->build_id, module->build_id_size,
		    &file) < 0)
		return;
	symbols_find(&file, places, count);
	symbols_close(&file);
	for (size_t i = 0; i < count; i++) {
		struct brood_report_frame *f = &report->frames[numbers[i]];

		name_function(f, &places[i]);
		if (places[i].function[0])
			f->function_offset = (uint32_t)places[i].distance +
				(uint32_t)(numbers[i] > 0);
	}
}

/*
 * Looks up an address that the worker found in no module. Worker and caller are forks of the same
 * program, so the same code lies there in both.
 */
static void look_up_here(struct brood_report *report, uint32_t number)
{
	struct brood_report_frame *f = &report->frames[number];
	struct trace_module module = { 0 };
	const char *path;

	if (!symbols_in_image(f->address - (number > 0), &path, &f->offset))
		return;
	f->offset += number > 0;
	strncpy(module.path, path, sizeof module.path - 1);
	look_up(report, &number, 1, &module, 0);
}

void report_names(struct brood_report *report, const struct report_names_from *from)
{
	uint32_t numbers[BROOD_REPORT_FRAMES];

	for (uint32_t m = 0; m < from->modules_count; m++) {
		size_t count = 0;

		for (uint32_t i = 0; i < report->frames_count; i++)
			if (from->module[i] == m)
				numbers[count++] = i;
		if (count > 0)
			look_up(report, numbers, count, &from->modules[m], from->process);
	}
	for (uint32_t i = 0; i < report->frames_count && from->process == 0; i++)
		if (from->module[i] == TRACE_NOWHERE)
			look_up_here(report, i);
}
