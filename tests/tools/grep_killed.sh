#!/bin/bash
# SPDX-License-Identifier: MIT
# grep_killed.sh BROOD_GREP [RATE]: while workers are killed all the time, the output is still the
# same as grep's.
. "$(dirname "$0")/lib.sh"
program=$(own "$1")
rate=${2:-80}
seconds=5
cd "$folder" || exit 99
cat /usr/share/common-licenses/* >once 2>/dev/null
[ -s once ] || seq 1 20000 | sed 's/$/ the line/' >once
for ((i = 0; i < 10; i++)); do cat once; done >text
killed=0

# said WORDS: prints the number behind these words in the report.
said() { sed -n "s/.*$1 \([0-9]*\).*/\1/p" err; }

one_run() {     # one_run ARGS...: with kills, has the same output and exit code as grep
	local code expected now
	grep "$@" >expected
	expected=$?
	timeout 120 "$program" -w 4 --kill-rate "$rate" "$@" >out 2>err
	code=$?
	now=$(said 'workers killed')
	killed=$((killed + ${now:-0}))
	[ "$code" -eq "$expected" ] && cmp -s expected out && [ "$(said 'verdicts lost')" = 0 ] &&
		[ "$(wc -l <err)" -eq 1 ] && return
	say "$* (exit $code, grep $expected): $(head -n 5 err)"
	return 1
}

bad=0 runs=0
until [ "$SECONDS" -ge "$seconds" ] && [ "$runs" -ge 8 ]; do
	one_run -E -n '([a-z])\1[a-z]*e' text || bad=$((bad + 1))
	one_run -i -c 'warrant\(y\|ies\)' text once text || bad=$((bad + 1))
	one_run nothing_has_this text || bad=$((bad + 1))
	one_run -n '^' text || bad=$((bad + 1))
	runs=$((runs + 4))
	[ "$SECONDS" -lt 100 ] || break
done
ok "$bad" "$runs runs with $killed kills: as grep"
[ "$killed" -ge "$runs" ]
ok $? "workers were killed"

printf '%s\n' the '[0-9]{4}' '.*{10,}{10,}{10,}{10,}{10,}' '^$' '(' >patterns
timeout 120 "$program" -E -c -w 16 -T 60000 --kill-rate 50 -f patterns text >rows 2>err
printf '%s\n' "$(grep -c the text)" "$(grep -cE '[0-9]{4}' text)" "crashed, SIGSEGV in compile" \
	"$(grep -c '^$' text)" 'Unmatched ( or \(' >expected
cut -f 1 rows >out
cmp -s expected out && [ "$(said 'verdicts lost')" = 0 ]
ok $? "rows, with kills: $(cat err)"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
