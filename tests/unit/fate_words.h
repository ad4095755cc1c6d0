/* SPDX-License-Identifier: MIT */
/* fate_words.h - the states of a job, as words of a desk. */
#ifndef BROOD_TESTS_FATE_WORDS_H
#define BROOD_TESTS_FATE_WORDS_H

#define SEQUENCE  41u
#define ASSIGNED  DESK_WORD(SEQUENCE, DESK_ASSIGNED)
#define RUNNING   DESK_WORD(SEQUENCE, DESK_RUNNING)
#define OVER      DESK_WORD(SEQUENCE, DESK_DONE)
#define CONDEMNED DESK_WORD(SEQUENCE, DESK_CONDEMNED)

#endif
