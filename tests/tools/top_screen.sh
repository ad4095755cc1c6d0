#!/bin/bash
# SPDX-License-Identifier: MIT
# top_screen.sh BROOD_TOP ZOO PTY_RUN: frames at several sizes, keys, and a terminal that is as it
# was at the end, whatever the end is.
here=$(dirname "$0")
. "$here/lib.sh"
. "$here/zoo.sh"
top=$(realpath "$1") zoo=$(own "$2") pty=$(realpath "$3")
cd "$folder" || exit 99
export TERM=xterm-256color
unset NO_COLOR COLUMNS LINES

open_zoo 12 zoo-top
ask stuck read handoff; ask stuck futex lease; ask stuck pause handoff
ask run crash 3; ask run done 30

# ---- a frame that is no screen -------------------------------------------------------------------
shows_all() {
	"$top" "$keeper" >frame && grep -q ' get_stuck  *read-handoff  *read([0-9]*: pipe' frame &&
		grep -q ' get_stuck  *futex-lease  *futex' frame &&
		grep -q '^main  *\[.*\]  *12/12 ' frame
}
until_true shows_all
ok $? "one frame: functions, tags, what they wait on"
grep -q '(3) crashed' frame
ok $? "deaths by cause: $(grep died frame)"
grep -q ' ago job [0-9]* act, worker [0-9]* (pid [0-9]*): crashed, SIGSEGV.* in .*act' frame
ok $? "the last deaths, and where: $(grep -m 1 ' ago ' frame)"
! grep -q "$(printf '\033')" frame
ok $? "no sequences in a file"
[ "$(grep -c ' [0-9]*  *\(idle\|busy\|leased\) ' frame)" -eq 12 ]
ok $? "all workers are there"
"$top" "$keeper" --filter read-hand >frame
[ "$(grep -c ' [0-9]*  *\(idle\|busy\|leased\) ' frame)" -eq 1 ]
ok $? "--filter"
"$top" "$keeper" --sort slot >frame
awk '/^ SLOT/ { on = 1; next } on { print $1 }' frame >slots && sort -n slots | diff slots - >&2
ok $? "--sort slot"
for size in 40x10 80x24 132x40 300x100; do
	COLUMNS=${size%x*} LINES=${size#*x} "$top" "$keeper" >frame
	[ "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' frame)" -le "${size%x*}" ] &&
		[ "$(wc -l <frame)" -le "${size#*x}" ] && grep -q get_stuck frame
	ok $? "$size: $(wc -l <frame) lines fit, and jobs are there"
done

# What stuck jobs wait on, in 100 rows: some frames, each with all of these jobs.
for kind in mutex poll loop vfork; do
	ask stuck $kind handoff
done
row() { # row TAG PATTERN: counts a row that is right
	grep -q " get_stuck  *$1  *$2 *\$" frame && right=$((right + 1))
}
look_at_all() {
	right=0
	for i in $(seq "$1"); do
		"$top" "$keeper" --once >frame
		row read-handoff 'read([0-9]*: pipe:\[[0-9]*\])'
		row futex-lease futex
		row mutex-handoff mutex
		row poll-handoff poll
		row loop-handoff running
		row vfork-handoff 'D [a-z_0-9]*'
	done
}
all_run() { look_at_all 1; [ $right -eq 6 ]; }
until_true all_run
look_at_all 17
[ $right -eq 102 ]
ok $? "what stuck jobs wait on is right in $right rows of 102"

# ---- a screen ------------------------------------------------------------------------------------
back=$(printf '\033[?1049l')
# on_screen NAME END SIZE SCRIPT [OPTION]...
on_screen() {
	local name=$1 end=$2 size=$3 script=$4
	shift 4
	timeout 100 "$pty" "$size" "$script" "$top" "$@" "$keeper" >screen 2>how
	grep -qx "$end" how && grep -qx 'terminal as it was' how &&
		[ "$(tail -c 8 screen)" = "$back" ]
	ok $? "$name: $(tr '\n' ' ' <how)"
}
on_screen "q" 'exit 0' 80x24 'wait:get_stuck wait:quit key:q'
on_screen "help, sort, filter" 'exit 0' 80x24 'wait:quit key:? wait:Esc key:? wait:get_stuck
	key:s wait:SLOTv key:r wait:SLOT^ key:/read wait:filter: key:-hand wait:read-hand enter:
	wait:1/12 key:q' -d 0.2
on_screen "deaths" 'exit 0' 132x24 'wait:act key:d wait:act key:d wait:get_stuck key:q' -d 0.2
on_screen "pause" 'exit 0' 80x24 'wait:quit key:~ wait:PAUSED key:~ wait:quit key:q' -d 0.2
on_screen "a new size" 'exit 0' 80x24 'wait:WAITS size:300x50 wait:TAG size:40x10 wait:quit key:q'
on_screen "Ctrl-C" 'signal 2' 80x24 'wait:get_stuck kill:2'
on_screen "SIGTERM" 'signal 15' 80x24 'wait:get_stuck kill:15'
on_screen "a crash" 'signal 11' 80x24 'wait:get_stuck kill:11'
on_screen "a stopped supervisor" 'exit 0' 80x24 "wait:get_stuck stop:$keeper wait:stopped
	start:$keeper key:q" -d 0.2
grep -q "$(printf '\033\\[[0-9;]*3[0-9]m')" screen
ok $? "colours"
NO_COLOR=1 on_screen "NO_COLOR" 'exit 0' 80x24 'wait:get_stuck key:q'
! grep -q "$(printf '\033\\[[0-9;]*3[0-9]m')" screen
ok $? "no colours"

# ---- the end of the brood ------------------------------------------------------------------------
on_screen "the brood ends" 'exit 0' 80x24 "wait:get_stuck end:$keeper wait:gone key:q" -d 0.2
{ wait "$zoo_job"; } 2>/dev/null
[ "$(left "$zoo")" -eq 0 ] && [ "$(left "$top")" -eq 0 ]
ok $? "nothing is left"
done_testing
