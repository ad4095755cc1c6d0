/* SPDX-License-Identifier: MIT */
/* stdlog.c - lines to a stderr that cannot be opened anew: it is shared, so no write may block. */
#include "kernel.h"
#include "os/stdlog.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>

TestSuite(kernel_stdlog, .timeout = 120);

/*
 * A pipe without room takes nothing until its reader dies. Then each write fails at once, and does
 * not seem to wait for ever.
 */
static void reader_dies(void)
{
	struct stdlog l = { .fd = -1, .journal.fd = -1 };
	char bytes[PIPE_BUF];
	ssize_t n;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	l.fd = ends[1];
	memset(bytes, 'x', sizeof bytes);
	while ((n = stdlog_pass(&l, bytes, sizeof bytes)) > 0)
		CHECK_EQ(n, PIPE_BUF);
	CHECK_EQ(n, -EAGAIN);
	CHECK_EQ(stdlog_write(&l, "line\n", 5), -EAGAIN);
	close(ends[0]);
	CHECK_EQ(stdlog_pass(&l, bytes, sizeof bytes), -EPIPE);
	CHECK_EQ(stdlog_write(&l, "line\n", 5), -EPIPE);
	close(ends[1]);
}
Test(kernel_stdlog, full_pipe_whose_reader_dies) { case_run(reader_dies, 20000); }
