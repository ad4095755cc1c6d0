/* SPDX-License-Identifier: MIT */
/*
 * Searches one chunk for one set of patterns: the code that falls. This is the C library's regex
 * code with grep's own syntax bits, one line at a time.
 *
 * The compiled set stays for the next call: a worker gets many chunks with the same patterns, and
 * compiling is expensive. This file knows nothing of processes. In a worker the pool sets the
 * limits of memory, stack and time; with --in-process only the program's own limits hold.
 *
 * A trap: when re_compile_pattern() fails, its buffer is half made. The buffer is freed at once and
 * never searched with.
 */
#define _GNU_SOURCE
#include "grep.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static struct {
	uint32_t flags;
	char *text; /* the patterns as given: the key of the cache */
	size_t text_size;
	struct re_pattern_buffer *set;
	size_t count;
} cache;

static const uint32_t compile_flags = SEARCH_EXTENDED | SEARCH_ICASE;

static void cache_drop(void)
{
	for (size_t i = 0; i < cache.count; i++)
		regfree(&cache.set[i]);
	free(cache.set);
	free(cache.text);
	memset(&cache, 0, sizeof cache);
}

static bool cache_holds(uint32_t flags, const struct patterns *patterns)
{
	return cache.text && cache.flags == (flags & compile_flags) &&
		cache.text_size == patterns->size &&
		memcmp(cache.text, patterns->text, patterns->size) == 0;
}

static enum search_code compile_one(
	const struct patterns *one, struct re_pattern_buffer *buffer, struct search_result *result)
{
	memset(buffer, 0, sizeof *buffer);
	buffer->fastmap = malloc(256);
	if (!buffer->fastmap)
		return SEARCH_NO_MEMORY;
	const char *error = re_compile_pattern(one->text, one->size - 1, buffer);
	if (!error)
		return SEARCH_OK;
	regfree(buffer);
	/*
	 * The C library gives this failure no error code of its own. The pattern is valid; only
	 * memory was short.
	 */
	if (strcmp(error, "Memory exhausted") == 0)
		return SEARCH_NO_MEMORY;
	result->error = error;
	return SEARCH_BAD_PATTERN;
}

enum search_code search_compile(
	uint32_t flags, const struct patterns *patterns, struct search_result *result)
{
	if (cache_holds(flags, patterns))
		return SEARCH_OK;
	cache_drop();
	/* One more than needed, so that the size is never 0. */
	cache.set = calloc((size_t)patterns->count + 1, sizeof *cache.set);
	cache.text = malloc(patterns->size + 1);
	if (!cache.set || !cache.text) {
		cache_drop();
		return SEARCH_NO_MEMORY;
	}
	memcpy(cache.text, patterns->text, patterns->size);
	cache.text_size = patterns->size;
	cache.flags = flags & compile_flags;

	re_set_syntax((flags & SEARCH_EXTENDED ? RE_SYNTAX_EGREP : RE_SYNTAX_GREP) |
		(flags & SEARCH_ICASE ? RE_ICASE : 0) | RE_NO_SUB);
	struct patterns one;
	for (size_t offset = 0; patterns_next(patterns, &offset, &one); cache.count++) {
		enum search_code code = compile_one(&one, &cache.set[cache.count], result);
		if (code != SEARCH_OK) {
			cache_drop();
			return code;
		}
	}
	return SEARCH_OK;
}

static enum search_code line_matches(const char *line, size_t size, bool *ret_matches)
{
	*ret_matches = false;
	for (size_t i = 0; i < cache.count; i++) {
		regoff_t at = re_search(
			&cache.set[i], line, (regoff_t)size, 0, (regoff_t)size, NULL);
		if (at == -2)
			return SEARCH_NO_MEMORY;
		if (at >= 0) {
			*ret_matches = true;
			return SEARCH_OK;
		}
	}
	return SEARCH_OK;
}

static enum search_code result_add(struct search_result *result, uint32_t flags, size_t start)
{
	if (!(flags & SEARCH_COUNT)) {
		if (result->matches == result->capacity) {
			uint32_t capacity = result->capacity ? result->capacity * 2 : 256;
			uint32_t *starts = realloc(result->starts, capacity * sizeof *starts);
			if (!starts)
				return SEARCH_NO_MEMORY;
			result->starts = starts;
			result->capacity = capacity;
		}
		result->starts[result->matches] = (uint32_t)start;
	}
	result->matches++;
	return SEARCH_OK;
}

static void end_lines_at_nuls(char *text, size_t size)
{
	for (char *p = text; (p = memchr(p, 0, size - (size_t)(p - text))); p++)
		*p = '\n';
}

enum search_code search_text(uint32_t flags, const struct patterns *patterns, char *text,
	size_t size, struct search_result *result)
{
	enum search_code code = search_compile(flags, patterns, result);
	if (code != SEARCH_OK)
		return code;
	if (flags & SEARCH_BINARY)
		end_lines_at_nuls(text, size);
	for (size_t start = 0; start < size;) {
		const char *newline = memchr(text + start, '\n', size - start);
		size_t end = newline ? (size_t)(newline - text) : size;
		bool matches;
		code = line_matches(text + start, end - start, &matches);
		if (code == SEARCH_OK && matches)
			code = result_add(result, flags, start);
		if (code != SEARCH_OK || (matches && (flags & SEARCH_FIRST)))
			return code;
		start = end + 1;
	}
	return SEARCH_OK;
}
