/* SPDX-License-Identifier: MIT */
/*
 * demangle.c - reads the usual names of the Itanium C++ ABI: nested names, templates, constructors,
 * operators, lambdas, local classes. A name with anything else in it that must be read (expressions
 * as arguments of templates, thunks ...) is not understood, and its caller shows it as it is.
 *
 * What is not shown is only skipped. So there is no list of the parts to which "S0_" may refer: in
 * what is shown such a reference could only stand within a function's local classes, and then the
 * name is not understood.
 */
#include "demangle.h"

#include "base.h"

#define TEXT_MAX  1024
#define DEPTH_MAX 32

struct demangler {
	const char *at;
	char text[TEXT_MAX];
	size_t used;
	size_t name_at, name_size; /* the last plain name in `text`: a constructor is called so */
	unsigned depth;
	unsigned unseen; /* not 0: what is read is not shown */
	bool bad;        /* the name is not understood: nothing more is read */
};

static void read_name(struct demangler *d);
static void skip_type(struct demangler *d);

/* ---- small pieces ---- */

static void put_bytes(struct demangler *d, const char *bytes, size_t size)
{
	if (d->unseen > 0)
		return;
	if (size > TEXT_MAX - d->used) {
		d->bad = true;
		return;
	}
	memcpy(d->text + d->used, bytes, size);
	d->used += size;
}

static void put(struct demangler *d, const char *text) { put_bytes(d, text, strlen(text)); }

static void put_name(struct demangler *d, const char *bytes, size_t size)
{
	if (d->unseen == 0) {
		d->name_at = d->used;
		d->name_size = size;
	}
	put_bytes(d, bytes, size);
}

/* True: one of these letters is next. A name that is bad has no next letter. */
static bool sees(const struct demangler *d, const char *letters)
{
	return !d->bad && *d->at && strchr(letters, *d->at);
}

static bool take(struct demangler *d, const char *prefix)
{
	size_t n = strlen(prefix);

	if (d->bad || strncmp(d->at, prefix, n) != 0)
		return false;
	d->at += n;
	return true;
}

static void need(struct demangler *d, const char *prefix)
{
	if (!take(d, prefix))
		d->bad = true;
}

/* A number, which may be missing. */
static unsigned take_number(struct demangler *d)
{
	unsigned n = 0;

	for (; sees(d, "0123456789"); d->at++) {
		n = n * 10 + (unsigned)(*d->at - '0');
		d->bad = n > TEXT_MAX;
	}
	return n;
}

static void skip_types(struct demangler *d)
{
	d->unseen++;
	while (!d->bad && *d->at && *d->at != 'E' && *d->at != '.')
		skip_type(d);
	d->unseen--;
}

/* ---- parts of names ---- */

static void read_source_name(struct demangler *d)
{
	unsigned n = take_number(d);

	if (d->bad || n == 0 || strnlen(d->at, n) < n) {
		d->bad = true;
		return;
	}
	if (n >= 10 && memcmp(d->at, "_GLOBAL__N", 10) == 0)
		put(d, "(anonymous namespace)");
	else
		put_name(d, d->at, n);
	d->at += n;
}

static void read_operator(struct demangler *d)
{
	static const char known[] = "nw_new na_new[] dl_delete da_delete[] ng- ps+ ad& de* co~ "
				    "pl+ mi- ml* dv/ rm% an& or| eo^ aS= pL+= mI-= mL*= dV/= rM%= "
				    "aN&= oR|= eO^= ls<< rs>> lS<<= rS>>= eq== ne!= lt< gt> le<= "
				    "ge>= ss<=> nt! aa&& oo|| pp++ mm-- cm, pm->* pt-> cl() ix[] ";
	const char code[] = { ' ', *d->at, *d->at ? d->at[1] : '\0', '\0' };
	const char *found = strstr(known, code + (strncmp(known, code + 1, 2) == 0));

	put(d, "operator");
	d->bad = d->bad || strlen(code) < 3 || (!found && strncmp(d->at, "cv", 2) != 0);
	if (d->bad)
		return;
	d->at += 2;
	if (!found) { /* a conversion: its type is not shown */
		put(d, " <...>");
		d->unseen++;
		skip_type(d);
		d->unseen--;
		return;
	}
	found += 2 + (*found == ' ');
	put(d, *found == '_' ? " " : "");
	found += *found == '_';
	put_bytes(d, found, strcspn(found, " "));
}

static void read_constructor(struct demangler *d)
{
	char name[TEXT_MAX];
	size_t size = d->name_size;

	memcpy(name, d->text + d->name_at, size);
	put(d, *d->at == 'D' ? "~" : "");
	put_bytes(d, name, size);
	d->at += 2;
}

/* "Ul<types>E_": a lambda; "Ut_": a class without a name. */
static void read_unnamed(struct demangler *d)
{
	if (take(d, "Ul")) {
		skip_types(d);
		need(d, "E");
		put(d, "{lambda}");
	} else {
		need(d, "Ut");
		put(d, "{unnamed}");
	}
	(void)take_number(d);
	need(d, "_");
}

