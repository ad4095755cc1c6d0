/* SPDX-License-Identifier: MIT */
/*
 * words.h - numbers of a status page as words, and texts as a terminal may have them. A job can
 * write what it likes into its worker's part of the page: no text goes out but through here or
 * json.h.
 */
#ifndef STATUS_WORDS_H
#define STATUS_WORDS_H

#include "../../src/wire/status_view.h"

#define WORDS_MAX 64 /* room for each text that the words_..(text, ..) calls write */

const char *words_brood_state(uint32_t state);
const char *words_worker_state(const struct status_worker *worker);
/* "timed out": the name of a metrics label without its underscores */
const char *words_of_label(char text[WORDS_MAX], const char *label);
/* "12.3 us", "4.56 s", "3 min 20 s", "5 d 3 h"; columns: at most 12 */
const char *words_time(char text[WORDS_MAX], uint64_t ns);
/* The same in 7 columns: "12.3 us", "3m20s", "5d03h" */
const char *words_time_short(char text[WORDS_MAX], uint64_t ns);
/* From `then` to `now`; "-" where `then` is 0. */
const char *words_since(char text[WORDS_MAX], uint64_t then, uint64_t now);
const char *words_bytes(char text[WORDS_MAX], uint64_t bytes);
/* At most 6 columns: "12345", "1.23M" */
const char *words_count(char text[WORDS_MAX], uint64_t count);
/*
 * Copies a text into `room` columns at most. What a terminal cannot show, or would act upon, is
 * "?". A text that is too long ends with "~". Returns the columns that it takes.
 */
#define WORDS_SHOWN_MAX 256
unsigned words_shown(char dst[WORDS_SHOWN_MAX], const char *text, unsigned room);

#endif
