/* SPDX-License-Identifier: MIT */
/* channel.h - reads what the supervisor says. All under brood.lock. */
#ifndef BROOD_ENGINE_CHANNEL_H
#define BROOD_ENGINE_CHANNEL_H

#include <brood.h>
#include <stdbool.h>

struct waiter;

/* Takes the fd out of the epoll behind brood_fd(). */
void channel_unwatch(struct brood *b, int fd);
/* The channel brings nothing more: makes over_fd readable, which each queue has in its epoll. */
void channel_all_over(struct brood *b);
/* Every job that is out is lost, also one whose frame still waits to be sent. */
void channel_give_up_all(struct brood *b, enum brood_detail detail);
/* The channel has ended, or carried nonsense: all jobs that are out are lost. */
void channel_lost(struct brood *b);
/* True: the fd still is the channel. False: the program closed it, and all jobs are lost now. */
bool channel_ours(struct brood *b);
/* Reads until the channel is empty or `until` is closed. reader: this thread's waiter (no poke). */
void channel_read(struct brood *b, struct waiter *reader, const struct brood_handle *until);
/* After a stop: channel, log, news and timer no longer make brood_fd() readable. */
void channel_leave(struct brood *b);

#endif
