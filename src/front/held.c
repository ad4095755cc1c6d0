/* SPDX-License-Identifier: MIT */
/* held.c - see held.h. */
#include "held.h"

#include "../base/base.h"

#include <stdlib.h>

struct held *held_new(void) { return calloc(1, sizeof(struct held)); }

static void *copy(const void *data, size_t size)
{
	void *bytes = size > 0 ? malloc(size) : NULL;

	if (bytes)
		memcpy(bytes, data, size);
	return bytes;
}

void held_fill(struct held *held, const struct brood_result *result)
{
	size_t fds_size = result->fds_count * sizeof *result->fds;

	held->result = *result;
	held->result.reply = result->reply ? copy(result->reply, result->reply_size) : NULL;
	if (!held->result.reply)
		held->result.reply_size = 0;
	held->result.fds = copy(result->fds, fds_size);
	if (!held->result.fds)
		held->result.fds_count = fds_size = 0;
	for (size_t i = 0; i < held->result.fds_count; i++)
		result->fds[i] = -1;
	held->bytes = sizeof *held + fds_size + held->result.reply_size;
}

struct held *held_free(struct held *held)
{
	if (!held)
		return NULL;
	for (size_t i = 0; i < held->result.fds_count; i++)
		close_fd(held->result.fds[i]);
	free(held->result.fds);
	free((void *)(uintptr_t)held->result.reply);
	free(held);
	return NULL;
}
