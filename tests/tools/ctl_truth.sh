#!/bin/bash
# SPDX-License-Identifier: MIT
# ctl_truth.sh BROOD_CTL ZOO JSON_READ OPENMETRICS_READ: what brood-ctl says is what is true.
here=$(dirname "$0")
. "$here/lib.sh"
. "$here/zoo.sh"
ctl=$(realpath "$1") zoo=$(own "$2") json=$(realpath "$3") metrics=$(realpath "$4")
here=$(realpath "$here")
page=$(realpath "$here/../../tools/man/brood-ctl.1")
cd "$folder" || exit 99

value() { "$ctl" "$keeper" status --json >status.json && "$json" status.json "$1"; }
stat_of() { sed -n "s/^$1 //p" stats; }

# ---- what a stuck job waits on -------------------------------------------------------------------
open_zoo 16 zoo-one
kinds='futex mutex read poll sleep pause loop vfork'
for kind in $kinds; do
	for path in handoff lease; do
		ask stuck $kind $path
		echo "$kind-$path $(cat answer)" >>ids
	done
done
waits() {       # waits KIND: how the table shows it
	case $1 in
	futex | mutex) echo "$1\$" ;;
	read) echo 'read([0-9]*: pipe:\[[0-9]*\])$' ;;
	poll) echo 'poll$' ;;
	sleep) echo '\(clock_\)\?nanosleep$' ;;
	pause) echo 'pause$' ;;
	loop) echo 'running$' ;;
	vfork) echo 'D [a-z]' ;;
	esac
}
all_right() {   # sets `right`, `wrong`
	local tag id line
	right=0 wrong=
	"$ctl" "$keeper" workers >table || return 1
	while read -r tag id; do
		line=$(grep " get_stuck  *$tag  *$id " table)
		if [ -n "$line" ] && grep -q "busy .*$(waits "${tag%-*}")" <<<"$line"; then
			right=$((right + 1))
		else
			wrong="$wrong $tag: $line;"
		fi
	done <ids
	[ "$right" -eq 16 ]
}
until_true all_right
ok $? "16 stuck jobs: function, tag, id, and what they wait on:$wrong"
sum=0
for i in 1 2 3 4 5 6 7; do
	all_right
	sum=$((sum + right))
done
[ $sum -eq 112 ]
ok $? "what they wait on is right $sum times of 112 $wrong"

"$ctl" "$keeper" workers --json >workers.json
"$json" workers.json workers >count && [ "$(cat count)" = 16 ] &&
	[ "$("$json" workers.json workers.0.process.waits_on workers.0.job.function |
		tail -n 1)" = get_stuck ]
ok $? "workers --json is JSON, with 16 workers"
for pid in $(awk 'NR > 1 { print $2 }' table); do
	read -r _ _ _ parent _ <"/proc/$pid/stat" && [ "$parent" = "$keeper" ] || break
done
ok $? "each pid is a child of the supervisor"
for key in $(grep -oh '"[a-z_0-9]*":' workers.json | tr -d '":' | sort -u); do
	grep -qw "$key" "$page" || { ok 1 "brood-ctl.1 lacks the key $key"; break; }
done
"$ctl" "$(awk 'NR == 2 { print $2 }' table)" status | grep -q "supervisor $keeper,"
ok $? "a worker's pid names the brood, too"
"$ctl" zoo-one status | grep -q '^zoo-one: serving for '
ok $? "so does its name"
ask cancel

# ---- texts of a job reach no terminal ------------------------------------------------------------
ask tag 1b5b324aff0d9bc280e2808e4f4b # ESC [2J, a byte, CR, CSI twice, a mark, OK
shows_tag() { "$ctl" "$keeper" workers >table && grep -q 'get_stuck .*OK' table; }
until_true shows_tag && ! tr -d '\n -~' <table | grep -q . 2>/dev/null
ok $? "a tag's control characters are not shown: $(grep -o 'get_stuck.*OK' table)"
"$ctl" "$keeper" workers --json >workers.json && "$json" workers.json workers >/dev/null
ok $? "nor in JSON"
ask cancel
close_zoo
ok $? "the zoo ends well"

# ---- counters ------------------------------------------------------------------------------------
open_zoo 3 zoo-two
ask run done 50; ask run fail 5; ask run crash 4; ask run exit 2
all_back() { [ "$(value pools.0.workers.ready)" = 3 ]; }
until_true all_back
ask stats; mv answer stats
equal=0
for outcome in done failed crashed exited 'timed out' lost; do
	[ "$(value "pools.0.jobs.${outcome/ /_}")" = "$(stat_of "$outcome")" ] || equal=1
