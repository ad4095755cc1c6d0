/* SPDX-License-Identifier: MIT */
/*
 * openmetrics.h - a status page as OpenMetrics text, for brood_metrics() and brood-ctl. The names
 * are promised: brood-metrics(7).
 */
#ifndef BROOD_WIRE_OPENMETRICS_H
#define BROOD_WIRE_OPENMETRICS_H

#include "status_view.h"

#include <sys/types.h>

/*
 * Writes the text, with a NUL behind it, as far as `size` allows. Returns the length of the whole
 * text without the NUL: it was cut off if that is `size` or more. -ENOMEM.
 */
ssize_t openmetrics_write(const struct status_view *view, char *text, size_t size);

#endif
