#!/bin/bash
# SPDX-License-Identifier: MIT
# grep_hostile.sh BROOD_GREP [sanitized]: patterns that crash, hang and bloat the C library's regex
# code get their verdicts, and the sane patterns beside them get their counts. With --in-process
# such a pattern takes the program down. "sanitized": a sanitizer allows no memory limit, so the
# pattern that bloats is left out.
. "$(dirname "$0")/lib.sh"
program=$(own "$1")
sanitized=${2-}
cd "$folder" || exit 99
ulimit -c 0
cat /usr/share/common-licenses/* >text 2>/dev/null
[ -s text ] || seq 1 20000 | sed 's/$/ the line/' >text
crash='.*{10,}{10,}{10,}{10,}{10,}'
hang='(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5x'
bloat='(a{1,32767}){1,32767}'

# row PATTERN: prints what the last run says of this pattern.
row() { P=$1 awk -F '\t' '$2 == ENVIRON["P"] { print $1 }' rows; }

rows() {        # rows PATTERN... -- OPTIONS...
	: >patterns
	while [ "$1" != -- ]; do
		printf '%s\n' "$1" >>patterns
		shift
	done
	shift
	timeout 120 "$program" -E -c -f patterns "$@" >rows 2>err
	code=$?
}

sane=(the license '^$' '[0-9]+' '([a-z])\1' nothing_has_this)

check_rows() {
	local pattern
	rows "${sane[@]}" "$crash" "$hang" '(' -- -w 3 -T 4000 text
	[ "$code" -eq 2 ]
	ok $? "patterns that fell: exit code $code"
	for pattern in "${sane[@]}"; do
		[ "$(row "$pattern")" = "$(grep -E -c -e "$pattern" text)" ]
		ok $? "$pattern: $(row "$pattern")"
	done
	[ "$(row "$crash")" = "crashed, SIGSEGV in compile" ]
	ok $? "crash: $(row "$crash")"
	[ "$(row "$hang")" = "timed out in search" ]
	ok $? "hang: $(row "$hang")"
	[ "$(row '(')" = 'Unmatched ( or \(' ]
	ok $? "no pattern: $(row '(')"
	[ "$(wc -l <rows)" -eq 9 ]
	ok $? "a row a pattern"
	[ ! -s err ]
	ok $? "nothing else is said: $(head -n 3 err)"
}

check_memory() {
	if [ "$sanitized" = sanitized ]; then
		ok 0 "memory # SKIP a sanitizer takes more than any limit"
		return
	fi
	rows "$bloat" the -- -w 2 -T 20000 text
	case $(row "$bloat") in *"in compile") case $(row "$bloat") in *memory*) true ;; *) false \
		;; esac ;; *) false ;; esac
	ok $? "memory: $(row "$bloat")"
	[ "$(row the)" = "$(grep -c the text)" ]
	ok $? "and its neighbour's count"
}

check_rows_of_sane() {
	rows "${sane[@]}" -- text
	[ "$code" -eq 0 ]
	ok $? "only sane rows: exit code $code"
	rows nothing_has_this -- text
	[ "$code" -eq 1 ]
	ok $? "no line at all: exit code $code"
	rows the the '' -- text text
	[ "$code" -eq 0 ] && [ "$(head -n 1 rows)" = "$(($(grep -c the text) * 2))	the" ] &&
		[ "$(wc -l <rows)" -eq 3 ] &&
		[ "$(tail -n 1 rows)" = "$(($(wc -l <text) * 2))	" ]
	ok $? "two files, equal and empty patterns"
}

check_one_pattern() {
	timeout 60 "$program" -E -T 60000 -e "$crash" text text >out 2>err
	[ $? -eq 2 ] && [ "$(cat err)" = "brood-grep: crashed, SIGSEGV in compile" ] && [ ! -s out ]
	ok $? "one pattern that crashes: $(cat err)"
	timeout 60 "$program" -E -T 300 -e "$hang" text text >out 2>err
	[ $? -eq 2 ] && [ "$(cat err)" = "brood-grep: text: timed out in search" ] && [ ! -s out ]
	ok $? "one pattern that hangs: $(cat err)"
	# handle_segv=0: the program shall die of SIGSEGV under a sanitizer, too.
	(ASAN_OPTIONS=${ASAN_OPTIONS-}:handle_segv=0 timeout 60 "$program" --in-process -E \
		-e "$crash" text) >out 2>err
	code=$?
	[ "$code" -eq 139 ]
	ok $? "in process: SIGSEGV, exit code $code"
}

check_rows
check_memory
check_rows_of_sane
check_one_pattern
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left: $(pids_of "$program" | tr '\n' ' ')"
done_testing
