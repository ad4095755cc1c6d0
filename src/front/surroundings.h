/* SPDX-License-Identifier: MIT */
/*
 * surroundings.h - what a start needs beside memory and descriptors, looked at before the first
 * fork.
 */
#ifndef BROOD_SURROUNDINGS_H
#define BROOD_SURROUNDINGS_H

/* 0; or -errno, and a sentence that names what is missing. */
int surroundings_check(void);

#endif
