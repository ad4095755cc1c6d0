/* SPDX-License-Identifier: MIT */
/*
 * reader.c - reads a brood's status page again and again, as brood-ctl metrics does, until the
 * brood is gone. It says how often it did.
 *
 *   status-reader PID MICROSECONDS page|copy
 *
 * MICROSECONDS: the pause between two reads; 0: none. copy: it reads a copy of its own, which costs
 * as much time on a CPU and takes nothing from those who write the page.
 */
#include "../../src/wire/openmetrics.h"
#include "../../tools/status/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Another view, of a copy of the page. */
static int copy_of(const struct status_page *page, struct status_view *ret)
{
	void *copy = aligned_alloc(4096, (page->view.size + 4095) & ~(size_t)4095);

	if (!copy)
		return -1;
	memcpy(copy, page->view.base, page->view.size);
	return status_view_open(ret, copy, page->view.size);
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	struct timespec pause = { 0 };
	struct status_page page;
	struct status_view view;
	unsigned long count = 0;
	double looked = 0;

	if (argc != 4 || status_page_open((pid_t)atol(argv[1]), &page) < 0)
		return 2;
	pause.tv_nsec = atol(argv[2]) * 1000;
	view = page.view;
	if (strcmp(argv[3], "copy") == 0 && copy_of(&page, &view) < 0)
		return 2;
	for (;; count++) {
		double now = now_s();

		if (now > looked + 0.05 && !status_page_alive(&page))
			break;
		looked = now > looked + 0.05 ? now : looked;
		if (openmetrics_write(&view, text, sizeof text) <= 0)
			return 1;
		if (pause.tv_nsec)
			nanosleep(&pause, NULL);
	}
	printf("%lu\n", count);
	return 0;
}
