/* SPDX-License-Identifier: MIT */
/* machine.c - see machine.h. No name of the host: reports are shown to others. */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* x86 says "model name", others "Processor" or "cpu model". */
static void look_at_model(char *ret, size_t size)
{
	static const char *const keys[] = { "model name", "Processor", "cpu model", "Model" };
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	*ret = 0;
	while (file && !*ret && fgets(line, sizeof line, file)) {
		const char *colon = strchr(line, ':');

		line[strcspn(line, "\n")] = 0;
		for (unsigned i = 0; colon && i < sizeof keys / sizeof keys[0]; i++) {
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				snprintf(ret, size, "%s", colon + 1 + strspn(colon + 1, " "));
		}
	}
	if (file)
		fclose(file);
}

void machine_look(struct machine *ret)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	struct utsname name;
	cpu_set_t cpus;

	memset(ret, 0, sizeof *ret);
	look_at_model(ret->cpu, sizeof ret->cpu);
	if (uname(&name) == 0)
		snprintf(ret->kernel, sizeof ret->kernel, "%.40s %.64s %.40s", name.sysname,
			name.release, name.machine);
	ret->cpus = sched_getaffinity(0, sizeof cpus, &cpus) == 0
		? (unsigned)CPU_COUNT(&cpus)
		: (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	ret->memory = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
	if (getloadavg(&ret->load_before, 1) != 1)
		ret->load_before = -1;
}
