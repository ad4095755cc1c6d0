/* SPDX-License-Identifier: MIT */
/* journal.c - entries for systemd's journal: as a datagram, as a memory file, never blocking. */
#include "kernel.h"
#include "os/journal.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

TestSuite(kernel_journal, .timeout = 120);

static char path[64];

/* A socket that plays the journal. */
static int reader(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(path, sizeof path, "/tmp/brood-journal-%d", (int)getpid());
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void by_datagram(void)
{
	int fd = reader(), sent = 0, r;
	struct journal j;
	char text[64];

	journal_open(&j, path);
	CHECK_EQ(fcntl(j.fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(journal_send(&j, "MESSAGE=here\n", 13), 0);
	CHECK_EQ(recv(fd, text, sizeof text, MSG_DONTWAIT), 13);
	CHECK_EQ(memcmp(text, "MESSAGE=here\n", 13), 0);
	while ((r = journal_send(&j, "MESSAGE=more\n", 13)) == 0)
		CHECK_LT(++sent, 1000000);
	CHECK_EQ(r, -EAGAIN);
	close(fd);
	unlink(path);
	/* a journal that is gone is not one that has no room */
	r = journal_send(&j, "MESSAGE=gone\n", 13);
	CHECK(r < 0 && r != -EAGAIN);
	/* a journal that starts again is found again */
	fd = reader();
	CHECK_EQ(journal_send(&j, "MESSAGE=again\n", 14), 0);
	CHECK_EQ(recv(fd, text, sizeof text, MSG_DONTWAIT), 14);
	journal_close(&j);
	CHECK_EQ(j.fd, -1);
	CHECK_EQ(journal_send(&j, "MESSAGE=closed\n", 15), -EBADF);
	close(fd);
	unlink(path);
}

/* Reads the one fd that comes with an empty datagram. */
static int take_file(int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
	int file = -1;

	CHECK_EQ(recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 0);
	CHECK(message.msg_controllen >= sizeof control.header);
	memcpy(&file, CMSG_DATA(&control.header), sizeof file);
	return file;
}

static void by_file(void)
{
	static char entry[1 << 20], seen[sizeof entry];
	const int small = 4096;
	int fd = reader(), file;
	struct journal j;

	memset(entry, 'x', sizeof entry);
	memcpy(entry, "MESSAGE=", 8);
	entry[sizeof entry - 1] = '\n';
	journal_open(&j, path);
	CHECK_EQ(setsockopt(j.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	CHECK_EQ(journal_send(&j, entry, sizeof entry), 0);
	file = take_file(fd);
	CHECK_EQ(pread(file, seen, sizeof seen, 0), (ssize_t)sizeof seen);
	CHECK_EQ(memcmp(seen, entry, sizeof seen), 0);
	/* the journal reads only a file that nobody can change */
	CHECK_EQ(fcntl(file, F_GET_SEALS) &
			(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	close(file);
	journal_close(&j);
	close(fd);
	unlink(path);
}

static bool is_stderr(const char *text)
{
	const struct journal_stream stream = journal_stream(text);

	return journal_is_stderr(&stream);
}

static void knows_stderr(void)
{
	struct stat st;
	char stream[64];

	CHECK_EQ(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	CHECK(is_stderr(stream));
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + 1);
	CHECK(!is_stderr(stream));
	CHECK(!is_stderr(NULL));
	CHECK(!is_stderr(""));
	CHECK(!is_stderr("8:"));
	snprintf(stream, sizeof stream, "%llu:%llux", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	CHECK(!is_stderr(stream));
}

Test(kernel_journal, by_datagram) { case_run(by_datagram, 20000); }
Test(kernel_journal, by_file) { case_run(by_file, 20000); }
Test(kernel_journal, knows_stderr) { case_run(knows_stderr, 20000); }
