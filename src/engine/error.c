/*
 * error.c - what brood_error() says: one sentence a thread. The front door looks at the count before and after a call, so that a failure that nobody put into words gets the kernel's instead of an older
 * sentence.
 */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>

static __thread struct { unsigned count; char text[512]; } last;

void engine_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last.text, sizeof last.text, format, args);
	va_end(args);
	last.count++;
}

const char *engine_error_text(void)
{
	return last.count ? last.text : "no call of this thread has failed";
}

unsigned engine_error_count(void)
{
	return last.count;
}
