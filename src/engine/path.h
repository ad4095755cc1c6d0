/* SPDX-License-Identifier: MIT */
/* path.h - chooses a job's transport. */
#ifndef BROOD_ENGINE_PATH_H
#define BROOD_ENGINE_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct brood;
struct given;
struct lane;

struct lane *path_queue(struct brood *b, const struct given *given, bool call);
int path_full(const struct lane *l);
int path_lease_over(void);
bool path_ask(struct lane *l, uint64_t now, uint32_t needed);
int path_ready(struct lane *l, const struct given *given, bool call);

#endif
