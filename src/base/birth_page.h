/* SPDX-License-Identifier: MIT */
/*
 * birth_page.h - the page of the variables that each worker writes at its birth. They stand
 * together, so that a birth copies one page of its maker's variables.
 */
#ifndef BROOD_BASE_BIRTH_PAGE_H
#define BROOD_BASE_BIRTH_PAGE_H

/* Puts a variable there. */
#define AT_BIRTH __attribute__((section("brood_at_birth")))

/* AT_BIRTH has room for so many bytes: no Linux has smaller pages. */
#define BIRTH_PAGE 4096

#endif
