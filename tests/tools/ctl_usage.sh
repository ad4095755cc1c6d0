#!/bin/bash
# SPDX-License-Identifier: MIT
# ctl_usage.sh BROOD_CTL: help, usage errors, and broods that do not exist.
. "$(dirname "$0")/lib.sh"
program=$(realpath "$1")
cd "$folder" || exit 99

# refused CODE WORD OPTION...: that exit code, nothing on standard output, and a message that has
# WORD
refused() {
	local code=$1 word=$2
	shift 2
	timeout 20 "$program" "$@" >out 2>err </dev/null
	[ $? -eq "$code" ] && [ ! -s out ] && grep -q -e "$word" err && grep -q '^brood-ctl: ' err
	ok $? "code $code: $* ($(head -n 1 err))"
}
wrong() {
	refused 2 "$@" && grep -q 'Try: brood-ctl --help' err
	ok $? "it says where help is: ${*:2}"
}
wrong missing
wrong '"walk"' walk
wrong '"walk"' 1 walk
wrong '"shrink"' 1 shrink 4
wrong '"more"' status more
wrong '"more"' wait ready more
wrong 'wait ready' wait
wrong 'wait ready' 1 wait well
wrong json check --json
wrong json wait ready --json
wrong timeout status --timeout 1
wrong seconds check --timeout x
wrong seconds check --timeout -1
wrong seconds check --timeout nan
wrong 'number of a slot' stack
wrong 'not "x"' stack x
wrong 'not "-1"' -- 1 stack -1
wrong '"3"' stack 2 3
wrong 'status" has no --number' status -n 1
wrong '1 or more' reports -n 0
wrong '1 or more' reports --number x
wrong '1 or more' reports --number -1
wrong '"1" is too much' reports 1
wrong 'timeout wants a value' check --timeout
wrong 'no option --walk' --walk
wrong 'no option -Z' -Z

sleep 60 &
sleeper=$!
refused 3 'belongs to no brood' $sleeper status
refused 3 'belongs to no brood' $sleeper workers --json
refused 3 'belongs to no brood' $sleeper check
refused 3 'belongs to no brood' $sleeper reports
refused 3 'belongs to no brood' $sleeper stack 0
refused 3 'belongs to no brood' $sleeper wait ready --timeout 0
kill $sleeper; wait $sleeper 2>/dev/null
refused 3 'no process' $sleeper status
refused 3 'no process' 0 status
refused 3 'no process' 4194305 status
refused 3 'has the name "no-such"' no-such status
# a name from the command line is not passed on to the terminal as it is
refused 3 'name "a?b"' "$(printf 'a\033b')" status

timeout 20 "$program" --help >out 2>err && grep -q '^Usage: brood-ctl' out && [ ! -s err ]
ok $? "--help"
timeout 20 "$program" --version | grep -q '^brood-ctl [0-9]'
ok $? "--version"
timeout 20 "$program" --help >/dev/full 2>err
[ $? -eq 6 ] && grep -q 'cannot be written' err
ok $? "an output that is full"
done_testing
