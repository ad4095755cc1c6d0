/* SPDX-License-Identifier: MIT */
/*
 * printable.c - see printable.h. Bytes from 0x80 on may be UTF-8, and stay. U+0080 to U+009F are
 * control characters, too: in UTF-8 these are 0xc2 and one byte below 0xa0.
 */
#include "printable.h"

#include <stdbool.h>
#include <stdio.h>

char *printable_copy(char *dst, size_t size, const char *text)
{
	unsigned char before = 0;
	size_t n = 0;

	for (; n < size - 1 && text[n]; n++) {
		unsigned char c = (unsigned char)text[n];
		bool control = c < ' ' || c == 0x7f || (before == 0xc2 && c >= 0x80 && c < 0xa0);

		dst[n] = control ? '?' : (char)c;
		before = c;
	}
	dst[n] = '\0';
	return dst;
}

char *printable_job(char dst[PRINTABLE_JOB_MAX], const char *name, const char *tag)
{
	char shown_name[BROOD_NAME_MAX], shown_tag[BROOD_TAG_MAX];

	printable_copy(shown_name, sizeof shown_name, name);
	printable_copy(shown_tag, sizeof shown_tag, tag);
	snprintf(dst, PRINTABLE_JOB_MAX, *tag ? "%s [%s]" : "%s%s", shown_name, shown_tag);
	return dst;
}

char *printable_number(char *dst, uint32_t number)
{
	uint32_t digits = 1;

	for (uint32_t rest = number; rest >= 10; rest /= 10)
		digits++;
	dst[digits] = '\0';
	for (char *at = dst + digits; at > dst; number /= 10)
		*--at = (char)('0' + number % 10);
	return dst + digits;
}
