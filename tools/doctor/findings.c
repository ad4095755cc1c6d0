/* SPDX-License-Identifier: MIT */
/* findings.c - what the checks found. A path may have any bytes: control characters become "?". */
#include "doctor.h"

#include <stdarg.h>
#include <string.h>

void findings_add(struct findings *f, enum level level, const char *name, const char *cure,
	const char *format, ...)
{
	struct finding *finding = &f->list[f->count];
	va_list args;

	if (f->count == FINDINGS_MAX)
		return;
	f->count++;
	finding->level = level;
	finding->name = name;
	snprintf(finding->cure, sizeof finding->cure, "%s", cure);
	va_start(args, format);
	vsnprintf(finding->text, sizeof finding->text, format, args);
	va_end(args);
}

unsigned findings_count(const struct findings *f, enum level level)
{
	unsigned count = 0;

	for (unsigned i = 0; i < f->count; i++)
		count += f->list[i].level == level;
	return count;
}

static void put(FILE *file, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
}

static void print_level(const struct findings *f, enum level level, FILE *file)
{
	for (unsigned i = 0; i < f->count; i++) {
		if (f->list[i].level != level)
			continue;
		fprintf(file, "%s %s: ", level == FAULT ? "FAULT" : "NOTE", f->list[i].name);
		put(file, f->list[i].text);
		fputs("\n    cure: ", file);
		put(file, f->list[i].cure);
		putc('\n', file);
	}
}

void findings_print(const struct findings *f, FILE *file)
{
	unsigned faults = findings_count(f, FAULT), notes = findings_count(f, NOTE);

	print_level(f, FAULT, file);
	print_level(f, NOTE, file);
	fprintf(file, "%u fault%s, %u note%s\n", faults, faults == 1 ? "" : "s", notes,
		notes == 1 ? "" : "s");
}
