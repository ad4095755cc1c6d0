/* SPDX-License-Identifier: MIT */
/* signal_source.h - acts on signals, which come by signalfd. */
#ifndef BROOD_SUPERVISOR_SIGNAL_SOURCE_H
#define BROOD_SUPERVISOR_SIGNAL_SOURCE_H

#include "root.h"

int signal_source_prepare(struct supervisor *s);
source_fn signal_source_readable;

#endif
