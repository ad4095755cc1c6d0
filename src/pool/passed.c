/* SPDX-License-Identifier: MIT */
#include "passed.h"

#include <limits.h>

static int number(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++)
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -EINVAL;
	*ret = value;
	return 0;
}

int passed_count(const struct passed_words *words, const struct passed_self *self)
{
	uint64_t pid, pidfd, count;

	if (!words->pid || !words->fds)
		return 0;
	if (number(words->pid, &pid) < 0 || number(words->fds, &count) < 0 ||
		count > INT_MAX - PASSED_FIRST)
		return -EINVAL;
	if (pid != self->pid)
		return 0;
	if (words->pidfd && self->pidfd != 0) {
		if (number(words->pidfd, &pidfd) < 0)
			return -EINVAL;
		if (pidfd != self->pidfd)
			return 0; /* an earlier process had our pid */
	}
	if (words->names && passed_names(words->names) != count)
		return -EINVAL;
	return (int)count;
}

uint32_t passed_names(const char *names)
{
	uint32_t count = *names != '\0';

	for (; *names; names++)
		count += *names == ':';
	return count;
}

/* Where the index-th name begins. NULL: there are not so many. */
static const char *name_at(const char *names, uint32_t index)
{
	for (; names && index > 0; index--) {
		names = strchr(names, ':');
		names = names ? names + 1 : NULL;
	}
	return names;
}

void passed_name(const char *names, uint32_t index, char *name)
{
	const char *at = name_at(names, index);
	size_t size = 0;

	while (at && at[size] && at[size] != ':' && size <= KEPT_NAME_MAX)
		size++;
	if (size <= KEPT_NAME_MAX) {
		memcpy(name, at ? at : "", size);
		name[size] = '\0';
	}
	if (size > KEPT_NAME_MAX || !kept_name_is_good(name))
		strcpy(name, "unknown");
}
