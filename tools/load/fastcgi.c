/* SPDX-License-Identifier: MIT */
/* fastcgi.c - see fastcgi.h. */
#include "fastcgi.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VERSION   1
#define REQUEST   1 /* its number: a connection has one */
#define RESPONDER 1 /* a role */

void fastcgi_header(enum fastcgi_type type, size_t content, unsigned char ret[FASTCGI_HEADER])
{
	const unsigned char header[FASTCGI_HEADER] = { VERSION, (unsigned char)type, 0, REQUEST,
		(unsigned char)(content >> 8), (unsigned char)content, 0, 0 };

	memcpy(ret, header, FASTCGI_HEADER);
}

/* NULL: there is no room. */
static unsigned char *grow(struct fastcgi_text *t, size_t size)
{
	unsigned char *at = t->data + t->used;

	if (t->full || size > sizeof t->data - t->used) {
		t->full = true;
		return NULL;
	}
	t->used += size;
	return at;
}

static void record(struct fastcgi_text *t, enum fastcgi_type type, size_t content)
{
	unsigned char *at = grow(t, FASTCGI_HEADER);

	if (at)
		fastcgi_header(type, content, at);
}

void fastcgi_begin(struct fastcgi_text *ret)
{
	static const unsigned char body[8] = { 0, RESPONDER };
	unsigned char *at;

	ret->used = 0;
	ret->full = false;
	record(ret, FASTCGI_BEGIN, sizeof body);
	at = grow(ret, sizeof body);
	if (at)
		memcpy(at, body, sizeof body);
}

/* A length below 128 takes one byte. Else four, of which the first has its highest bit set. */
static size_t put_length(size_t length, unsigned char ret[4])
{
	if (length < 128) {
		ret[0] = (unsigned char)length;
		return 1;
	}
	ret[0] = (unsigned char)(0x80 | length >> 24);
	ret[1] = (unsigned char)(length >> 16);
	ret[2] = (unsigned char)(length >> 8);
	ret[3] = (unsigned char)length;
	return 4;
}

void fastcgi_param(struct fastcgi_text *t, const char *name, const char *value)
{
	size_t name_size = strlen(name), value_size = strlen(value), lengths;
	unsigned char length[8], *at;

	lengths = put_length(name_size, length);
	lengths += put_length(value_size, length + lengths);
	record(t, FASTCGI_PARAMS, lengths + name_size + value_size);
	at = grow(t, lengths + name_size + value_size);
	if (!at)
		return;
	memcpy(at, length, lengths);
	memcpy(at + lengths, name, name_size);
	memcpy(at + lengths + name_size, value, value_size);
}

void fastcgi_params_end(struct fastcgi_text *t) { record(t, FASTCGI_PARAMS, 0); }

/* ---- reading --------------------------------------------------------------------------------- */

static size_t read_header(struct fastcgi_reader *r, const unsigned char *data, size_t size)
{
	size_t part = FASTCGI_HEADER - r->header_used;

	part = part < size ? part : size;
	memcpy(r->header + r->header_used, data, part);
	r->header_used += (unsigned)part;
	if (r->header_used < FASTCGI_HEADER)
		return part;
	r->content_left = (size_t)r->header[4] << 8 | r->header[5];
	r->padding_left = r->header[6];
	r->broken = r->header[0] != VERSION;
	if (!r->content_left && !r->padding_left)
		r->header_used = 0;
	return part;
}

static void read_end(struct fastcgi_reader *r, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size && r->end_used < sizeof r->end; i++)
		r->end[r->end_used++] = data[i];
	if (r->end_used < sizeof r->end)
		return;
	r->ended = true;
	r->app_status = (uint32_t)r->end[0] << 24 | (uint32_t)r->end[1] << 16 |
		(uint32_t)r->end[2] << 8 | r->end[3];
	r->protocol_status = r->end[4];
}

size_t fastcgi_read(
	struct fastcgi_reader *r, const unsigned char *data, size_t size, struct fastcgi_piece *ret)
{
	enum fastcgi_type type;
	size_t part;

	ret->type = FASTCGI_NONE;
	if (r->broken || r->ended)
		return size;
	if (r->header_used < FASTCGI_HEADER)
		return read_header(r, data, size);
	type = (enum fastcgi_type)r->header[1];
	if (r->content_left) {
		part = r->content_left < size ? r->content_left : size;
		r->content_left -= part;
		if (type == FASTCGI_STDOUT || type == FASTCGI_STDERR)
			*ret = (struct fastcgi_piece){ type, data, part };
		else if (type == FASTCGI_END)
			read_end(r, data, part);
	} else {
		part = r->padding_left < size ? r->padding_left : size;
		r->padding_left -= part;
	}
	if (!r->content_left && !r->padding_left)
		r->header_used = 0;
	return part;
}

size_t fastcgi_head_add(struct fastcgi_head *h, const unsigned char *data, size_t size)
{
	size_t used = 0;

	while (!h->whole && used < size) {
		char c = (char)data[used++];

		if (c == '\r')
			continue;
		h->whole = c == '\n' && (!h->used || h->last == '\n');
		h->last = c;
		if (h->used + 1 < sizeof h->text)
			h->text[h->used++] = c;
	}
	h->text[h->used] = 0;
	return used;
}

long fastcgi_head_number(const struct fastcgi_head *h, const char *name, long none)
{
	size_t size = strlen(name);

	for (const char *line = h->text; *line;) {
		const char *end = strchr(line, '\n');

		if (!strncasecmp(line, name, size) && line[size] == ':')
			return strtol(line + size + 1, NULL, 10);
		if (!end)
			break;
		line = end + 1;
	}
	return none;
}
