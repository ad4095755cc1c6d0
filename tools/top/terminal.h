/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - the terminal as a screen: the alternate one, without echo. It is as before at the
 * end, after each signal that ends the program, and while the program is stopped.
 */
#ifndef TOP_TERMINAL_H
#define TOP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes the terminal. 0, or -errno. */
int terminal_enter(void);
void terminal_leave(void);
/* Columns and rows of standard output; what it has not, is as it was. */
void terminal_size(unsigned *ret_columns, unsigned *ret_rows);
/*
 * Waits for keys, a new size or the time. Returns how many bytes of keys were read; 0: none. At the
 * end of the input, and for Ctrl-Z, it does what is to be done itself.
 */
size_t terminal_wait(uint64_t wait_ns, char *keys, size_t room);
/* False: nobody reads any more. */
bool terminal_write(const char *text, size_t size);

#endif
