/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - names of functions, from the symbols of ELF files. Reads files, which may block, and
 * believes nothing that they say: for a process of its own (supervisor/resolver.c).
 */
#ifndef BROOD_OS_SYMBOLS_H
#define BROOD_OS_SYMBOLS_H

#include "../base/base.h"

#define SYMBOLS_NAME 1024 /* names of C++ templates are long */

struct symbols_place {
	uint64_t offset;             /* as the file numbers its addresses */
	uint64_t distance;           /* from the begin of the function, once that is found */
	char function[SYMBOLS_NAME]; /* "": not found yet */
};

/* A file in memory. */
struct symbols_file {
	const unsigned char *bytes;
	size_t size;
};
/*
 * path "" is this process's own program. 0 or -errno; -ENOEXEC: no ELF file of this processor;
 * -ESTALE: it has another build id.
 */
int symbols_open(
	const char *path, const void *build_id, size_t build_id_size, struct symbols_file *ret);
/* Writes the path of this process's own program, or its name if that cannot be had. Returns it. */
const char *symbols_own_path(char *path, size_t size);
void symbols_close(struct symbols_file *file);
/* Finds what it can of these places, in .symtab, then in .dynsym. */
void symbols_find(const struct symbols_file *file, struct symbols_place *places, size_t count);

/*
 * Which file of this process's own image an address belongs to, and the address as the file numbers
 * it. The path is valid as long as the file is loaded. False: none.
 */
bool symbols_in_image(uint64_t address, const char **ret_path, uint64_t *ret_offset);

#endif
