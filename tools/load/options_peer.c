/* SPDX-License-Identifier: MIT */
/* options_peer.c - --peer: the same load on something else than a pool of this library. */
#include "load.h"
#include "options.h"
#include "options_text.h"

#include <string.h>
#include <sys/un.h>

/* peer_control.c: a job is one message. PHP has at most 8 MB as the body of a request. */
#define CONTROL_SIZE_MAX (63u << 10)
#define FPM_SIZE_MAX     (4u << 20)

#define KIND(kind)    (1u << (kind))
#define KINDS_PLAIN   (KIND(KIND_NOP) | KIND(KIND_ECHO) | KIND(KIND_SPIN) | KIND(KIND_SLEEP))
#define KINDS_CONTROL (KINDS_PLAIN | KIND(KIND_ALLOC) | KIND(KIND_SYSCALLS) | KIND(KIND_FAIL))

static const struct peer {
	const char *name;
	enum way way;
	uint32_t kinds; /* a set of 1 << enum kind */
	const char *kinds_text, *why;
	size_t size_max;
} peers[] = {
	{ "fork", WAY_FORK, KINDS_CONTROL | KIND(KIND_CRASH) | KIND(KIND_EXIT),
		JOB_SPEC_NEEDS_NO_POOL, "nobody would end it or clean up after it", SIZE_MAX },
	{ "posix_spawn", WAY_SPAWN, KINDS_CONTROL | KIND(KIND_CRASH) | KIND(KIND_EXIT),
		JOB_SPEC_NEEDS_NO_POOL, "nobody would end it or clean up after it", SIZE_MAX },
	{ "control", WAY_CONTROL, KINDS_CONTROL,
		"nop, echo, sleep, spin with a time, alloc, syscalls and fail",
		"a plain worker that dies tells nobody", CONTROL_SIZE_MAX },
	{ "fpm", WAY_FPM, KINDS_PLAIN, "nop, echo, sleep, and spin with a time",
		"its script does no more", FPM_SIZE_MAX },
};

enum { OPT_PEER = OPTIONS_PEER_FIRST };

static const struct option longs[] = { { "peer", required_argument, NULL, OPT_PEER } };

static const struct peer *peer_of(const char *text, size_t length)
{
	for (unsigned i = 0; i < COUNT_OF(peers); i++) {
		if (strlen(peers[i].name) == length && !strncmp(peers[i].name, text, length))
			return &peers[i];
	}
	return NULL;
}

static int peer(const char *text, struct options *o)
{
	size_t length = strcspn(text, ":");
	const struct peer *p = peer_of(text, length);
	const char *socket = text[length] ? text + length + 1 : NULL;

	if (!p)
		return options_wrong(
			"--peer wants fork, posix_spawn, control or fpm:SOCKET, not \"%s\"", text);
	if (p->way == WAY_FPM && (!socket || !*socket))
		return options_wrong("--peer fpm wants the server's Unix socket, as in "
				     "fpm:/run/php/php-fpm.sock");
	if (p->way == WAY_FPM && strlen(socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return options_wrong("--peer fpm: the path of a Unix socket has at most %zu bytes",
			sizeof((struct sockaddr_un *)0)->sun_path - 1);
	if (p->way != WAY_FPM && socket)
		return options_wrong("--peer %s takes no socket", p->name);
	o->peer = p->name;
	o->peer_socket = socket;
	return 0;
}

static int take(int option, const char *text, struct options *o)
{
	return option == OPT_PEER ? peer(text, o) : OPTIONS_NOT_MINE;
}

/* NULL: every option fits. */
static const char *option_of_pools(const struct options *o)
{
	const struct {
		bool given;
		const char *name;
	} rows[] = {
		{ o->way_given, "--call" },
		{ o->dispatch_given, "--dispatch" },
		{ o->compare, "--compare" },
		{ o->pools > 1, "--pools" },
		{ o->reload_every_s > 0, "--reload-every" },
		{ o->resize_ms > 0, "--resize" },
		{ options_kill(o), "--chaos and no kills" },
		{ o->idle_s >= 0, "--idle" },
		{ o->deadline_ms > 0, "--deadline" },
		{ o->spec.keys > 0, "--keys" },
		{ o->spec.tags, "--tags" },
		{ o->spec.priorities.count > 1, "--priority" },
		{ o->user_job != NULL, "--user-job" },
	};

	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].given)
			return rows[i].name;
	}
	return NULL;
}

static int kinds_fit(const struct options *o, const struct peer *p)
{
	for (unsigned k = 0; k < KINDS; k++) {
		enum kind kind = (enum kind)k;

		if (job_spec_weight(&o->spec, kind) > 0 &&
			(!(p->kinds & KIND(k)) || !job_spec_needs_no_pool(&o->spec, kind)))
			return options_wrong("--peer %s takes %s; not \"%s\": %s", p->name,
				p->kinds_text, kind_name(kind), p->why);
	}
	return 0;
}

static int together(struct options *o)
{
	const struct peer *p = o->peer ? peer_of(o->peer, strlen(o->peer)) : NULL;
	const char *misfit = p ? option_of_pools(o) : NULL;

	if (!p)
		return 0;
	if (misfit)
		return options_wrong(
			"--peer %s has no pool of this library: it takes no %s", p->name, misfit);
	if (o->size_max > p->size_max)
		return options_wrong(
			"--peer %s takes sizes up to %zuK", p->name, p->size_max >> 10);
	o->way = p->way;
	return kinds_fit(o, p);
}

static const char help[] =
	"      --peer fork|posix_spawn|control|fpm:SOCKET   gives the same load to something\n"
	"                          else than a pool of this library, with the same report\n"
	"                          fork         a fork() for each job\n"
	"                          posix_spawn  this program anew for each job\n"
	"                          control      -w plain workers on one shared socket (not to be\n"
	"                                       taken for the option --control)\n"
	"                          fpm:SOCKET   a FastCGI server, such as php-fpm, on this\n"
	"                                       Unix socket; it has workers of its own\n";

const struct options_part options_peer = { longs, COUNT_OF(longs), take, together, help };