done
ok $equal "verdicts are those of brood_stats(): $(tr '\n' ' ' <stats)"
[ "$(value pools.0.jobs.crashed)" = 4 ] && [ "$(value pools.0.deaths.crashed)" = 4 ] &&
	[ "$(value pools.0.deaths.exited)" = 2 ] && [ "$(value pools.0.died)" = 6 ] &&
	[ "$(value pools.0.born)" = 9 ] && [ "$(value pools.0.run_time.count)" = 61 ]
ok $? "deaths by cause, births and times are those that were asked for"
for key in $(grep -oh '"[a-z_0-9]*":' status.json | tr -d '":' | sort -u); do
	case $key in # what is named after labels stands in brood-metrics(7)
	ended | crashed | oom | outside | exited | timed_out | cancelled | stopped | stuck | \
		nonsense | unready | escaped | unknown | done | failed | refused | lost) continue ;;
	esac
	grep -qw "$key" "$page" || { ok 1 "brood-ctl.1 lacks the key $key"; break; }
done

# ---- metrics -------------------------------------------------------------------------------------
# Prometheus itself reads and judges the text, if it is here: its parser wants a time for each
# sample of a file, and its judgement the older format.
promtool_likes() {      # promtool_likes FILE NAME
	if ! command -v promtool >/dev/null; then
		say "no promtool here, for $2"
		return
	fi
	sed '/^#/!s/$/ 1700000000/' "$1" >stamped
	promtool tsdb create-blocks-from openmetrics stamped blocks >prom 2>&1 &&
		awk -f "$here/prometheus.awk" "$1" >older && [ "$(wc -l <older)" -gt 100 ] &&
		promtool check metrics <older >>prom 2>&1 &&
		! grep -q . <(grep -v -e '^BLOCK' -e '^[0-9A-Z]\{26\} ' prom)
	ok $? "promtool has nothing to say of $2: $(grep -v '^BLOCK' prom | head -n 3)"
}
"$ctl" "$keeper" metrics >first
ask metrics; mv answer inside
diff first inside >&2
ok $? "brood_metrics() and brood-ctl write the same text"
"$metrics" first 'brood_jobs_total{outcome="done"}' 'brood_jobs_total{outcome="crashed"}' \
	'brood_worker_deaths_total{cause="exited"}' brood_run_seconds_count \
	brood_worker_births_total brood_workers >numbers
ok $? "a strict reader reads it"
[ "$(tr '\n' ' ' <numbers)" = '50 4 2 61 9 3 ' ]
ok $? "its numbers are right: $(tr '\n' ' ' <numbers)"
promtool_likes first "brood-ctl metrics"
promtool_likes inside "brood_metrics()"
(
	cp first before
	while [ ! -e over ] && "$ctl" "$keeper" metrics >later &&
		"$metrics" --after before later 2>>went_back; do
		mv later before
		echo >>looked
	done
) &
sampler=$!
back=0
for i in 1 2 3; do
	ask reload; ask run crash 2; ask resize $((4 - i)); ask run done 20; ask resize 3
	"$ctl" "$keeper" metrics >second && "$metrics" --after first second || back=1
	mv second first
done
ok $back "no counter goes back over reloads, deaths and new sizes"
touch over
wait $sampler
[ ! -s went_back ] && [ "$(wc -l <looked)" -gt 3 ]
ok $? "not in one of $(wc -l <looked) samples meanwhile: $(cat went_back)"
promtool_likes first "metrics after reloads, deaths and new sizes"
page7=$(dirname "$page")/brood-metrics.7
for family in $(sed -n 's/^# TYPE \([a-z_]*\) counter$/\1_total/p; s/^# TYPE \([a-z_]*\) [^c].*/\1/p' \
	first | sed 's/^brood$/brood_info/'); do
	grep -qw "$family" "$page7" || { ok 1 "brood-metrics.7 lacks $family"; break; }
done

# ---- probes --------------------------------------------------------------------------------------
code() { timeout 30 "$ctl" "$@" >out 2>err; echo $?; }
[ "$(code "$keeper" check)" = 0 ] && [ "$(code "$keeper" wait ready)" = 0 ]
ok $? "alive, and ready"
# without an end of the wait, code 124 would come from timeout(1)
[ "$(code "$keeper" wait ready --pool mian)" = 3 ] && grep -q 'no pool "mian": it has main$' err
ok $? "nobody waits for a pool that will never be: $(cat err)"
kill -STOP "$keeper"
[ "$(code "$keeper" check --timeout 0.2)" = 1 ] && grep -q 'supervisor is stopped' err
ok $? "not alive while the supervisor is stopped: $(cat err)"
[ "$(code "$keeper" wait ready --timeout 0)" = 1 ] && [ "$(code "$keeper" workers)" = 0 ] &&
	grep -q attention out
