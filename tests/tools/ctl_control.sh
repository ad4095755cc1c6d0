#!/bin/bash
# SPDX-License-Identifier: MIT
# ctl_control.sh BROOD_CTL ZOO JSON_READ: the commands of brood-ctl that change something, and what
# becomes of the socket's file.
here=$(dirname "$0")
. "$here/lib.sh"
. "$here/zoo.sh"
ctl=$(realpath "$1") zoo=$(own "$2") json=$(realpath "$3")
cd "$folder" || exit 99
socket=$folder/zoo.sock

# code COMMAND...: its exit code; `out` and `err` have what it says
code() { timeout 60 "$ctl" "$keeper" "$@" >out 2>err; echo $?; }
# does WORD COMMAND...: it goes well, and says so with WORD
does() {
	local word=$1
	shift
	[ "$(code "$@")" = 0 ] && grep -q "$word" out && [ ! -s err ]
	ok $? "$*: $(cat out err)"
}
# refused CODE WORD COMMAND...
refused() {
	local want=$1 word=$2
	shift 2
	[ "$(code "$@")" = "$want" ] && grep -q "^brood-ctl: .*$word" err && [ ! -s out ]
	ok $? "code $want: $*: $(cat out err)"
}
value() { "$ctl" "$keeper" status --json >status.json && "$json" status.json "$1"; }
has_value() { [ "$(value "$1")" = "$2" ]; }
logged() { grep -q "on the control socket, user $(id -u) (pid [0-9]*) asked for $1" zoo.err; }
is_logged() { until_true logged "$1"; ok $? "the log has it: $1"; }
# slot_of ID: the slot of the worker that runs this job
slot_of() { "$ctl" "$keeper" workers >table && awk -v id="$1" '$0 ~ " " id " " && /get_stuck/ \
	{ print $1 }' table; }
runs() { [ -n "$(slot_of "$1")" ]; }
# ended ID VERDICT: the job ends, so
has_ended() { ask ended; cat answer >>all_ended; grep -qx "$1 $2" all_ended; }
ended() { until_true has_ended "$1" "$2"; ok $? "job $1: $2"; }
stuck() {       # stuck PATH: $job is the id of a job that waits for ever
	ask stuck pause "$1"
	job=$(cat answer)
}

# ---- a brood without a socket --------------------------------------------------------------------
open_zoo 1 zoo-shut
refused 7 'no control socket: its program sets no control_path' reload
[ "$(value control)" = '' ]
ok $? "nor has its status one"
close_zoo

# ---- workers and pools ---------------------------------------------------------------------------
open_zoo 4 zoo-open "$socket"
[ "$(stat -c %a "$socket")" = 600 ] && [ "$(value control)" = "$socket" ] &&
	"$ctl" "$keeper" status | grep -qx "control: $socket"
ok $? "the socket is there, and the status says where"
timeout 60 "$ctl" zoo-open reload --wait 50 >out && grep -q 'reload is done' out
ok $? "a name is enough: $(cat out)"
is_logged 'reload c1, of all pools'
has_value pools.0.deaths.retired 4
ok $? "all workers were replaced"
[ "$(code reload main --wait 50 --json)" = 0 ] && [ "$("$json" out command)" = reload ] &&
	[ "$("$json" out result)" = 0 ] && [ "$("$json" out reload)" = 2 ]
ok $? "reload --json: $(cat out)"
does 'has begun' reload 0
until_true has_value pools.0.deaths.retired 12
ok $? "and without a wait"
refused 3 'no pool "mian": it has main' reload mian

does '2 to 2 workers' resize main 2
until_true has_value pools.0.workers.ready 2
ok $? "two workers are left"
refused 1 'room for 4 workers' resize main 5
refused 1 'not elastic' resize main 1 3
refused 2 MIN resize main
refused 2 MIN resize main 3 2
does '4 to 4 workers' resize 0 4
until_true has_value pools.0.workers.ready 4
ok $? "and four again"

# ---- jobs ----------------------------------------------------------------------------------------
for path in handoff lease; do
	stuck $path
	until_true runs "$job"
	does 'was told to end' cancel "$job"
	ended "$job" cancelled/
	is_logged "the end of job $job"

	stuck $path
	until_true runs "$job"
	does 'is killed' kill "$(slot_of "$job")"
	ended "$job" 'crashed/by an operator'

	stuck $path
	until_true runs "$job"
	slot=$(slot_of "$job") pid=$(awk '/get_stuck/ { print $2 }' table)
	does 'goes after its job, once' retire "$slot"
	grep -q . /proc/"$pid"/stat
	ok $? "it works on"
	does 'was told to end' cancel "$job"
	ended "$job" cancelled/
	is_gone() { [ ! -e "/proc/$pid" ]; }
	until_true is_gone
	ok $? "and then it goes"
