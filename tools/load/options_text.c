/* SPDX-License-Identifier: MIT */
/* options_text.c - see options_text.h. */
#include "options_text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int options_wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("brood-load: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nTry: brood-load --help\n", stderr);
	va_end(args);
	return -EINVAL;
}

int options_whole(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	unsigned long long value = 0;

	errno = 0;
	if (*text >= '0' && *text <= '9')
		value = strtoull(text, &end, 10);
	if (!end || *end || errno || value < min || value > max)
		return options_wrong("%s wants a whole number from %llu to %llu, not \"%s\"", name,
			(unsigned long long)min, (unsigned long long)max, text);
	*ret = value;
	return 0;
}

int options_unsigned(const char *name, const char *text, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t value = 0;
	int r = options_whole(name, text, min, max, &value);

	if (!r)
		*ret = (unsigned)value;
	return r;
}

const char *options_number(const char *text, char stop, double *ret)
{
	char *end = NULL;
	double value;

	if (!((*text >= '0' && *text <= '9') || *text == '.'))
		return NULL;
	if (*text == '0' && (text[1] == 'x' || text[1] == 'X'))
		return NULL; /* strtod() would read it */
	value = strtod(text, &end);
	if (end == text || (*end && *end != stop) || !isfinite(value))
		return NULL;
	*ret = value;
	return end;
}

int options_real(const char *name, const char *text, double min, double max, double *ret)
{
	double value = 0;

	if (!options_number(text, 0, &value) || value < min || value > max)
		return options_wrong(
			"%s wants a number from %g to %g, not \"%s\"", name, min, max, text);
	*ret = value;
	return 0;
}
