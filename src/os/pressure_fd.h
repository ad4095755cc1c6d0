/* SPDX-License-Identifier: MIT */
/* pressure_fd.h - an fd that tells of memory pressure: systemd's, or the kernel's own (PSI). */
#ifndef BROOD_OS_PRESSURE_FD_H
#define BROOD_OS_PRESSURE_FD_H

#include "../base/base.h"

/* The kernel's window: without rights it must be a multiple of 2 s. */
#define PRESSURE_FD_WINDOW_MS 2000u

struct pressure_fd {
	int fd;          /* -1: there is none */
	uint32_t events; /* what epoll is to wait for */
	bool stream;     /* bytes come, which are to be read and thrown away */
	int error;       /* -errno: one was asked for, and cannot be had; 0 else */
	char path[160];  /* of the file; cut if it is longer */
};
/*
 * Opens what MEMORY_PRESSURE_WATCH names, and writes MEMORY_PRESSURE_WRITE there. The variables
 * stay as they are. "/dev/null" there means: none.
 */
void pressure_fd_from_environment(struct pressure_fd *ret);
/*
 * Asks the kernel to tell when processes have stalled for so many ms of a window: those of the
 * cgroup whose folder is cgroup_fd, or of this process's own (-1), or else of the whole machine.
 */
void pressure_fd_from_kernel(uint32_t stall_ms, int cgroup_fd, struct pressure_fd *ret);
/* Throws away what can be read. False: the other end has closed. */
bool pressure_fd_drain(const struct pressure_fd *p);

#endif
