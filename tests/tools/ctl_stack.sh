#!/bin/bash
# SPDX-License-Identifier: MIT
# ctl_stack.sh BROOD_CTL ZOO JSON_READ: brood-ctl stack says where a worker is, and the worker goes
# on; of a worker that cannot answer it says why. brood-ctl reports has the deaths.
here=$(dirname "$0")
. "$here/lib.sh"
. "$here/zoo.sh"
ctl=$(realpath "$1") zoo=$(own "$2") json=$(realpath "$3")
page=$(realpath "$here/../../tools/man/brood-ctl.1")
cd "$folder" || exit 99

code() { timeout 60 "$ctl" "$@" >out 2>err; echo $?; }
# slot_of TAG: sets `slot` and `pid`; false: no worker runs it
slot_of() {
	"$ctl" "$keeper" workers >table && read -r slot pid _ < <(grep " $1 " table) &&
		[ -n "$slot" ]
}
in_keys() {     # in_keys FILE: the man page has each key of this JSON
	local key
	for key in $(grep -oh '"[a-z_0-9]*":' "$1" | tr -d '":' | sort -u); do
		grep -qw "$key" "$page" || { say "brood-ctl.1 lacks the key $key"; return 1; }
	done
}

# ---- jobs that wait, and one that does not -------------------------------------------------------
open_zoo 16 zoo-stack
for kind in futex mutex read poll sleep pause loop; do
	for path in handoff lease; do
		ask stuck $kind $path
	done
done
quickest=1
# looks_right TAG: the frames of the job with this tag
looks_right() {
	local kind=${1%-*} took
	slot_of "$1" || return 1
	[ "$(code "$keeper" stack "$slot")" = 0 ] || return 1
	[ "$kind" != loop ] || kind='loop+0x[0-9a-f]* (zoo-of-ctl_stack)'
	grep -q "get_stuck \[$1\], for " out && sed -n '3,6p' out | grep -q "wait_in_$kind" &&
		grep -q '^    get_stuck+0x' out || return 1
	took=$("$ctl" "$keeper" stack "$slot" --json | "$json" /dev/stdin stack.took) || return 1
	quickest=$(printf '%s\n' "$quickest" "$took" | sort -n | head -n 1)
}
for kind in futex mutex read poll sleep pause loop; do
	for path in handoff lease; do
		until_true looks_right $kind-$path # a job that has begun may not wait yet
		ok $? "$kind-$path: $(sed -n '3,4p' out) $(cat err)"
	done
done
# Other work on the machine makes a look longer, so only the quickest one is judged.
[ "$(printf '%s\n' "$quickest" 0.005 | sort -n | head -n 1)" = "$quickest" ]
ok $? "a look takes at most 5 ms: $quickest s"

# A job is looked at as often as one likes, and still waits.
slot_of read-handoff
good=0
for i in $(seq 20); do
	[ "$(code "$keeper" stack "$slot")" = 0 ] && grep -q 'waits on: read(' out &&
		grep -q wait_in_read out && good=$((good + 1))
done
[ $good -eq 20 ] && slot_of read-handoff
ok $? "20 looks at a read: $good were right"
code "$keeper" stack "$slot" --json >/dev/null
"$json" out stack.frames.0.module stack.job.tag stack.missing >values && in_keys out &&
	[ "$(tail -n 2 values | tr -d '\n')" = read-handoff ]
ok $? "--json: $(tr '\n' ' ' <values)"

# It needs nothing of the supervisor.
kill -STOP "$keeper"
[ "$(code "$keeper" stack "$slot")" = 0 ] && grep -q wait_in_read out
ok $? "while the supervisor is stopped"
kill -CONT "$keeper"

