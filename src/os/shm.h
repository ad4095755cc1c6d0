/* SPDX-License-Identifier: MIT */
/* shm.h - shared and guarded memory. */
#ifndef BROOD_OS_SHM_H
#define BROOD_OS_SHM_H
#include <stddef.h>
void *shm_anonymous(size_t size); /* MAP_SHARED|MAP_ANONYMOUS, zeroed; NULL */
/* MADV_WIPEONFORK: a forked child reads zeros */
int shm_wipe_on_fork(void *page, size_t size);
/* private, no-reserve, a guard page below; lowest usable address, NULL */
void *shm_stack(size_t size);
void shm_stack_free(void *stack, size_t size);
/* filled and sealed by *seals; fd or -errno */
int shm_memfd(const char *name, const void *data, size_t size, const int *seals);
/*
 * The same in steps, for what is not known whole: begin, append (at the end: `at` is the size so
 * far), seal (F_SEAL_SHRINK, GROW, WRITE, SEAL). fd or -errno; 0 or -errno.
 */
int shm_memfd_begin(const char *name);
int shm_memfd_append(int fd, const void *data, size_t size, size_t at);
int shm_memfd_seal(int fd);
size_t shm_page(void);
#endif
