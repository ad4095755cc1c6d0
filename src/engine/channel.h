/* SPDX-License-Identifier: MIT */
/* channel.h - reads what the supervisor says. All under brood.lock. */
#ifndef BROOD_ENGINE_CHANNEL_H
#define BROOD_ENGINE_CHANNEL_H

#include <brood.h>
#include <stdbool.h>

struct waiter;

/* takes the fd out of the epoll behind brood_fd() */
void channel_unwatch(struct brood *b, int fd);
/* nothing will come any more: makes over_fd readable, which each queue has in its epoll */
void channel_all_over(struct brood *b);
/* every job that is out is lost; also those in the outbox */
void channel_give_up_all(struct brood *b, enum brood_detail detail);
/* the channel has ended, or carried nonsense: all that is out is lost */
void channel_lost(struct brood *b);
/* the fd is still the channel; else all is lost now */
bool channel_ours(struct brood *b);
/* until it is empty, or `until` is closed. reader: this thread, who needs no poke */
void channel_read(struct brood *b, struct waiter *reader, const struct brood_handle *until);
/* brood_fd() says nothing any more */
void channel_leave(struct brood *b);

#endif
