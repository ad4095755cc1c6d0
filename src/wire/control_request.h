/* SPDX-License-Identifier: MIT */
/*
 * control_request.h - what goes over the control socket (supervisor/control_peer.h): one request
 * and one reply a connection, each one SEQPACKET packet of a fixed size. The two ends may be of
 * different builds, so nothing in a request is believed: control_request_check() looks at every
 * byte. It makes no system call, and is fuzzed.
 */
#ifndef BROOD_WIRE_CONTROL_REQUEST_H
#define BROOD_WIRE_CONTROL_REQUEST_H

#include <brood.h>

#define CONTROL_MAGIC    0x746c7463u
#define CONTROL_VERSION  1
#define CONTROL_TEXT_MAX 224
/* How many connections the supervisor keeps at a time. */
#define CONTROL_CONNECTIONS 16
/* The files of a control socket: itself, its connections, and one that is refused. */
#define CONTROL_FILES (CONTROL_CONNECTIONS + 2)

enum control_command {
	CONTROL_RELOAD = 1, /* pool ("": all), wait_ms (0: the reply says that the reload began) */
	CONTROL_RESIZE,     /* pool ("": the first), min, max */
	CONTROL_RETIRE,     /* slot */
	CONTROL_KILL,       /* slot */
	CONTROL_CANCEL,     /* job */
	CONTROL_DRAIN,
	CONTROL_COMMANDS
};
/* Fields that the command does not use are 0. `pool` is zero from its NUL on. */
struct control_request {
	uint32_t magic;
	uint16_t version, size;
	uint32_t command, slot, min, max, wait_ms, reserved32;
	uint64_t job;
	char pool[BROOD_POOL_NAME_MAX];
};
/* result: 0 or -errno. text: what happened, or what to do; it ends with a NUL. */
struct control_reply {
	uint32_t magic;
	uint16_t version, size;
	int32_t result;
	uint32_t reserved32;
	uint64_t id; /* of a reload: its number; else 0 */
	char text[CONTROL_TEXT_MAX];
};

/* "reload", ...; NULL: there is no such command. */
const char *control_request_word(uint32_t command);
/*
 * Checks `size` received bytes. Returns 0, with the request in *ret; or -EPROTO, -EINVAL, with a
 * sentence in *ret_why.
 */
int control_request_check(
	const void *bytes, size_t size, struct control_request *ret, const char **ret_why);
/* 0 or -EPROTO: checks a reply, for the tools. */
int control_request_check_reply(const void *bytes, size_t size, struct control_reply *ret);

#endif
