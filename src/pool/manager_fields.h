/* SPDX-License-Identifier: MIT */
/*
 * manager_fields.h - fields that the program sends to the service manager: lines of KEY=VALUE. The
 * engine checks them for the caller, and the supervisor once more, for the engine's memory may be
 * damaged.
 *
 * In such a message a newline begins another field. So no value can have one, and a text from
 * outside that brings one along ("x\nMAINPID=1") is found out as soon as the key behind it is none,
 * or is one of those that the supervisor alone says.
 */
#ifndef BROOD_POOL_MANAGER_FIELDS_H
#define BROOD_POOL_MANAGER_FIELDS_H

#include "../base/base.h"
#include "manager_status.h"

enum manager_fields_fault {
	MANAGER_FIELDS_FINE,
	MANAGER_FIELDS_EMPTY,   /* there is no field */
	MANAGER_FIELDS_LONG,    /* more than the bound */
	MANAGER_FIELDS_LINE,    /* a line is empty, or has no "=" */
	MANAGER_FIELDS_KEY,     /* a key has other characters than A-Z, 0-9 and _ */
	MANAGER_FIELDS_CONTROL, /* a value has a control character */
	MANAGER_FIELDS_OURS,    /* the library says this field itself */
};
struct manager_fields_finding {
	enum manager_fields_fault fault;
	uint32_t line;       /* counted from 1 */
	char key[32];        /* printable, and cut */
	const char *instead; /* OURS: what to do instead */
};
/* max: the most bytes, with the NUL. */
struct manager_fields_finding manager_fields_check(const char *fields, size_t max);

/* What checked fields ask for. */
struct manager_fields {
	bool ready;     /* READY=1; not in `rest` */
	bool reloading; /* RELOADING=1; in `rest` */
	bool timed;     /* MONOTONIC_USEC= is there */
	bool has_errno; /* ERRNO= is there */
	bool has_status;
	char status[MANAGER_OWN_MAX]; /* the last STATUS=; not in `rest` */
	char rest[1024];              /* all other lines, in order, each with a newline */
};
void manager_fields_read(const char *fields, struct manager_fields *ret);

#endif
