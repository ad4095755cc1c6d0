# SPDX-License-Identifier: MIT
# What the scripts of this folder share: a folder of their own and TAP lines. Sourced, by sh; $0 is
# the script.
set -u
LC_ALL=C; export LC_ALL
work=$(mktemp -d "${TMPDIR:-/tmp}/brood-api.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
tests=0 failures=0

# try NAME COMMAND...: passed if it ends with 0; what it said is shown when it does not.
try() {
	name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$work/said" 2>&1; then
		echo "ok $tests - $name"
	else
		code=$?
		echo "not ok $tests - $name"
		failures=$((failures + 1))
		echo "# $* -> $code"
		head -c 4000 "$work/said" | sed 's/^/# /'
	fi
}

skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
finish() { echo "1..$tests"; [ "$failures" -eq 0 ]; exit; }

# All public functions of the header, one a line.
public_functions() { grep -o '^BROOD_PUBLIC .*' "$1" |
	sed 's/^BROOD_PUBLIC //; s/(.*//; s/.*[ *]//' | sort -u; }
compilers_c() { for c in gcc clang; do command -v "$c" >/dev/null && echo "$c"; done; }
compilers_cxx() { for c in g++ clang++; do command -v "$c" >/dev/null && echo "$c"; done; }