# ---- those that cannot answer --------------------------------------------------------------------
# refuses CODE WORDS SLOT [OPTION]...
refuses() {
	local want=$1 words=$2
	shift 2
	[ "$(code "$keeper" stack "$@")" = "$want" ] && grep -q -e "$words" err
	ok $? "code $want: $(cat err)"
}
slot_of pause-handoff
kill -STOP "$pid"
is_stopped() { slot_of pause-handoff && grep " $pid " table | grep -q stopped; }
until_true is_stopped
refuses 1 'is stopped' "$slot"
kill -CONT "$pid"
answers() { [ "$(code "$keeper" stack "$slot")" = 0 ]; }
until_true answers
ok $? "once it goes on, it answers"
ask stuck vfork handoff
until_true slot_of vfork-handoff
is_in_kernel() {
	slot_of vfork-handoff && grep " $pid " table | grep -q ' D [a-z]'
}
until_true is_in_kernel
refuses 1 'state D' "$slot"
ask cancel
all_idle() {
	"$ctl" "$keeper" workers >table && [ "$(grep -c ' idle ' table)" -ge 14 ]
}
until_true all_idle
slot=$(awk '$4 == "idle" { print $1; exit }' table)
refuses 1 'is idle' "$slot"
"$ctl" "$keeper" stack "$slot" --json >out 2>err
"$json" out stack.missing stack.job >values && grep -q 'is idle' values && in_keys out
ok $? "--json says so, too: $(tr '\n' ' ' <values)"
refuses 3 'no slot 999' 999
is_ready() {
	[ "$(code "$keeper" stack "$slot" --timeout 0.3)" = 1 ] && grep -q "${kind#* }" err
}
for kind in 'blocks blocks SIGURG' 'urgent has not answered in time' \
	'faults does not look at its stack' 'exec has no handler of SIGURG'; do
	ask stuck "${kind%% *}" handoff
	until_true slot_of "${kind%% *}-handoff"
	until_true is_ready
	ok $? "${kind%% *}: $(cat err)"
	slot_of "${kind%% *}-handoff"
	ok $? "${kind%% *}: the job goes on"
done
ask cancel
: >hang
victim=$(awk '$4 == "idle" { print $2; exit }' table)
kill -KILL "$victim"
in_init() {
	"$ctl" "$keeper" workers >table || return 1
	slot=$(awk '$4 == "starting" { print $1; exit }' table)
	[ -n "$slot" ] && [ "$(code "$keeper" stack "$slot")" = 0 ] && grep -q ' init+0x' out
}
until_true in_init
ok $? "a worker_init that hangs: $(tr '\n' ' ' <out)"
rm hang

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$folder"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$ctl" "$keeper" stack 0 >out 2>err
	[ $? -eq 4 ] && [ ! -s out ]
	ok $? "another user may not look: $(cat err)"
fi

# ---- reports -------------------------------------------------------------------------------------
close_zoo
ok $? "the zoo ends well"
export ZOO_LINES=1
open_zoo 3 zoo-reports
[ "$(code "$keeper" reports)" = 0 ] && grep -q 'no worker has died' out
ok $? "none yet: $(cat out)"
ask run crash 3; ask run exit 1; ask stuck mutex handoff; ask cancel
has_five() {
	"$ctl" "$keeper" reports --json >reports.json &&
		[ "$("$json" reports.json reports)" = 5 ]
}
until_true has_five
ok $? "five reports"
"$json" reports.json reports.0.cause reports.1.cause reports.2.cause reports.0.waits \
	reports.2.signal_name reports.4.number >values && in_keys reports.json
[ "$(tr '\n' ' ' <values)" = 'cancelled exited crashed mutex SIGSEGV 1 ' ]
ok $? "--json: $(tr '\n' ' ' <values)"
# A worker that had no CPU between the question where it is and its kill leaves no frames.
has_names() {
	[ "$(code "$keeper" reports)" = 0 ] && [ "$(grep -c '^    act+0x' out)" -ge 3 ]
}
until_true has_names
ok $? "with names $(cat out)"
[ "$(code "$keeper" reports)" = 0 ] && grep -A2 '^  last on stderr:' out >lines
[ "$(sed -n '2,3p' lines)" = '    reading the map
    no map: \x1b[31mgiving up' ] &&
	"$json" reports.json reports.2.stderr reports.1.stderr >values &&
	[ "$(cat values)" = 'reading the map\u000ano map: \\x1b[31mgiving up' ]
ok $? "the last lines on stderr: $(cat lines)"
[ "$(code "$keeper" reports -n 2)" = 0 ] && [ "$(grep -c ' ago$' out)" = 2 ]
ok $? "-n 2"
[ "$(code "$keeper" reports --pool 0 -n 999)" = 0 ] && [ "$(grep -c ' ago$' out)" = 5 ]
ok $? "--pool, and more than there are"

ask stuck pause handoff
until_true slot_of pause-handoff
kill -SEGV "$pid"
has_six() {
	[ "$(code "$keeper" reports -n 1 --json)" = 0 ] &&
		[ "$("$json" out reports.0.number)" = 6 ]
}
until_true has_six
[ "$(code "$keeper" reports -n 1)" = 0 ] && grep -q 'SIGSEGV' out
ok $? "a signal from outside: $(sed -n 2,4p out)"
close_zoo
[ "$(left "$zoo")" -eq 0 ]
ok $? "nothing is left"
done_testing
