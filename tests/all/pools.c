/* SPDX-License-Identifier: MIT */
/* pools.c - see pools.h. Exit status 0: all bounds hold; 1: one does not; 2: no proof was made. */
#include "pools.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static int missed;

void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pools-proof: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void need(bool holds, const char *what)
{
	if (!holds)
		give_up("%s: %s", what, strerror(errno));
}

void judge(bool at_most, double is, double bound, const char *format, ...)
{
	bool holds = at_most ? is <= bound : is >= bound;
	char text[120];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	printf("%-66s %10.3f %s %8.3f  %s\n", text, is, at_most ? "<=" : ">=", bound,
		holds ? "OK" : "MISSED");
	fflush(stdout);
	missed += !holds;
}

void quiet(void *context, const struct brood_log *log)
{
	(void)context;
	(void)log;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof *values, by_size);
	return (values[count / 2] + values[(count - 1) / 2]) / 2;
}

int main(int argc, char **argv)
{
	const char *proof = argc >= 2 ? argv[1] : "";

	/* A sleep must not take 50 us longer than it was asked to. Workers inherit this. */
	prctl(PR_SET_TIMERSLACK, 1);
	if (!strcmp(proof, "neighbours") && argc == 2) {
		prove_neighbours();
	} else if (!strcmp(proof, "shares") && argc == 2) {
		prove_shares();
	} else if (!strcmp(proof, "day") && argc <= 3) {
		prove_day(argc == 3 ? argv[2] : NULL);
	} else {
		fputs("usage: pools-proof neighbours | shares | day [FILE]\n", stderr);
		return 2;
	}
	return missed > 0;
}
