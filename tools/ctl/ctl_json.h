/* SPDX-License-Identifier: MIT */
/* ctl_json.h - status and workers for programs: brood-ctl(1) has the keys. */
#ifndef CTL_JSON_STATUS_H
#define CTL_JSON_STATUS_H

#include "json.h"
#include "look.h"

#include <brood.h>
#include <stdio.h>

/* pool: -1: all */
void ctl_json_status(FILE *file, const struct look *look, int pool);
void ctl_json_workers(FILE *file, const struct look *look, int pool);

/* For other commands: what all objects begin with; the job that runs; an array `frames`. */
void ctl_json_head(struct json *json, const struct look *look);
void ctl_json_job(struct json *json, const struct status_worker *worker, uint64_t now);
void ctl_json_frames(struct json *json, const struct brood_report *report);

#endif
