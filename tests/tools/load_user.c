/* SPDX-License-Identifier: MIT */
/* load_user.c - jobs of a user's, for brood-load --user-job. */
#include <brood.h>
#include <stdlib.h>
#include <sys/types.h>

int user_variable = 1;

int user_reverse(struct brood_job *job);
int user_fails(struct brood_job *job);
int user_crashes(struct brood_job *job);

/* Reads up to the end, which works whether or not the request comes through a socket. */
int user_reverse(struct brood_job *job)
{
	static char request[65536], reply[65537];
	size_t size = 0;
	ssize_t n;

	while ((n = brood_job_read(job, request + size, sizeof request - size)) > 0)
		size += (size_t)n;
	for (size_t i = 0; i < size; i++)
		reply[i] = request[size - 1 - i];
	return n < 0 || brood_job_write(job, reply, size + 1) < 0;
}

int user_fails(struct brood_job *job)
{
	(void)job;
	return 42;
}

int user_crashes(struct brood_job *job)
{
	(void)job;
	abort();
}
