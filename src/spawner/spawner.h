/* SPDX-License-Identifier: MIT */
/*
 * spawner.h - makes workers for the supervisor. The spawner is a child of the supervisor, in a
 * session of its own. Its only files are its channel, what the program wants kept in workers, and
 * the stand-ins of os/stale.h: so a clone copies a small table of files, however many workers there
 * are. The spawner sleeps until it is asked for a worker, and dies with the supervisor. It runs no
 * code of the program.
 */
#ifndef BROOD_SPAWNER_H
#define BROOD_SPAWNER_H
#include "../wire/birth.h"
void spawner_main(struct spawner_config *config) __attribute__((noreturn));
#endif
