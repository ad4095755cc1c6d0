/* SPDX-License-Identifier: MIT */
/*
 * output.h - what was printed and waits in a buffer: stdio's, and that of std::cout and its like
 * where the program has GNU's C++ runtime. The library does not need it, and links nothing for it.
 */
#ifndef BROOD_OS_OUTPUT_H
#define BROOD_OS_OUTPUT_H

void output_flush(void); /* all of it */
/* stdout and C++'s own streams; no system call where nothing waits */
void output_flush_standard(void);
/* after an object was loaded: it may have brought the runtime */
void output_look(void);

#endif
