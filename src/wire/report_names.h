/* SPDX-License-Identifier: MIT */
/*
 * report_names.h - puts names of modules and functions into a death report. Reads the ELF files of
 * the modules, which may block: for the resolver (supervisor/resolver.c), and for programs outside.
 */
#ifndef BROOD_WIRE_REPORT_NAMES_H
#define BROOD_WIRE_REPORT_NAMES_H

#include "trace_page.h"

#include <sys/types.h>

/* The modules of the frames, as a worker left them, with each text ended and each count checked. */
struct report_names_from {
	const uint16_t *module; /* of each frame of the report: an index, or TRACE_NOWHERE */
	const struct trace_module *modules;
	uint32_t modules_count;
	/*
	 * The files are those of this process: its program, and paths below its root directory. 0:
	 * of the caller, which is a fork of the same program as the worker.
	 */
	pid_t process;
};
/* A frame whose name cannot be had stays as it is. */
void report_names(struct brood_report *report, const struct report_names_from *from);

#endif
