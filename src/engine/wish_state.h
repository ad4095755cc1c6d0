/* SPDX-License-Identifier: MIT */
/* wish_state.h - the wishes of operators that queues have yet to look at: wishes.h. */
#ifndef BROOD_ENGINE_WISH_STATE_H
#define BROOD_ENGINE_WISH_STATE_H

#include "../base/base.h"
#include "../wire/message.h"

/* As many as connections that the supervisor serves at a time (wire/control_request.h). */
#define WISHES_MAX 16

/* inboxes: of all queues. id 0: no wish. left: how many queues have not looked yet. */
struct wishes {
	struct list inboxes;
	struct wishes_one {
		uint64_t id;
		uint32_t left;
	} list[WISHES_MAX];
	uint32_t next;
};

#endif
