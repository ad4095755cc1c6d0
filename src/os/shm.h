/* SPDX-License-Identifier: MIT */
/* shm.h - shared and guarded memory. */
#ifndef BROOD_OS_SHM_H
#define BROOD_OS_SHM_H
#include "../base/base.h"
void *shm_anonymous(size_t size); /* maps MAP_SHARED|MAP_ANONYMOUS, zeroed; NULL: no memory */
/*
 * Keeps shared memory from children: those made from now on, however they are made, do not have it
 * (but for those that share all memory). Returns where the same memory can be read, in children,
 * too. NULL: the kernel cannot do that, and all is as before.
 */
void *shm_keep_from_children(void *memory, size_t size);
/* Keeps shared memory from children, who cannot even read it. 0 or -errno. */
int shm_not_in_children(void *memory, size_t size);
/* Makes pages of shm_anonymous() zero, and gives their memory back. */
void shm_clear(void *memory, size_t size);
/* MADV_WIPEONFORK: a forked child reads zeros there. */
int shm_wipe_on_fork(void *page, size_t size);
/*
 * Private memory without a reserve, with a guard page below. Returns the lowest usable address, or
 * NULL.
 */
void *shm_stack(size_t size);
/* Makes a memory file, fills it, and seals it with *seals. Returns the fd or -errno. */
int shm_memfd(const char *name, const void *data, size_t size, const int *seals);
/*
 * Makes a memory file in steps, for data that comes in pieces. begin: returns the fd or -errno.
 * append: writes at the end, `at` is the size so far. seal: adds F_SEAL_SHRINK, GROW, WRITE and
 * SEAL. append and seal return 0 or -errno.
 */
int shm_memfd_begin(const char *name);
int shm_memfd_append(int fd, const void *data, size_t size, size_t at);
int shm_memfd_seal(int fd);
/* Takes memory for all of the file, so that later no page can be missing. 0 or -errno. */
int shm_memfd_take(int fd, size_t size);
size_t shm_page(void);
#endif
