# SPDX-License-Identifier: MIT
# readme.awk FILES src/README.md - each file that the page names exists: by its path from the top,
# by its path in src, or by its bare name somewhere in src. No line has more than 100 columns.

BEGIN {
	named = "[A-Za-z0-9_./-]*[A-Za-z0-9_][.](c|h|cc|awk|gdb|py|md|build|map)" \
		"([^A-Za-z0-9_]|$)"
}
function finding(text) { print "readme\tsrc/README.md\t1\t" text }
FILENAME == ARGV[1] {
	known[$0] = 1
	if ($0 ~ /^src\//) {
		name = $0
		sub(/^src\//, "", name)
		known[name] = 1
		sub(/.*\//, "", name)
		known[name] = 1
	}
	next
}
{
	if (length($0) > 100 && $0 !~ /^\|/)
		finding(FILENAME ":" FNR ": " length($0) " columns")
	rest = $0
	while (match(rest, named)) {
		name = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		sub(/[^A-Za-z0-9_]$/, "", name)
		if (!(name in known))
			finding(FILENAME ":" FNR ": there is no file " name)
	}
}