ok $? "not ready then, and workers are still told"
victim=$(awk '/ idle / { print $2; exit }' out)
kill -KILL "$victim"
dead() { [ "$(code "$keeper" workers)" = 0 ] && grep -q "^ *[0-9]* *$victim .* dead\$" out; }
until_true dead
ok $? "a worker that died meanwhile is told as dead: $(grep " $victim " out)"
kill -CONT "$keeper"
until_true all_back && ! dead
ok $? "until its place has another one"
engine=$(value engine)
kill -STOP "$engine"
[ "$(code "$keeper" check --timeout 0.2)" = 1 ] && grep -q 'engine is stopped' err
ok $? "nor while the engine is"
kill -CONT "$engine"
[ "$(code "$keeper" check)" = 0 ]
ok $? "alive again"
[ "$(code "$keeper" status --pool none)" = 3 ] && [ "$(code "$keeper" status --pool 0)" = 0 ]
ok $? "a pool that does not exist"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$folder"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$ctl" "$keeper" status >out 2>err
	[ $? -eq 4 ] && [ ! -s out ]
	ok $? "another user may not look: $(cat err)"
fi
kill -KILL "$keeper"
{ wait "$zoo_job"; } 2>/dev/null
[ "$(code "$keeper" check)" = 3 ]
ok $? "gone: $(cat err)"

# ---- a brood of another user ---------------------------------------------------------------------
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && as 65534 test -x "$zoo" -a -x "$ctl"; then
	root_zoo=$zoo
	printf '#!/bin/bash\nexec setpriv --reuid=65534 --regid=65534 --clear-groups %q "$@"\n' \
		"$zoo" >"$folder/zoo-of-nobody"
	chmod 755 "$folder/zoo-of-nobody"
	zoo=$folder/zoo-of-nobody
	open_zoo 2 zoo-four
	zoo=$root_zoo
	[ "$(stat -c %u "/proc/$keeper")" = 65534 ] && [ "$(code "$keeper" status)" = 0 ] &&
		as 65534 "$ctl" "$keeper" status >/dev/null
	ok $? "its own user and root may look"
	for word in status workers metrics check; do
		as 65533 "$ctl" "$keeper" $word >out 2>err
		[ $? -eq 4 ] && [ ! -s out ] || break
	done
	ok $? "nobody else: $(cat err)"
	as 65533 "$ctl" zoo-four status >out 2>err
	[ $? -ne 0 ] && [ ! -s out ]
	ok $? "nor by its name: $(cat err)"
	close_zoo
fi

# ---- each way in which an end begins -------------------------------------------------------------
draining() {
	[ "$(code "$keeper" wait ready --timeout 0)" = 1 ] && grep -q draining err &&
		[ "$(value state)" = draining ] && "$ctl" "$keeper" metrics >text &&
		grep -qx 'brood_state{brood_state="draining"} 1' text &&
		[ "$("$metrics" text brood_state)" = 1 ]
}
drains() {      # drains NAME JOB END...: while this job runs, and END was done
	local name=$1 job=$2
	shift 2
	open_zoo 2 zoo-three
	ask deaf
	[ "$(code "$keeper" wait ready --timeout 0)" = 0 ] || say "not ready: $(cat err)"
	ask $job
	"$@"
	until_true draining && [ "$(code "$keeper" check)" = 0 ]
	ok $? "not ready, but alive, while it drains: $name: $(cat err)"
	kill -KILL "$keeper"
	{ wait "$zoo_job"; } 2>/dev/null
	exec {zoo_in}>&- {zoo_out}<&-
}
say_it() { printf '%s\n' "$1" >&"$zoo_in"; }
term() { kill -TERM "$keeper"; }
drains 'brood_stop(), a job on lease' 'stuck pause lease' say_it stop
drains 'brood_stop(), a submitted job by handoff' 'stuck pause handoff' say_it stop
drains 'brood_stop(), a handle' hold say_it stop
drains 'exit(), a job on lease' 'stuck pause lease' say_it exit
drains 'exit(), a handle' hold say_it exit
drains 'SIGTERM, and the program goes on' 'run done 1' term
[ "$(left "$zoo")" -eq 0 ]
ok $? "nothing is left"
done_testing
