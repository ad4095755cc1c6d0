/* SPDX-License-Identifier: MIT */
/* choose.h - which brood is meant on the command line, and what to say if it is none. */
#ifndef STATUS_CHOOSE_H
#define STATUS_CHOOSE_H

#include "page.h"

/* Exit codes of brood-ctl and brood-top: their man pages list them. */
enum choose_exit {
	CHOOSE_FINE,
	CHOOSE_NOT,      /* not ready, not alive, not done */
	CHOOSE_USAGE,    /* wrong usage */
	CHOOSE_NONE,     /* no such brood */
	CHOOSE_DENIED,   /* another user's */
	CHOOSE_SEVERAL,  /* several broods are meant */
	CHOOSE_TROUBLE,  /* the page cannot be read, or memory, or output failed */
	CHOOSE_NO_SOCKET /* there is no control socket, or nobody answers there */
};
/*
 * Opens the page of the brood with that pid or name; NULL: the only one of this user. Returns
 * CHOOSE_FINE; or another code, with the reason in `why`: one or more lines without the last
 * newline.
 */
#define CHOOSE_WHY_MAX 4096
enum choose_exit choose_brood(const char *name, struct status_page *ret, char why[CHOOSE_WHY_MAX]);

#endif
