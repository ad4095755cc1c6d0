/* SPDX-License-Identifier: MIT */
/* json.h - writes JSON on a stream. NULL as a key: an element of an array. */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *file;
	bool follows; /* another element stands before, so a comma is due */
};
/* bracket: '{' or '[' */
void json_begin(struct json *json, const char *key, char bracket);
void json_end(struct json *json, char bracket);
void json_count(struct json *json, const char *key, uint64_t value);
void json_number(struct json *json, const char *key, int64_t value);
/* Nanoseconds as seconds, exactly. */
void json_seconds(struct json *json, const char *key, uint64_t ns);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* Bytes that are no UTF-8 become U+FFFD. */
void json_text(struct json *json, const char *key, const char *text);

#endif
