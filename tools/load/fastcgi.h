/* SPDX-License-Identifier: MIT */
/*
 * fastcgi.h - the records of FastCGI, as a client writes and reads them. One request a connection.
 * Pure: these functions work on bytes in memory.
 */
#ifndef BROOD_LOAD_FASTCGI_H
#define BROOD_LOAD_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fastcgi_type {
	FASTCGI_NONE,
	FASTCGI_BEGIN,
	FASTCGI_END = 3,
	FASTCGI_PARAMS,
	FASTCGI_STDIN,
	FASTCGI_STDOUT,
	FASTCGI_STDERR
};
#define FASTCGI_HEADER      8
#define FASTCGI_CONTENT_MAX 65528 /* a multiple of 8: no record needs padding */

/* ---- writing --------------------------------------------------------------------------------- */

struct fastcgi_text {
	unsigned char data[8192]; /* with room for a path of PATH_MAX */
	size_t used;
	bool full; /* something did not fit, and is missing */
};
/* The header of a record; the content follows. */
void fastcgi_header(enum fastcgi_type type, size_t content, unsigned char ret[FASTCGI_HEADER]);
/*
 * A request up to its STDIN: begin, then each parameter, then end. A server closes the connection
 * after the answer.
 */
void fastcgi_begin(struct fastcgi_text *ret);
void fastcgi_param(struct fastcgi_text *t, const char *name, const char *value);
void fastcgi_params_end(struct fastcgi_text *t);

/* ---- reading --------------------------------------------------------------------------------- */

struct fastcgi_reader { /* all zeros at the begin */
	unsigned char header[FASTCGI_HEADER], end[8];
	unsigned header_used, end_used;
	size_t content_left, padding_left;
	bool ended;  /* the END record has come: the two below are set */
	bool broken; /* this is no FastCGI */
	uint32_t app_status;
	unsigned protocol_status; /* 0: complete; 1 to 3: refused */
};
/* A piece of what the server wrote. FASTCGI_NONE: these bytes held nothing of it. */
struct fastcgi_piece {
	enum fastcgi_type type; /* STDOUT, STDERR or NONE */
	const unsigned char *data;
	size_t size;
};
/* Returns how many of the bytes are done with; at least 1 if there is one. */
size_t fastcgi_read(struct fastcgi_reader *r, const unsigned char *data, size_t size,
	struct fastcgi_piece *ret);

/* The head of an answer: lines like those of HTTP, up to an empty one. */
struct fastcgi_head { /* all zeros at the begin */
	char text[2048];
	size_t used; /* what has no room is not kept */
	char last;   /* the byte that was added last, kept or not */
	bool whole;
};
/* Returns how many of the bytes belong to the head. The body follows. */
size_t fastcgi_head_add(struct fastcgi_head *h, const unsigned char *data, size_t size);
/* The number in the line "name: 17"; `none` if there is no such line. */
long fastcgi_head_number(const struct fastcgi_head *h, const char *name, long none);

#endif
