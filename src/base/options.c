/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * A struct that is more than a page larger than ours has no true size: the caller passed garbage.
 * It is refused unread, for reading that far might fault.
 */
#define SURPLUS_MAX 4096

static bool all_zero(const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

int options_copy(void *dst, size_t known, const void *src, size_t minimal)
{
	size_t size = known;

	if (src) {
		memcpy(&size, src, sizeof size);
		if (size < minimal || size > known + SURPLUS_MAX)
			return -EINVAL;
		if (size > known && !all_zero((const unsigned char *)src + known, size - known))
			return -EINVAL;
	}
	memset(dst, 0, known);
	if (src)
		memcpy(dst, src, size < known ? size : known);
	memcpy(dst, &known, sizeof known);
	return 0;
}
