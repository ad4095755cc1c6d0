#!/bin/bash
# SPDX-License-Identifier: MIT
# grep_usage.sh BROOD_GREP: help, usage errors, and the end when a reader, a disk or an input is
# gone.
. "$(dirname "$0")/lib.sh"
program=$(own "$1")
cd "$folder" || exit 99
printf 'one\ntwo\n' >text

wrong() {
	timeout 20 "$program" "$@" >out 2>err </dev/null
	[ $? -eq 2 ] && [ ! -s out ] && [ -s err ]
	ok $? "usage: $*"
}
wrong
wrong -Z one text
wrong -w 0 one text
wrong -w 10001 one text
wrong -w x one text
wrong -T 0 one text
wrong -T -5 one text
wrong --kill-rate one text
wrong --kill-rate 5 --in-process one text
wrong -e
wrong -f missing text
timeout 20 "$program" --help >out 2>err && grep -q '^Usage: brood-grep' out && [ ! -s err ]
ok $? "--help"
timeout 20 "$program" --version | grep -q '^brood-grep [0-9]'
ok $? "--version"
seq 1 300000 >long
timeout 60 "$program" -n '' long 2>err | head -n 1 >out
[ "${PIPESTATUS[0]}" -eq 141 ] && [ "$(cat out)" = 1:1 ] &&
	! grep -qvE 'did not end in time|had accepted and no worker' err
ok $? "the reader went away: SIGPIPE, and it says only who was killed and what was lost: $(cat err)"
timeout 60 "$program" one text >/dev/full 2>err
[ $? -eq 2 ] && grep -q 'write error' err
ok $? "a full disk: $(cat err)"
timeout 20 "$program" one text -w 2 <&- >out && [ "$(cat out)" = one ]
ok $? "standard input is closed"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
