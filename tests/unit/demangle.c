/* SPDX-License-Identifier: MIT */
/* demangle.c - names of C++ functions, right ones and broken ones. */
#include "../../src/base/demangle.h"
#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name, *text; /* text NULL: not understood */
} names[] = {
	{ "_Z6guiltyv", "guilty" },
	{ "_ZL6guiltyv", "guilty" },
	{ "_ZN2ns4List4pushEi", "ns::List::push" },
	{ "_ZNK2ns4List4pushEi", "ns::List::push" },
	{ "_ZN2ns4ListIiE4pushEi", "ns::List<...>::push" },
	{ "_ZN2ns4ListISt3mapIiN1a1bESt4lessIiESaISt4pairIKiS3_EEEE4pushEi",
		"ns::List<...>::push" },
	{ "_ZN2ns4ListIiEC2Ev", "ns::List<...>::List" },
	{ "_ZN2ns4ListIiED0Ev", "ns::List<...>::~List" },
	{ "_ZN12_GLOBAL__N_16guiltyEv", "(anonymous namespace)::guilty" },
	{ "_Z3minIiET_S0_S0_", "min<...>" },
	{ "_Z1fILi5ELb1ELin3EEvv", "f<...>" },
	{ "_Z1fIJidPFviEEEvv", "f<...>" },
	{ "_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<...>::push_back" },
	{ "_ZNSs6appendEPKc", "std::string::append" },
	{ "_ZSt9terminatev", "std::terminate" },
	{ "_ZN1AplERKS_", "A::operator+" },
	{ "_ZN1AdeEv", "A::operator*" },
	{ "_ZN1AneERKS_", "A::operator!=" },
	{ "_ZNK1AcvbEv", "A::operator <...>" },
	{ "_ZlsRSoRK1A", "operator<<" },
	{ "_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_PKc", "std::operator<< <...>" },
	{ "_Znwm", "operator new" },
	{ "_ZdaPv", "operator delete[]" },
	{ "_ZZ4mainENKUlvE_clEv", "main::{lambda}::operator()" },
	{ "_ZZN1A3runEiENKUlT_E0_clIiEEDaS0_", "A::run::{lambda}::operator()<...>" },
	{ "_ZZ4mainEN5Local3runEv", "main::Local::run" },
	{ "_ZN1A3fooB5cxx11Ev", "A::foo" },
	{ "_ZN1A3runEv.part.0", "A::run.part.0" },
	{ "_Z3runv.cold", "run.cold" },
	{ "guilty", NULL },
	{ "", NULL },
	{ "_Z", NULL },
	{ "_ZN", NULL },
	{ "_ZNE", NULL },
	{ "_Z9short", NULL },
	{ "_Z99999999999999999999x", NULL },
	{ "_ZThn16_N1A3runEv", NULL },
	{ "_ZN1fIXadL_Z1gvEEEEvv", NULL },
	{ "_ZN3fooIiE", NULL },
	{ "_ZN1aIS_IS_IS_IS_", NULL },
};

Test(demangle, names)
{
	char text[200];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool is = demangle(names[i].name, text, sizeof text);

		cr_assert_eq(is, names[i].text != NULL, "%s: %s", names[i].name,
			is ? text : "not understood");
		if (is)
			cr_assert_str_eq(text, names[i].text, "%s", names[i].name);
	}
}

Test(demangle, there_may_be_no_room)
{
	char text[20] = "as it was";

	cr_assert(!demangle("_ZN2ns4List4pushEi", text, 14));
	cr_assert_str_eq(text, "as it was");
	cr_assert(demangle("_ZN2ns4List4pushEi", text, 15));
	cr_assert_str_eq(text, "ns::List::push");
}

Test(demangle, a_name_that_nests_without_end)
{
	char *name = malloc(100001), text[100];

	memset(name, 'N', 100000);
	memcpy(name, "_Z", 2);
	name[100000] = '\0';
	cr_assert(!demangle(name, text, sizeof text));
	for (int i = 2; i + 2 < 100000; i += 2)
		memcpy(name + i, "1a", 2);
	memcpy(name, "_ZN", 3);
	(void)demangle(name, text, sizeof text);
	memset(name + 2, 'P', 99998);
	(void)demangle(name, text, sizeof text);
	memset(name + 2, 'Z', 99998);
	cr_assert(!demangle(name, text, sizeof text));
	memset(name + 2, 'F', 99998);
	cr_assert(!demangle(name, text, sizeof text));
	free(name);
}

/* Each name with some bytes changed, cut and moved: whatever comes of it ends within its room. */
Test(demangle, broken_names)
{
	static const char letters[] = "_ZNSIEJLTDCUFAMPBK0123456789abdts.";
	uint64_t random = 1;

	for (int i = 0; i < 300000; i++) {
		const char *from = names[i % (int)ARRAY_SIZE(names)].name;
		size_t length = strlen(from), size;
		char name[128], text[100];

		if (length == 0)
			continue;
		snprintf(name, sizeof name, "%s", from);
		for (int k = i % 3; k >= 0; k--) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
			name[(random >> 33) % length] = letters[(random >> 20) % (sizeof letters)];
		}
		size = 1 + (random >> 40) % sizeof text;
		memset(text, 'x', sizeof text);
		if (demangle(name, text, size))
			cr_assert_lt(strnlen(text, sizeof text), size, "%s", name);
		else
			cr_assert_eq(text[0], 'x', "%s", name);
	}
}
