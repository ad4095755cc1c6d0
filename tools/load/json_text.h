/* SPDX-License-Identifier: MIT */
/* json_text.h - prints a text as JSON. brood-bench has it, too. */
#ifndef BROOD_LOAD_JSON_TEXT_H
#define BROOD_LOAD_JSON_TEXT_H

#include <stdio.h>

static inline void json_put_text(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(file, "\\u%04x", c);
		else
			fputc(c, file);
	}
	fputc('"', file);
}

#endif
