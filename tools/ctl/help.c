/* SPDX-License-Identifier: MIT */
/* help.c - what --help prints. */
#include "ctl.h"

const char ctl_help[] =
	"Usage: brood-ctl [OPTION]... [PID|NAME] COMMAND\n"
	"Says what a brood does, whatever state it is in. PID: any process of it. NAME: its name.\n"
	"Without both: the only brood of this user.\n"
	"\n"
	"  status                  its pools: workers, queue, jobs, deaths, times\n"
	"  workers                 a line for each worker: what it runs, and what it waits on\n"
	"  metrics                 OpenMetrics text: brood-metrics(7)\n"
	"  wait ready              waits until it takes jobs (readiness)\n"
	"  check                   tells whether its supervisor and engine can do their work\n"
	"                          (liveness)\n"
	"\n"
	"      --json              the same for programs: status, workers\n"
	"      --pool NAME|NUMBER  one pool alone\n"
	"      --timeout SEC       how long to wait: wait ready (default: 60; 0 looks once), "
	"check\n"
	"                          (default: 1)\n"
	"  -h, --help    -V, --version\n"
	"\n"
	"Exit code: 0: fine; 1: not ready, or not alive; 2: wrong usage; 3: no such brood or\n"
	"pool; 4: another user's; 5: several broods are meant; 6: the page cannot be read, or\n"
	"the output not be written.\n";
