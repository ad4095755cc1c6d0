#!/bin/bash
# SPDX-License-Identifier: MIT
# load_live.sh BROOD_LOAD PTY_RUN: the live display is there on a terminal, keeps to its width,
# obeys NO_COLOR, TERM and the locale, and goes away; a pipe gets none.
. "$(dirname "$0")/lib.sh"
program=$(own "$1") pty=$(realpath "$2")
cd "$folder" || exit 99
escape=$(printf '\033')

# live NAME SIZE SCRIPT: runs on a terminal; what it wrote is in ./screen
live() {
	local name=$1 size=$2 script=$3
	shift 3
	timeout 100 env -u NO_COLOR LC_ALL=C.UTF-8 TERM=xterm "$@" "$pty" "$size" "$script" \
		"$program" -d 1.5 -w 3 -c 4 --kill-rate 10 >screen 2>how
	ok $? "$name: $(cat how)"
}
has() {
	grep -aqF -- "$1" screen
	ok $? "it has $1"
}
hasnt() {
	! grep -aqF -- "$1" screen
	ok $? "it does not have $1"
}
live 'on a terminal' 100x30 'wait:p99 wait:3~workers: wait:died wait:one_verdict_per_job'
has "$escape[36m"
has "$escape[2A"
has ' out'
LC_ALL=C grep -aq $'\342\226' screen
ok $? "its sparklines are blocks"
# between the display and the table nothing is left of it
tr '\r' '\n' <screen | grep -aq "^$escape\[2A$escape\[J""brood-load [0-9]"
ok $? "the table stands where the display was"
live 'without colours' 100x30 'wait:p99 wait:one_verdict_per_job' NO_COLOR=1
hasnt "$escape[36m"
has "$escape[2A"
live 'in ASCII' 100x30 'wait:p99 wait:one_verdict_per_job' LC_ALL=C
! LC_ALL=C grep -aqP '[\x80-\xff]' screen
ok $? "no byte above 7f"
live 'on a dumb terminal' 100x30 'wait:one_verdict_per_job' TERM=dumb
hasnt "$escape"
live 'on a narrow terminal' 30x30 'wait:p99 wait:one_verdict_per_job' NO_COLOR=1 LC_ALL=C
sed "s/$escape\[J/\n/g" screen | sed "s/$escape.*//" | tr -d '\r' | grep -aE '[s-] p99 ' |
	awk 'length > 30 { print; bad = 1 } END { exit bad || !NR }'
ok $? "no line is longer than the terminal is wide"
timeout 100 "$program" -d 1 -w 2 -c 4 >out 2>err
[ $? -eq 0 ] && [ ! -s err ]
ok $? "a pipe gets nothing: $(cat err)"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
