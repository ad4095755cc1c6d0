/* SPDX-License-Identifier: MIT */
/*
 * labels.h - stable words for the numbers of a status page, as metrics and scripts have them: small
 * letters and "_". They never change.
 */
#ifndef BROOD_WIRE_LABELS_H
#define BROOD_WIRE_LABELS_H

#include <stdint.h>

/* The word for a number. NULL: this library knows no such number. */
const char *labels_outcome(uint32_t outcome); /* enum brood_outcome */
const char *labels_detail(uint32_t detail);   /* enum brood_detail; "" for none */
const char *labels_cause(uint32_t cause);     /* enum brood_status_cause */
const char *labels_report(uint32_t cause);    /* enum brood_report_cause */

#endif
