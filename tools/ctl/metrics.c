/* SPDX-License-Identifier: MIT */
/* metrics.c - brood-ctl metrics: what brood_metrics() gives the program itself. */
#include "ctl.h"

#include "../../src/wire/openmetrics.h"

#include <stdio.h>
#include <stdlib.h>

/* The text may grow between two calls, so the second one gets more room. NULL: no memory. */
static char *write_all(const struct status_view *view)
{
	ssize_t length = openmetrics_write(view, NULL, 0);

	while (length >= 0) {
		size_t size = (size_t)length + (size_t)length / 4 + 1024;
		char *text = malloc(size);

		length = text ? openmetrics_write(view, text, size) : -1;
		if (length >= 0 && (size_t)length < size)
			return text;
		free(text);
	}
	return NULL;
}

enum choose_exit ctl_metrics(const struct request *request)
{
	char why[CHOOSE_WHY_MAX], *text;
	struct status_page page;
	enum choose_exit code;

	if (request->pool)
		return ctl_wrong("\"metrics\" has no --pool: each sample has its pool's name");
	code = choose_brood(request->brood, &page, why);
	if (code != CHOOSE_FINE)
		return ctl_fail(code, "%s", why);
	text = write_all(&page.view);
	status_page_close(&page);
	if (!text)
		return ctl_fail(CHOOSE_TROUBLE, "there is no memory");
	fputs(text, stdout);
	free(text);
	return CHOOSE_FINE;
}
