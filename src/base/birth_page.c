/* SPDX-License-Identifier: MIT */
/*
 * birth_page.c - see birth_page.h. In the list of sources this file comes before all that have such
 * variables. So the variable here is the first of the section, which therefore begins with a page.
 * tests/api/exports proves that the page is large enough.
 */
#include "birth_page.h"

AT_BIRTH __attribute__((used, aligned(BIRTH_PAGE))) static char begin = 1;
