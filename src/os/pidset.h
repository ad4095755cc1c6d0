/* SPDX-License-Identifier: MIT */
/*
 * pidset.h - a set of pids, one a process: a bit for each pid that there can be. Memory is used for
 * the parts that were ever written.
 */
#ifndef BROOD_OS_PIDSET_H
#define BROOD_OS_PIDSET_H

#include "../base/base.h"

void pidset_add(pid_t pid);
void pidset_remove(pid_t pid);
bool pidset_has(pid_t pid);

#endif
