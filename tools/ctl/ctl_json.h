/* SPDX-License-Identifier: MIT */
/* ctl_json.h - status and workers for programs: brood-ctl(1) has the keys. */
#ifndef CTL_JSON_STATUS_H
#define CTL_JSON_STATUS_H

#include "look.h"

#include <stdio.h>

/* pool: -1: all */
void ctl_json_status(FILE *file, const struct look *look, int pool);
void ctl_json_workers(FILE *file, const struct look *look, int pool);

#endif
