/* SPDX-License-Identifier: MIT */
/* residue.c - see residue.h. */
#include "residue.h"

#include "../os/syscalls.h"
#include "hygiene.h"
#include "report.h"
#include "worker.h"

struct ending residue_look(uint64_t ran_ns)
{
	const uint32_t costly = BROOD_LEFT_THREADS | BROOD_LEFT_FDS | BROOD_LEFT_CHILDREN |
		BROOD_LEFT_MEMORY;
	struct hygiene_result result;
	struct ending e;

	report_called();
	syscalls_watch_again();
	result = hygiene_restore(ran_ns);
	e.left = result.left;
	e.retiring = result.broken ||
		(result.left & costly & ~the_worker.config->options->tolerate);
	if (!e.retiring)
		hygiene_tolerate(result.left);
	return e;
}
