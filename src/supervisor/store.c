/* SPDX-License-Identifier: MIT */
/*
 * store.c - the kept fds (pool/kept.h) in the supervisor. The service manager stores a copy of
 * each, and passes the copies to the next start of the unit, as LISTEN_FDS: so a listening socket
 * or a memory file outlives a kill of all processes.
 *
 * Files that were passed at the start are not stored anew: the service manager has them already, in
 * its store or in a socket unit.
 *
 * FDPOLL=0: systemd would drop a stored file by itself when poll() says HUP or ERR, and the table
 * would not know. The program decides what is kept.
 */
#include "store.h"
#include "logging.h"
#include "notifier.h"
#include "../os/closing.h"
#include "../os/fds.h"

#include <stdio.h>
#include <sys/stat.h>

/*
 * True: both are one socket. Then there is nothing to tell, and no moment in which a kill would
 * find neither the old nor the new one stored. (Other files may share an inode and still differ.)
 */
static bool is_same_socket(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && S_ISSOCK(x.st_mode) &&
		x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool has_it(struct supervisor *s, const char *name, int fd)
{
	int old;

	return fd >= 0 && kept_find(&s->config.kept, name, &old, 1) == 1 && is_same_socket(old, fd);
}

static void say_crowded(struct supervisor *s, const char *name)
{
	uint32_t stored = kept_stored(&s->config.kept);

	if (stored > s->config.store_room)
		plain_log(s, BROOD_WARNING, BROOD_EVENT_RESOURCE,
			"brood_keep: %u fds are kept, and the service manager stores %u: \"%s\" "
			"may be missing after a restart of the unit: raise FileDescriptorStoreMax=",
			stored, s->config.store_room, name);
}

static void set(struct supervisor *s, const char *name, int fd)
{
	int old[KEPT_MAX], count = kept_set(&s->config.kept, name, fd, old);

	if (count < 0) {
		plain_log(s, BROOD_WARNING, BROOD_EVENT_RESOURCE,
			"brood_keep: \"%s\" is not kept: the service manager has not read its "
			"socket for long",
			name);
		closing_fd(fd);
		return;
	}
	while (count > 0)
		closing_fd(old[--count]);
	if (fd >= 0)
		say_crowded(s, name);
	note(s, NOTE_POOL);
}

void store_hear(struct supervisor *s, struct frame *f)
{
	const char *name = f->asked.keep.name;
	int fd;

	if (!kept_name_is_good(name)) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine keeps an fd under a name that makes no sense; its library's "
			"memory is damaged");
		return;
	}
	if (f->fds_count < f->header.fds) {
		plain_log(s, BROOD_WARNING, BROOD_EVENT_RESOURCE,
			"brood_keep: \"%s\" is not kept: its fd did not arrive (limit on open "
			"files)",
			name);
		return;
	}
	fd = frame_take_fd(f, 0);
	if (has_it(s, name, fd))
		closing_fd(fd);
	else
		set(s, name, fd);
}

/* False: there is no descriptor for the message now. */
static bool tell(struct supervisor *s, const struct kept_file *file, enum kept_word word)
{
	char text[KEPT_NAME_MAX + 64];
	bool store = word == KEPT_STORE;
	int fd = store ? fds_dup_above(file->fd, 3) : -1;

	if (store && fd < 0)
		return false;
	snprintf(text, sizeof text, "%s=1\nFDNAME=%s%s", store ? "FDSTORE" : "FDSTOREREMOVE",
		file->name, store ? "\nFDPOLL=0" : "");
	notifier_send_fd(s, NOTICE_PLAIN, text, fd);
	return true;
}

/*
 * A message goes only when none waits in front of it: so what the service manager does not take yet
 * waits here, where a newer word replaces it, and takes no room from other messages.
 */
bool store_flush(struct supervisor *s)
{
	struct kept_file *file;
	enum kept_word word;

	while ((file = kept_next(&s->config.kept, &word))) {
		if (notices_first(&s->notifier.notices))
			return false; /* notifier.c notes when none waits any more */
		if (!tell(s, file, word)) {
			note(s, NOTE_RETRY);
			return false;
		}
		kept_was_told(&s->config.kept, file, word);
	}
	return true;
}
