# SPDX-License-Identifier: MIT
# What the tests of brood-load share. bash sources this file after lib.sh. The test sets `program`
# and `reader` (json-read), and stands in a folder of its own.

run() {         # run NAME OPTION...: exit code 0, valid JSON in ./json, nothing on standard error
	local name=$1
	shift
	timeout 100 "$program" -q --json json "$@" >out 2>err
	local code=$?
	[ $code -eq 0 ] && [ ! -s out ] && [ ! -s err ] && "$reader" json >/dev/null
	ok $? "$name: exit code $code $(cat err)"
}

is() {          # is PATH VALUE
	[ "$("$reader" json "$1" 2>&1)" = "$2" ]
	ok $? "$1 is $2: $("$reader" json "$1" 2>&1)"
}

above() {       # above PATH N
	awk -v value="$("$reader" json "$1" 2>&1)" -v n="$2" 'BEGIN { exit !(value + 0 > n) }'
	ok $? "$1 is above $2: $("$reader" json "$1" 2>&1)"
}

wrong() {       # wrong WORD OPTION...: exit code 2, and a message that has the word
	local word=$1
	shift
	timeout 60 "$program" "$@" >out 2>err </dev/null
	local code=$?
	[ $code -eq 2 ] && [ ! -s out ] && grep -q -e "$word" err
	ok $? "wrong: $*: exit code $code $(head -n 1 err)"
}