static void read_unqualified(struct demangler *d)
{
	(void)take(d, "L"); /* a name of this file alone */
	if (sees(d, "0123456789"))
		read_source_name(d);
	else if (sees(d, "U"))
		read_unnamed(d);
	else if (sees(d, "CD") && d->at[1] >= '0' && d->at[1] <= '5')
		read_constructor(d);
	else
		read_operator(d);
	while (take(d, "B")) { /* tags, such as that of cxx11 */
		d->unseen++;
		read_source_name(d);
		d->unseen--;
	}
}

/* Behind "S". */
static void read_reference(struct demangler *d)
{
	static const char *const known[] = { "t", "aallocator", "bbasic_string", "sstring",
		"iistream", "oostream", "diostream" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (sees(d, (const char[]){ known[i][0], '\0' })) {
			d->at++;
			put(d, i == 0 ? "std" : "std::");
			if (i > 0)
				put_name(d, known[i] + 1, strlen(known[i] + 1));
			return;
		}
	while (sees(d, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		d->at++;
	need(d, "_");
	if (d->unseen == 0)
		d->bad = true;
}

/* Behind "I": up to the "E" of the last argument. */
static void read_arguments(struct demangler *d)
{
	/* not "operator<<...>" */
	put(d, d->used > 0 && d->text[d->used - 1] == '<' ? " <...>" : "<...>");
	d->unseen++;
	while (!d->bad && !take(d, "E")) {
		if (take(d, "J")) { /* a pack */
			skip_types(d);
			need(d, "E");
		} else if (take(d, "L")) {
			skip_type(d);
			(void)take(d, "n");
			while (sees(d, "0123456789"))
				d->at++;
			need(d, "E");
		} else {
			skip_type(d);
		}
	}
	d->unseen--;
}

/* ---- names ---- */

/* Behind "N". */
static void read_nested(struct demangler *d)
{
	bool any = false;

	while (sees(d, "rVKRO"))
		d->at++;
	while (!d->bad && !take(d, "E")) {
		if (any && take(d, "I")) {
			read_arguments(d);
			continue;
		}
		put(d, any ? "::" : "");
		if (!any && take(d, "S"))
			read_reference(d);
		else if (!any && d->unseen > 0 && sees(d, "T"))
			skip_type(d);
		else
			read_unqualified(d);
		any = true;
	}
	if (!any)
		d->bad = true;
}

/* Behind "Z": what stands within a function. */
static void read_local(struct demangler *d)
{
	read_name(d);
	skip_types(d);
	need(d, "E");
	put(d, "::");
	if (take(d, "s")) /* a text, which is no code */
		d->bad = true;
	read_name(d);
	if (take(d, "_")) { /* which of several that have this name */
		(void)take(d, "_");
		(void)take_number(d);
		(void)take(d, "_");
	}
}

static void read_name(struct demangler *d)
{
	if (++d->depth > DEPTH_MAX)
		d->bad = true;
	if (take(d, "N")) {
		read_nested(d);
	} else if (take(d, "Z")) {
		read_local(d);
	} else {
		if (take(d, "St")) {
			put(d, "std::");
			read_unqualified(d);
		} else if (take(d, "S")) {
			read_reference(d);
		} else {
			read_unqualified(d);
		}
		if (take(d, "I"))
			read_arguments(d);
	}
	d->depth--;
}

/* ---- types ---- */

/* One type; nothing of it is shown. */
static void skip_type(struct demangler *d)
{
	while (sees(d, "PROKVCG") || strncmp(d->at, "Dp", 2) == 0)
		d->at += *d->at == 'D' ? 2 : 1;
	if (++d->depth > DEPTH_MAX)
		d->bad = true;
	if (sees(d, "vwbcahstijlmxynofdegz")) {
		d->at++;
	} else if (sees(d, "D") && d->at[1] && strchr("nisuac", d->at[1])) {
		d->at += 2;
	} else if (take(d, "F")) { /* a function */
		(void)take(d, "Y");
		skip_types(d);
		need(d, "E");
	} else if (take(d, "A")) { /* an array */
		(void)take_number(d);
		need(d, "_");
		skip_type(d);
	} else if (take(d, "M")) { /* a pointer to a member */
		skip_type(d);
		skip_type(d);
	} else if (take(d, "T")) {
		(void)take_number(d);
		need(d, "_");
		if (take(d, "I"))
			read_arguments(d);
	} else {
		read_name(d);
	}
	d->depth--;
}

bool demangle(const char *name, char *ret, size_t size)
{
	struct demangler d = { .at = name };

	need(&d, "_Z");
	read_name(&d);
	if (d.bad || d.used == 0)
		return false;
	/* what follows are parameters; behind a dot: which part of the function this is */
	d.at = strchr(d.at, '.');
	if (d.at)
		put(&d, d.at);
	if (d.bad || d.used >= size)
		return false;
	memcpy(ret, d.text, d.used);
	ret[d.used] = '\0';
	return true;
}
