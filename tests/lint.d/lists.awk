# SPDX-License-Identifier: MIT
# lists.awk src/meson.build tests/meson.build FILES - meson cannot glob: each source stands in src's
# list, each test in that of tests.

FILENAME == "src/meson.build" { sources = sources $0; next }
FILENAME == "tests/meson.build" { tests = tests $0; next }
/^src\/.*\.c$/ {
	name = $0
	sub(/^src\//, "", name)
	if (!index(sources, "\047" name "\047"))
		print $0 ": not in src/meson.build"
}
/^tests\/(unit|kernel|process|api)\/[^\/]*\.c$/ {
	name = $0
	sub(/.*\//, "", name)
	sub(/\.c$/, "", name)
	if (!index(tests, "\047" name "\047"))
		print $0 ": not in tests/meson.build"
}
