/* SPDX-License-Identifier: MIT */
/* help.c - what --help prints. */
#include "doctor.h"

const char doctor_help[] =
	"Usage: brood-doctor [OPTION]... [UNIT]\n"
	"Says what a program with Brood would lack here: FAULT, jobs or workers are lost; NOTE,\n"
	"it works less well than it could. Each has its cure. Looked at are limits, cgroup and\n"
	"kernel, as a program finds them that is started from this shell; or a process; or UNIT,\n"
	"the path or the name of a systemd unit.\n"
	"\n"
	"      --workers N         so many workers (default: one a CPU; of a brood: its own)\n"
	"      --memory BYTES      what one worker may take, as 64M (of a brood: its own)\n"
	"      --drain TIME        how long jobs may take at a stop, as 30s (default: 5s)\n"
	"      --pid PID           looks at this process; of a brood, any of its processes\n"
	"      --sysroot DIR       reads all files below DIR, and tries nothing out\n"
	"      --json              the same for programs\n"
	"  -h, --help    -V, --version\n"
	"\n"
	"Exit code: 0: no fault; 1: a fault; 2: wrong usage; 3: no such process or unit; 4:\n"
	"another user's; 6: the output cannot be written.\n";
