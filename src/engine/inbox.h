/* SPDX-License-Identifier: MIT */
/*
 * inbox.h - notes for a queue: a lease was granted, a lease has ended, a lease may be asked for, a
 * handed-off job has its verdict or has said something, an operator wants a job to end. A queue and
 * each of its leases have a part here, so that the files which read the channel need not know what
 * a queue is.
 */
#ifndef BROOD_ENGINE_INBOX_H
#define BROOD_ENGINE_INBOX_H

#include "../pool/line.h"
#include "../wire/message.h"
#include <stdatomic.h>

/* A queue's part. */
struct inbox {
	/* guarded by: nothing, it is constant until the queue's fds are gone; then -1 */
	int wake_fd;
	/* guarded by: nothing, it is atomic */
	_Atomic bool full;
	/* guarded by: brood.lock */
	struct list leases;      /* leases of which the supervisor said something */
	struct list handles;     /* handles of handed-off submits */
	struct list kept;        /* handles of submitted jobs that are kept: job_files.h */
	struct list keeps;       /* in brood.keepers while there are such handles */
	struct list log;         /* in brood.log_waits while the queue does not watch the log */
	bool log_free;           /* the log callback is through: the queue watches the log again */
	struct line_place place; /* in brood_pool.line while the queue waits to ask for a lease */
	bool may_ask;    /* the queue may ask for a lease: a note that it has not read yet */
	struct list all; /* in brood.inboxes, as long as there is the queue */
	uint32_t wishes; /* a bit for each of the wishes that the queue has not read yet */
};

/* A lease's part. Under brood.lock, except `to`, and `over` once the queue has taken it. */
struct lease_news {
	struct inbox *to;
	struct list link; /* inbox.leases */
	uint64_t id;      /* the id of the lease's record */
	uint32_t page;    /* the number of the lease page, or RECORD_NO_PAGE */
	bool has_granted, has_over;
	struct message_granted granted;
	struct message_lease_over over;
};

/*
 * Makes the queue's leader look again, or the program that polls the queue's fd. May be called
 * under any lock.
 */
void inbox_poke(struct inbox *inbox);

/* Under brood.lock: notes that something was said of the lease or handle that `link` is in. */
void inbox_add(struct inbox *inbox, struct list *link, struct list *to);
void inbox_add_lease(struct lease_news *news);
/* A lease or a request has ended, so there is room: the first queue in the line may ask. */
void inbox_room(struct line *line);
/* The queue leaves the line. asked: it has asked for a lease; else it wants none any more. */
void inbox_leave_line(struct inbox *inbox, struct line *line, bool asked);
/* The log can be read again: tells each queue in `waits`. */
void inbox_log_free(struct list *waits);
/* Notes that the lease was refused: the request never came to the supervisor. */
void inbox_lease_refused(struct lease_news *news, enum brood_detail detail);

#endif
