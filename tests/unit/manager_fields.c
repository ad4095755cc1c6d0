/* SPDX-License-Identifier: MIT */
/* manager_fields.c - fields for the service manager: which are refused, and what they ask for. */
#include "pool/manager_fields.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(unit_manager_fields, .timeout = 20);

#define MAX_SIZE 1000

static struct manager_fields_finding check(const char *fields)
{
	return manager_fields_check(fields, MAX_SIZE);
}

static void refused(
	const char *fields, enum manager_fields_fault fault, uint32_t line, const char *key)
{
	struct manager_fields_finding f = check(fields);

	cr_assert_eq(f.fault, fault, "%s: %d", fields, f.fault);
	cr_assert_eq(f.line, line, "%s: line %u", fields, f.line);
	cr_assert_str_eq(f.key, key);
	cr_assert_eq(fault == MANAGER_FIELDS_OURS, f.instead != NULL);
}

Test(unit_manager_fields, fine)
{
	static const char *const fine[] = { "READY=1", "RELOADING=1",
		"RELOADING=1\nMONOTONIC_USEC=12", "STATUS=", "STATUS=a=b; c",
		"EXTEND_TIMEOUT_USEC=1000000", "ERRNO=5\nSTATUS=no file\nX_MINE=1",
		"WATCHDOG=trigger", "NOTIFYACCESS=all", "X_1=\xc3\xa4" };

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		cr_assert_eq(check(fine[i]).fault, MANAGER_FIELDS_FINE, "%s", fine[i]);
}

Test(unit_manager_fields, what_is_refused)
{
	refused("", MANAGER_FIELDS_EMPTY, 0, "");
	refused("READY", MANAGER_FIELDS_LINE, 1, "READY");
	refused("READY=1\n", MANAGER_FIELDS_LINE, 2, "");
	refused("\nREADY=1", MANAGER_FIELDS_LINE, 1, "");
	refused("A=1\n\nB=2", MANAGER_FIELDS_LINE, 2, "");
	refused("=1", MANAGER_FIELDS_KEY, 1, "");
	refused("Ready=1", MANAGER_FIELDS_KEY, 1, "Ready");
	refused("A=1\nB C=2", MANAGER_FIELDS_KEY, 2, "B C");
	refused("STATUS=a\tb", MANAGER_FIELDS_CONTROL, 1, "STATUS");
	refused("STATUS=a\r\nREADY=1", MANAGER_FIELDS_CONTROL, 1, "STATUS");
	refused("STATUS=a\x7f", MANAGER_FIELDS_CONTROL, 1, "STATUS");
	refused("STATUS=hello\nworld", MANAGER_FIELDS_LINE, 2, "world");
	refused("STATUS=hello\nMAINPID=1", MANAGER_FIELDS_OURS, 2, "MAINPID");
	refused("WATCHDOG=1", MANAGER_FIELDS_OURS, 1, "WATCHDOG");
	refused("STOPPING=1", MANAGER_FIELDS_OURS, 1, "STOPPING");
	refused("BARRIER=1", MANAGER_FIELDS_OURS, 1, "BARRIER");
	refused("FDSTORE=1\nFDNAME=x", MANAGER_FIELDS_OURS, 1, "FDSTORE");
	refused("A\x01"
		"B",
		MANAGER_FIELDS_LINE, 1, "A?B");
}

Test(unit_manager_fields, the_bound)
{
	char text[MAX_SIZE + 1];

	memset(text, 'x', sizeof text);
	memcpy(text, "STATUS=", 7);
	text[MAX_SIZE] = '\0';
	cr_assert_eq(check(text).fault, MANAGER_FIELDS_LONG);
	text[MAX_SIZE - 1] = '\0';
	cr_assert_eq(check(text).fault, MANAGER_FIELDS_FINE);
}

Test(unit_manager_fields, what_they_ask_for)
{
	struct manager_fields f;

	manager_fields_read("RELOADING=1\nMONOTONIC_USEC=7", &f);
	cr_assert(f.reloading && f.timed && !f.ready && !f.has_status && !f.has_errno);
	cr_assert_str_eq(f.rest, "RELOADING=1\nMONOTONIC_USEC=7\n");
	manager_fields_read("X_A=1\nSTATUS=first\nREADY=1\nERRNO=5\nSTATUS=second", &f);
	cr_assert(f.ready && f.has_status && f.has_errno && !f.reloading);
	cr_assert_str_eq(f.status, "second");
	cr_assert_str_eq(f.rest, "X_A=1\nERRNO=5\n");
	manager_fields_read("READY=1", &f);
	cr_assert_str_eq(f.rest, "");
	manager_fields_read("READY=10\nRELOADING=0", &f);
	cr_assert(!f.ready && !f.reloading);
	cr_assert_str_eq(f.rest, "READY=10\nRELOADING=0\n");
}

/* Whatever is checked and found fine has only lines of KEY=VALUE, and all of them come out. */
Test(unit_manager_fields, any_text)
{
	static const char letters[] = "A=\nB1_=x\n=\rSTATUS=READY=1\n";

	for (uint64_t seed = 1; seed <= 200 * UNIT_SEEDS; seed++) {
		struct unit_random r = { seed };
		struct manager_fields f;
		char text[64];
		size_t size = unit_below(&r, sizeof text);

		for (size_t i = 0; i < size; i++)
			text[i] = letters[unit_below(&r, sizeof letters - 1)];
		text[size] = '\0';
		if (check(text).fault != MANAGER_FIELDS_FINE)
			continue;
		manager_fields_read(text, &f);
		cr_assert_leq(strlen(f.rest), size + 1);
		cr_assert_null(strstr(f.rest, "\n\n"));
		cr_assert_null(strchr(f.rest, '\r'));
		cr_assert(*f.rest || f.ready || f.has_status);
	}
}
