/* SPDX-License-Identifier: MIT */
/*
 * journal.h - sends entries to systemd's journal without ever blocking. An entry is fields in the
 * journal's own form (wire/journal_entry.h).
 */
#ifndef BROOD_OS_JOURNAL_H
#define BROOD_OS_JOURNAL_H
#include "../base/base.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal {
	int fd; /* -1: no journal */
	const char *path;
};
/* The stream that leads to the journal; inode 0: there is none. */
struct journal_stream {
	unsigned long long device, inode;
};
/* text: what $JOURNAL_STREAM says, "DEVICE:INODE"; or NULL. */
struct journal_stream journal_stream(const char *text);
/* True: stderr leads to the journal. From here on all is async-signal-safe. */
bool journal_is_stderr(const struct journal_stream *stream);
/* path: the journal's socket, a constant. If there is no fd, the journal stays closed. */
void journal_open(struct journal *j, const char *path);
/*
 * Sends one entry. Returns 0. -EAGAIN: the journal has no room now, and the entry was dropped.
 * Another -errno: the journal cannot be reached from here.
 */
int journal_send(const struct journal *j, const void *entry, size_t size);
void journal_close(struct journal *j);
#endif
