/* SPDX-License-Identifier: MIT */
/*
 * output.h - flushes printed text that waits in a buffer: stdio's buffers, and those of std::cout
 * and its like where the program has GNU's C++ runtime. The library does not need this runtime and
 * links nothing for it.
 */
#ifndef BROOD_OS_OUTPUT_H
#define BROOD_OS_OUTPUT_H

#include <stdbool.h>

void output_flush(void); /* flushes all of these buffers */
/* Flushes stdout and C++'s own streams. Makes no system call where no text waits. */
void output_flush_standard(void);
/* True: the program has C++'s own streams, or nobody has looked yet. */
extern bool output_streams;
/* Call it after an object was loaded, which may have brought the C++ runtime. */
void output_look(void);

#endif
