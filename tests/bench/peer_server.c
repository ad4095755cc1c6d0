/* SPDX-License-Identifier: MIT */
/*
 * peer_server.c - runs another program for a station. Between the two stands a keeper: a process
 * that waits until nobody holds the other end of a pipe any more, whatever ended the station. Then
 * the keeper kills the program's process group and removes the program's folder.
 */
#include "peers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

bool peer_server_find(const char *name, char *ret_path, size_t size)
{
	const char *path = getenv("PATH");
	char folders[4096], *rest = folders;

	snprintf(folders, sizeof folders, "%s:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "");
	for (const char *folder; (folder = strsep(&rest, ":"));) {
		glob_t found;
		bool any;

		snprintf(ret_path, size, "%s/%s", folder, name);
		any = glob(ret_path, 0, NULL, &found) == 0;
		if (any)
			snprintf(ret_path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
		if (any && access(ret_path, X_OK) == 0)
			return true;
	}
	return false;
}

void peer_server_folder(struct peer_server *server)
{
	const char *temporary = getenv("TMPDIR");
	int length = snprintf(server->folder, sizeof server->folder, "%s/brood-bench.XXXXXX",
		temporary && *temporary ? temporary : "/tmp");

	if (length >= (int)sizeof server->folder)
		snprintf(server->folder, sizeof server->folder, "/tmp/brood-bench.XXXXXX");
	station_need(mkdtemp(server->folder) != NULL, "mkdtemp");
}

void peer_server_file(const struct peer_server *server, const char *name, const char *text)
{
	char path[sizeof server->folder + 32];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", server->folder, name);
	file = fopen(path, "we");
	station_need(file && fputs(text, file) >= 0 && !fclose(file), path);
}

static void remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(folder);
}

static void be_program(int fd, char *const argv[]) __attribute__((noreturn));
static void be_program(int fd, char *const argv[])
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(fd, 0);
	dup2(fd, 1);
	if (!getenv("BROOD_BENCH_PEER_ERRORS"))
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
	close_range(3, ~0u, 0);
	execv(argv[0], argv);
	_exit(127);
}

static void keep(const struct peer_server *server, int life_fd, int fd, char *const argv[])
	__attribute__((noreturn));
static void keep(const struct peer_server *server, int life_fd, int fd, char *const argv[])
{
	char byte;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1); /* the program's workers are this process's in the end */
	signal(SIGINT, SIG_IGN);          /* Ctrl-C ends the station, and that ends this process */
	signal(SIGTERM, SIG_IGN);
	pid = fork();
	if (pid == 0)
		be_program(fd, argv);
	close(fd);
	if (pid > 0) {
		setpgid(pid, pid);
		while (read(life_fd, &byte, 1) < 0 && errno == EINTR)
			;
		do
			kill(-pid, SIGKILL);
		while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
	}
	if (*server->folder)
		remove_folder(server->folder);
	_exit(0);
}

void peer_server_start(struct peer_server *server, char *const argv[])
{
	int life[2], pair[2];

	station_need(!pipe2(life, O_CLOEXEC) &&
			!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		"a pipe and a socket pair");
	server->keeper = fork();
	station_need(server->keeper >= 0, "fork");
	if (server->keeper == 0) {
		close(life[1]);
		close(pair[0]);
		keep(server, life[0], pair[1], argv);
	}
	close(life[0]);
	close(pair[1]);
	server->life_fd = life[1];
	server->fd = pair[0];
}

void peer_server_end(struct peer_server *server)
{
	if (server->keeper <= 0)
		return;
	close(server->life_fd);
	while (waitpid(server->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	server->keeper = 0;
}
