/* SPDX-License-Identifier: MIT */
/* control_request.c - see control_request.h */
#include "control_request.h"

#include "../base/base.h"

_Static_assert(sizeof(struct control_request) == 40 + BROOD_POOL_NAME_MAX, "no padding");
_Static_assert(sizeof(struct control_reply) == 24 + CONTROL_TEXT_MAX, "no padding");

/* Which fields each command uses. */
enum { USES_POOL = 1, USES_SIZE = 2, USES_SLOT = 4, USES_JOB = 8, USES_WAIT = 16 };
static const struct {
	const char *word;
	uint32_t uses;
} commands[CONTROL_COMMANDS] = {
	[CONTROL_RELOAD] = { "reload", USES_POOL | USES_WAIT },
	[CONTROL_RESIZE] = { "resize", USES_POOL | USES_SIZE },
	[CONTROL_RETIRE] = { "retire", USES_SLOT },
	[CONTROL_KILL] = { "kill", USES_SLOT },
	[CONTROL_CANCEL] = { "cancel", USES_JOB },
	[CONTROL_DRAIN] = { "drain", 0 },
};

const char *control_request_word(uint32_t command)
{
	return command < ARRAY_SIZE(commands) ? commands[command].word : NULL;
}

static bool pool_is_sane(const char pool[BROOD_POOL_NAME_MAX])
{
	size_t length = strnlen(pool, BROOD_POOL_NAME_MAX);

	if (length == BROOD_POOL_NAME_MAX)
		return false;
	for (size_t i = 0; i < BROOD_POOL_NAME_MAX; i++)
		if (i < length ? (unsigned char)pool[i] < ' ' || pool[i] == 0x7f : pool[i] != 0)
			return false;
	return true;
}

/* True: fields that the command does not use are 0. */
static bool is_plain(const struct control_request *r, uint32_t uses)
{
	return r->reserved32 == 0 && ((uses & USES_POOL) || !r->pool[0]) &&
		((uses & USES_SIZE) || (r->min == 0 && r->max == 0)) &&
		((uses & USES_SLOT) || r->slot == 0) && ((uses & USES_JOB) || r->job == 0) &&
		((uses & USES_WAIT) || r->wait_ms == 0);
}

/* A sentence, or NULL: the fields make sense. */
static const char *nonsense(const struct control_request *r)
{
	const char *word = control_request_word(r->command);

	if (!word)
		return "this brood does not know that command: take the tools of its library";
	if (!pool_is_sane(r->pool) || !is_plain(r, commands[r->command].uses))
		return "the request makes no sense: take the tools of this brood's library";
	if (r->command == CONTROL_RESIZE && (r->max == 0 || r->min > r->max))
		return "resize wants MIN and MAX workers: MAX is at least 1, and not below MIN";
	if (r->command == CONTROL_CANCEL && r->job == 0)
		return "cancel wants the id of a job, which is never 0";
	return NULL;
}

int control_request_check(
	const void *bytes, size_t size, struct control_request *ret, const char **ret_why)
{
	struct control_request r;
	const char *why;

	memset(&r, 0, sizeof r);
	memcpy(&r, bytes, MIN(size, sizeof r));
	if (size < offsetof(struct control_request, command) || r.magic != CONTROL_MAGIC) {
		*ret_why = "that is no request: use brood-ctl";
		return -EPROTO;
	}
	if (r.version != CONTROL_VERSION || r.size != sizeof r || size != sizeof r) {
		*ret_why = "the request is of another version: take the tools of this brood's "
			   "library";
		return -EPROTO;
	}
	why = nonsense(&r);
	if (why) {
		*ret_why = why;
		return -EINVAL;
	}
	*ret = r;
	return 0;
}

int control_request_check_reply(const void *bytes, size_t size, struct control_reply *ret)
{
	struct control_reply r;

	if (size != sizeof r)
		return -EPROTO;
	memcpy(&r, bytes, sizeof r);
	if (r.magic != CONTROL_MAGIC || r.version != CONTROL_VERSION || r.size != sizeof r ||
		r.result > 0 || !memchr(r.text, '\0', sizeof r.text))
		return -EPROTO;
	*ret = r;
	return 0;
}
