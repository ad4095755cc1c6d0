/* SPDX-License-Identifier: MIT */
/*
 * bytes.h - bytes over a job's socket. The socket is blocking, but other processes hold the same
 * open file and may have made it non-blocking: so after EAGAIN these functions poll() and try
 * again. SIGPIPE is never raised; the bound of every wait is the job's run time, which the
 * supervisor enforces.
 */
#ifndef BROOD_WORKER_BYTES_H
#define BROOD_WORKER_BYTES_H

#include <sys/types.h>

/* Returns how many bytes came; 0: the end; -errno. */
ssize_t bytes_receive(int fd, void *data, size_t size);
/* Sends all of the bytes. 0 or -errno; -EPIPE: nobody reads. */
ssize_t bytes_send(int fd, const void *data, size_t size);

#endif
