/* SPDX-License-Identifier: MIT */
/*
 * peers.h - --peers: what users would take instead of the library, beside it, in the same seconds.
 *
 *   peers.c          a process for each job, by fork() and by posix_spawn(), from many threads; and
 *                    php-fpm, with a connection for each job
 *   peer_script.c    Python's ProcessPoolExecutor and node's child_process. The scripts are in
 *                    this program. They count their own jobs: their users write Python and node.
 *   peer_server.c    a process that runs another program for a station, and leaves nothing of it
 *   plan_peers.c     the rows
 *   markdown.c       the tables of the README
 *
 * Nothing here uses a network. A peer that is not installed is named as such.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "bench.h"

/* ---- callers.c: many threads, of which each has one job out ---- */
void callers_open_by(const struct params *p, void (*one)(uint32_t thread));
void callers_block(const struct params *p, uint32_t jobs, double *values);

/* ---- fork.c: a process that answers on pair[1] ---- */
pid_t fork_echo(const int *pair);
pid_t spawn_echo(const int *pair);

/* ---- peer_server.c ---- */
struct peer_server {
	pid_t keeper;
	int life_fd; /* when the last copy is closed, the keeper ends all */
	int fd;      /* the program's standard input and output */
	char folder[64];
};
/* A folder for the program's files, which goes when the program ends. */
void peer_server_folder(struct peer_server *server);
/* Writes a file into the folder. */
void peer_server_file(const struct peer_server *server, const char *name, const char *text);
/* Starts the program argv[0]. All processes that it makes in its process group end with it. */
void peer_server_start(struct peer_server *server, char *const argv[]);
/* Returns when nothing is left. */
void peer_server_end(struct peer_server *server);
/* Finds a program in PATH and in the folders of servers. False: it is not installed. */
bool peer_server_find(const char *name, char *ret_path, size_t size);

extern const struct kind peer_fork, peer_spawn, peer_fpm, peer_python, peer_node;

#define PEERS_GROUP "peers"
#define GROWS_GROUP "grows"

/* plan_peers.c */
void plan_peers(struct plan *plan, bool quick);
/* markdown.c */
void markdown_write(FILE *file, const struct plan *plan, const struct settings *settings);

#endif
