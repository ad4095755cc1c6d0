/* SPDX-License-Identifier: MIT */
#include "hostile_loot.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct loot loot;

static void find_memory(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], rights[8];

	while (maps && fgets(line, sizeof line, maps) && loot.areas_count < 64) {
		struct area *a = &loot.areas[loot.areas_count];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[3] != 's' ||
			strstr(line, "memfd:report"))
			continue;
		*a = (struct area){ .at = (unsigned char *)from,
			.size = to - from,
			.writable = rights[1] == 'w',
			.own = rights[1] != 'w' && strstr(line, "brood-status"),
			.down = strstr(line, "brood-down"),
			.up = strstr(line, "brood-up") };
		if (a->up && a->size >= sizeof(struct ring_up))
			loot.up = (struct ring_up *)(void *)a->at;
		else if (a->writable && a->size == 4096 && strstr(line, "brood-status"))
			loot.page = (struct slot_page *)(void *)a->at;
		loot.areas_count++;
	}
	if (maps)
		fclose(maps);
}

static void find_fds(void)
{
	for (int fd = 3; fd < 200; fd++) {
		char path[64], target[256];
		ssize_t n;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strstr(target, "memfd:report"))
			continue;
		if (strstr(target, "memfd:") && loot.memfds_count < 64)
			loot.memfds[loot.memfds_count++] = fd;
		else if (strstr(target, "socket:") && loot.sockets_count < 64)
			loot.sockets[loot.sockets_count++] = fd;
		else if (strstr(target, "eventfd") && loot.events_count < 64)
			loot.events[loot.events_count++] = fd;
		else if (loot.others_count < 64)
			loot.others[loot.others_count++] = fd;
	}
}

void loot_find(void)
{
	memset(&loot, 0, sizeof loot);
	find_memory();
	find_fds();
}
