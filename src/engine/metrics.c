/* SPDX-License-Identifier: MIT */
/* metrics.c - brood_metrics(): the status page as text, as a program outside would write it. */
#include "engine_root.h"

#include "../wire/openmetrics.h"

ssize_t engine_metrics(struct brood *b, char *text, size_t size)
{
	VISIT(b);
	struct status_view view;
	ssize_t length;

	if (size > 0 && !text)
		return fail_with(-EINVAL, "brood_metrics: text is NULL, but size is not 0");
	if (status_view_open(&view, b->shared.status, b->shared.status_size) < 0)
		return fail_with(-EINVAL, "brood_metrics: the status page is damaged");
	length = openmetrics_write(&view, text, size);
	if (length < 0)
		return fail_with((int)length, "brood_metrics: there is no memory");
	/* room to grow until the next call: numbers get longer, first verdicts add lines */
	if (size == 0)
		return length + length / 4 + 1024;
	if ((size_t)length >= size)
		return fail_with(-ENOSPC,
			"brood_metrics: the text has %zd bytes, and the room %zu: call with size 0 "
			"to learn how much it needs",
			length + 1, size);
	return length;
}
