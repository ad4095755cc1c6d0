/* SPDX-License-Identifier: MIT */
/* serve.h - a worker on lease: from GRANT to LEFT. */
#ifndef BROOD_WORKER_SERVE_H
#define BROOD_WORKER_SERVE_H

#include "../wire/frame.h"

void serve_lease(struct frame *f);

#endif