done
has_value pools.0.deaths.operator 2
ok $? "deaths by operators are counted"
# a job that no worker has: it waits in the program, or at the supervisor
does '1 to 1 workers' resize main 1
until_true has_value pools.0.workers.ready 1
for path in handoff lease; do
	stuck $path; first=$job
	until_true runs "$first"
	stuck $path; second=$job
	does 'is cancelled' cancel "$second"
	ended "$second" cancelled/
	does 'was told to end' cancel "$first"
	ended "$first" cancelled/
done
refused 3 'no job 424242' cancel 424242
refused 3 "no job $first" cancel "$first"
refused 2 JOB cancel 0
refused 2 JOB cancel x
refused 2 JOB cancel
refused 3 'no slot 77' kill 77
refused 3 'no slot 77' retire 77
refused 2 SLOT kill main
does '4 to 4 workers' resize main 4

# ---- a reload that fails, and one that is held up ------------------------------------------------
until_true has_value pools.0.workers.ready 4
stuck handoff
until_true runs "$job"
refused 1 'the reload goes on: 1 of the former' reload --wait 1
timeout 60 "$ctl" "$keeper" reload --wait 50 >first 2>first.err &
waits=$!
is_logged 'reload c5'
does 'has begun' reload
wait $waits
[ $? -eq 1 ] && grep -q 'a later reload has taken the place' first.err
ok $? "a reload that is superseded: $(cat first.err)"
does 'was told to end' cancel "$job"
ended "$job" cancelled/
ask reload
[ ! -s answer ]
ok $? "the program's own reload: $(cat answer)"
ask shy
refused 1 'reload has failed.*worker_init did not succeed' reload --wait 50
has_value pools.0.workers.ready 4
ok $? "the former workers go on"

# ---- who may, and where --------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$folder"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$ctl" "$keeper" drain >out 2>err
	[ $? -eq 4 ] && [ ! -s out ]
	ok $? "another user may not: $(cat err)"
fi
mv "$socket" "$socket.moved"
refused 7 'is gone: somebody has removed or moved it' reload
mv "$socket.moved" "$socket"
kill -STOP "$keeper"
timeout 60 "$ctl" "$keeper" kill 0 >out 2>err
[ $? -eq 7 ] && grep -q 'does not answer' err
ok $? "a supervisor that is stopped: $(cat err)"
kill -CONT "$keeper"

# ---- its end, and the next start -----------------------------------------------------------------
refused 1 'no handler for SIGTERM' drain
close_zoo
[ $? -eq 0 ] && [ ! -e "$socket" ]
ok $? "the file is gone at the end"
open_zoo 2 zoo-killed "$socket"
"$zoo" 1 zoo-second "$socket" <&- >&- 2>err
[ $? -eq 1 ] && grep -q "$socket: another process listens there" err
ok $? "a second brood is refused: $(cat err)"
kill -KILL "$keeper"
{ wait "$zoo_job"; } 2>/dev/null
[ -S "$socket" ]
ok $? "a supervisor that is killed leaves the file"
exec {zoo_in}>&- {zoo_out}<&-
open_zoo 2 zoo-term "$socket" term
does 'has begun' reload
stuck handoff
until_true runs "$job"
does 'ends when its jobs are done' drain
does 'stops already' drain
[ "$(code wait ready --timeout 0)" = 1 ] && grep -q draining err
ok $? "not ready while it drains: $(cat err)"
refused 1 'the brood stops' reload
does 'was told to end' cancel "$job"
wait "$zoo_job"
ok $? "it ends when the job has ended"
exec {zoo_in}>&- {zoo_out}<&-
[ ! -e "$socket" ]
ok $? "and its file is gone"
: >"$socket"
"$zoo" 1 zoo-file "$socket" <&- >&- 2>err
[ $? -eq 1 ] && grep -q 'no socket' err && [ -f "$socket" ]
ok $? "another file at the path stays: $(cat err)"
[ "$(left "$zoo")" -eq 0 ]
ok $? "nothing is left"
done_testing
