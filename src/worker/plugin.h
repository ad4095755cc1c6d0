/* SPDX-License-Identifier: MIT */
/* plugin.h - functions of shared objects that the engine loaded after the start. */
#ifndef BROOD_WORKER_PLUGIN_H
#define BROOD_WORKER_PLUGIN_H

#include "job.h"

/* The job's function, or NULL. text: "path\0symbol\0" */
brood_fn *plugin_find(struct brood_job *job, const char *text, size_t size);

#endif
