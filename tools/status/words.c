/* SPDX-License-Identifier: MIT */
/* words.c - see words.h */
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define US    UINT64_C(1000)
#define MS    UINT64_C(1000000)
#define S     UINT64_C(1000000000)
#define MIN_S UINT64_C(60)
#define H_S   UINT64_C(3600)
#define DAY_S UINT64_C(86400)

const char *words_brood_state(uint32_t state)
{
	switch (state) {
	case BROOD_STATUS_STARTING: return "starting";
	case BROOD_STATUS_SERVING: return "serving";
	case BROOD_STATUS_DRAINING: return "draining";
	case BROOD_STATUS_STOPPING: return "stopping";
	default: return "unknown";
	}
}

const char *words_worker_state(const struct status_worker *worker)
{
	switch (worker->state) {
	case BROOD_STATUS_EMPTY: return "empty";
	case BROOD_STATUS_ORDERED: return "ordered";
	case BROOD_STATUS_BORN: return "starting";
	case BROOD_STATUS_IDLE: return "idle";
	case BROOD_STATUS_BUSY: return "busy";
	case BROOD_STATUS_LEASED: return worker->runs ? "busy" : "leased";
	case BROOD_STATUS_ENDING: return "ending";
	case BROOD_STATUS_UNDEAD: return "undead";
	case BROOD_STATUS_SPARE: return "spare";
	default: return "unknown";
	}
}

const char *words_of_label(char text[WORDS_MAX], const char *label)
{
	snprintf(text, WORDS_MAX, "%s", label);
	for (char *at = text; *at; at++)
		if (*at == '_')
			*at = ' ';
	return text;
}

/* Three digits, the unit behind. */
static const char *scaled(char text[WORDS_MAX], double value, const char *unit)
{
	snprintf(text, WORDS_MAX, "%.*f%s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
	return text;
}

const char *words_time(char text[WORDS_MAX], uint64_t ns)
{
	const uint64_t s = ns / S;

	if (ns < US)
		snprintf(text, WORDS_MAX, "%" PRIu64 " ns", ns);
	else if (ns < MS)
		scaled(text, (double)ns / (double)US, " us");
	else if (ns < S)
		scaled(text, (double)ns / (double)MS, " ms");
	else if (s < MIN_S)
		scaled(text, (double)ns / (double)S, " s");
	else if (s < H_S)
		snprintf(text, WORDS_MAX, "%" PRIu64 " min %" PRIu64 " s", s / MIN_S, s % MIN_S);
	else if (s < DAY_S)
		snprintf(
			text, WORDS_MAX, "%" PRIu64 " h %" PRIu64 " min", s / H_S, s % H_S / MIN_S);
	else
		snprintf(
			text, WORDS_MAX, "%" PRIu64 " d %" PRIu64 " h", s / DAY_S, s % DAY_S / H_S);
	return text;
}

const char *words_time_short(char text[WORDS_MAX], uint64_t ns)
{
	const uint64_t s = ns / S;

	if (s < MIN_S)
		return words_time(text, ns);
	if (s < H_S)
		snprintf(text, WORDS_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / MIN_S, s % MIN_S);
	else if (s < DAY_S)
		snprintf(text, WORDS_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / H_S, s % H_S / MIN_S);
	else
		snprintf(text, WORDS_MAX, "%" PRIu64 "d%02" PRIu64 "h", s / DAY_S, s % DAY_S / H_S);
	return text;
}

const char *words_since(char text[WORDS_MAX], uint64_t then, uint64_t now)
{
	return then == 0 ? strcpy(text, "-") : words_time(text, now > then ? now - then : 0);
}

const char *words_bytes(char text[WORDS_MAX], uint64_t bytes)
{
	static const char *const units[] = { "K", "M", "G", "T" };
	double value = (double)bytes / 1024;
	int unit = 0;

	for (; value >= 1023.5 && unit < 3; unit++)
		value /= 1024;
	return scaled(text, value, units[unit]);
}

const char *words_count(char text[WORDS_MAX], uint64_t count)
{
	static const char *const units[] = { "K", "M", "G", "T", "P", "E" };
	double value = (double)count / 1000;
	int unit = 0;

	if (count < 100000) {
		snprintf(text, WORDS_MAX, "%" PRIu64, count);
		return text;
	}
	for (; value >= 999.5 && unit < 5; unit++)
		value /= 1000;
	return scaled(text, value, units[unit]);
}

/* One character: how many bytes of `from`, and how many columns; 0 columns: it cannot be shown. */
static size_t next_character(const char *from, unsigned *ret_columns)
{
	mbstate_t state;
	wchar_t c;
	size_t n;
	int columns;

	memset(&state, 0, sizeof state);
	n = mbrtowc(&c, from, strlen(from), &state);
	*ret_columns = 0;
	if (n == 0 || n > strlen(from))
		return 1;
	columns = iswprint((wint_t)c) ? wcwidth(c) : 0;
	/* marks that turn the direction of writing are printable for some C libraries */
	if (columns > 0 && !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
		!(c >= 0x2060 && c <= 0x206f))
		*ret_columns = (unsigned)columns;
	return n;
}

unsigned words_shown(char dst[WORDS_SHOWN_MAX], const char *text, unsigned room)
{
	unsigned used = 0, columns, cut_used = 0;
	size_t at = 0, cut = 0, n;

	for (; *text; text += n) {
		n = next_character(text, &columns);
		if (used + (columns ? columns : 1) > room || at + n + 2 > WORDS_SHOWN_MAX) {
			if (room > 0)
				dst[cut++] = '~';
			dst[cut] = '\0';
			return cut_used + (room > 0);
		}
		if (columns)
			memcpy(dst + at, text, n);
		else
			dst[at] = '?';
		at += columns ? n : 1;
		used += columns ? columns : 1;
		if (used < room) {
			cut = at;
			cut_used = used;
		}
	}
	dst[at] = '\0';
	return used;
}
