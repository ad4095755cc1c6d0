#!/bin/bash
# SPDX-License-Identifier: MIT
# top_usage.sh BROOD_TOP: help, usage errors, and broods that do not exist.
. "$(dirname "$0")/lib.sh"
program=$(realpath "$1")
cd "$folder" || exit 99

refused() {     # refused CODE WORD OPTION...: no output, and a message that has WORD
	local code=$1 word=$2
	shift 2
	timeout 20 "$program" "$@" >out 2>err </dev/null
	[ $? -eq "$code" ] && [ ! -s out ] && grep -q -e "$word" err && grep -q '^brood-top: ' err
	ok $? "code $code: $* ($(head -n 1 err))"
}
refused 2 'seconds' -d 0
refused 2 'seconds' -d 61
refused 2 'seconds' --delay nan
refused 2 'seconds' --delay 1x
refused 2 'function' --sort age
refused 2 'one brood too many' 1 2
refused 2 'wants a value' --filter
refused 2 'no option -Z' -Z
refused 2 'no option --walk' --walk
grep -q 'Try: brood-top --help' err
ok $? "it says where help is"
refused 3 'no process' 0
refused 3 'no process' 4194305 --once
refused 3 'has the name' no-such --once
timeout 20 "$program" --help >out 2>err && grep -q '^Usage: brood-top' out && [ ! -s err ]
ok $? "--help"
timeout 20 "$program" --version | grep -q '^brood-top [0-9]'
ok $? "--version"
done_testing
