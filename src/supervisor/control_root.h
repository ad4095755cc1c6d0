/* SPDX-License-Identifier: MIT */
/* control_root.h - the control socket's part of the root struct (root.h): control_peer.c. */
#ifndef BROOD_SUPERVISOR_CONTROL_ROOT_H
#define BROOD_SUPERVISOR_CONTROL_ROOT_H

#include "../loop/loop.h"
#include "../wire/control_request.h"

/* A connection of the control socket. source.fd -1: this place is free. */
struct control_connection {
	struct source source;
	struct timer timer; /* when the connection has been silent, or has waited, for too long */
	pid_t pid;          /* of the peer, as it was when it connected */
	uid_t user;
	uint32_t number; /* of this place */
	bool asked;      /* the request was read; its reply waits for one of two things: */
	uint64_t reload; /* this reload is over, in the pool of that number, or in all */
	uint32_t pool;
	uint64_t job;    /* the engine has answered about this job; 0: it waits for a reload */
	bool told, done; /* it has answered; it has ended that job */
};
/* The control socket: control_peer.c. reloads: how many reloads operators have begun. */
struct control {
	struct source listening; /* fd -1: there is none, or it rests */
	struct timer rest;
	uint64_t reloads;
	struct control_connection connections[CONTROL_CONNECTIONS];
};

#endif
