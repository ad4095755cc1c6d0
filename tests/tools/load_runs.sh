#!/bin/bash
# SPDX-License-Identifier: MIT
# load_runs.sh BROOD_LOAD JSON_READ [sanitized]: all invariants hold in runs of each kind, and the
# JSON has the right keys and numbers. Rates and times are not judged.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/load.sh"
program=$(own "$1") reader=$(realpath "$2") sanitized=${3:-}
cd "$folder" || exit 99

leak=leak=3
[ -z "$sanitized" ] || leak=nop=33      # a sanitizer's allocator does not keep to memory limits

held() {
	is invariants.one_verdict_per_job true
	is invariants.replies_intact true
	is invariants.pool_full "${1:-true}"
	is invariants.nothing_left true
	is invariants.counters_agree "${1:-true}"
	is jobs.unaccounted 0
	is left.processes 0
	is left.zombies 0
	is left.fds 0
}

run "echo, call" -n 2000 -w 4 -c 16 --seed 7
held
keys=schema,config,machine,elapsed_s,jobs,details,paths,rate_per_s,latency_us,pace,thresholds
keys=$keys,find_max,recovery_us,gap_us
is '' $keys,histograms,series,batches,chaos,workers,left,invariants,broken
is jobs submitted,done,failed,crashed,exited,timed_out,cancelled,refused,lost,cut_off,unaccounted
is latency_us.echo p50,p90,p99,p99_9,max
is recovery_us death_to_verdict,death_to_ready
is workers spawned,died,killed,retired,reloads,resizes,leases,leases_revoked
is gap_us null
is config.resize null
is config.rate null
is paths handoff,lease
is details done,failed,crashed,exited,timed_out,cancelled,refused,lost
is details.done none
is left processes,zombies,fds
is config.loop closed
is config.seed 7
is jobs.submitted 2000
is jobs.done 2000
is workers.spawned 4
is recovery_us.death_to_ready null
above elapsed_s 0
above rate_per_s 0
above latency_us.echo.p50 0
is histograms.echo.count 2000
is machine cpu,kernel,cpus,memory,load_before,when,brood
columns=slice_s,given,done,failed,crashed,exited,timed_out,cancelled,refused,lost
is series $columns,p50_us,p99_us,max_us,pool
is series.pool workers,ready,ready_least,busy,starting,queued,died
is batches.0 seconds,given,verdicts,done,p50_us,p90_us,p99_us,p99_9_us,max_us

# sums KEY TOTAL: the values of the array add up
sums() {
	local n=$("$reader" json "$1") paths=() i
	for ((i = 0; i < n; i++)); do paths+=("$1.$i"); done
	n=$("$reader" json "${paths[@]}" | awk '{ n += $1 } END { print n + 0 }')
	[ "$n" = "$2" ]
	ok $? "$1 adds up to $2"
}
sums series.given 2000
sums series.done 2000
sums histograms.echo.counts 2000
run "the same over time, folded once" -d 6 -w 2 -c 4 --rate 500 --warm-up 0 --hdr hdr --kill-rate 5
held
is series.slice_s 0.02
given=$("$reader" json jobs.submitted)
sums series.given "$given"
sums series.done "$("$reader" json jobs.done)"
above series.pool.died.290 5
above batches 19
grep -q '^ *Value *Percentile *TotalCount 1/(1-Percentile)$' hdr && grep -q '^#\[Mean' hdr &&
	awk -v given="$given" '!/^#/ && $2 == 1 { n = $3 } END { exit n != given }' hdr
ok $? "--hdr: the last line has all jobs: $(tail -n 4 hdr | head -n 1)"

run "echo, open, two threads" -n 2000 -w 4 -c 16 -t 2 --call open
held
is jobs.done 2000
run "echo, submit, three threads" -n 20000 -w 4 -c 16 -t 3 --call submit
held
is jobs.done 20000
is config.call submit
is config.threads 3
run "submit, more threads than shards" -n 4000 -w 4 -c 80 -t 20 --call submit --mix echo=9,nop=1
held
is jobs.done 4000
run "submit, thousands out" -n 20000 -w 4 -c 5000 --call submit
held
is jobs.done 20000
by() {          # by HOW: all that a run may have, with the jobs given in this way
	local how=$1 path
	for path in handoff lease; do
		run "forced: $how by $path" -n 500 -w 2 -c 8 --call "$how" --dispatch $path
		held
		is paths.$path 500
		is config.dispatch $path
	done
	run "sizes, $how" -n 300 -w 2 -c 4 -s 0,1,64,5000,70K,300K --call "$how"
	held
	is jobs.done 300
	is config.size 6
	run "large, $how" -n 40 -w 2 -c 4 -t 2 -s 1M --call "$how"
	held
	is jobs.done 40
	run "empty, $how" -n 200 -w 2 -c 4 -s 0 --call "$how"
	is jobs.done 200
	run "all kinds, $how" -n 600 -w 4 -c 16 --call "$how" --deadline 300 --seed 5 \
		--mix "nop=30,echo=45,crash=3,exit=4,fail=5,hang=1,spin=1,throw=4,fork=4,$leak"
	held
	is jobs.submitted 600
	above jobs.failed 0
	above jobs.crashed 0
	above jobs.exited 0
	above jobs.timed_out 0
}
# How many kills find a worker alive depends on the machine.
killed() {
	run "killed, call" -d 2 -w 4 -c 16 --kill-rate 30
	held
	above workers.killed 0
	above workers.died 10
	above recovery_us.death_to_ready.p50 0
	run "killed, open" -d 2 -w 4 -c 16 --kill-rate 30 --call open
	held
	above workers.killed 0
	run "killed, submit" -d 2 -w 4 -c 16 --kill-rate 100 --call submit --mix echo=999,crash=1
	held
	above workers.killed 0
	above jobs.crashed 0
	run "killed, submit, two threads, forced leases" -d 2 -w 4 -c 16 -t 2 --kill-rate 50 \
		--call submit --dispatch lease
	held
	above workers.killed 0
	for how in call submit open; do
		run "killed, three pools, $how" -d 1 -w 6 --pools 3 -c 18 -t 3 --kill-rate 50 \
			--call $how --mix echo=999,crash=1
		held
		is config.pools 3
		above workers.killed 0
	done
	run "reloads and kills" -d 2 -w 4 -c 16 --reload-every 0.05 --kill-rate 10
	held
	above workers.reloads 3
	above workers.retired 12
	for how in call submit; do
		run "reloads, resizes and kills, at a rate, $how" -d 2 -w 12 -c 16 --call $how \
			--reload-every 0.05 --resize 2:12:100 --kill-rate 5 --rate 1000 --control
		held
		is config.resize 2:12:100
		is config.rate 1000
		is jobs.refused 0
		above workers.reloads 3
		above workers.resizes 5
		above jobs.done 300
		[ "$("$reader" json jobs.submitted)" -le 2600 ]
		ok $? "no more than the rate: $("$reader" json jobs.submitted)"
		above gap_us.completions 0
		above gap_us.control 0
	done
	run "all killed, twice" -d 2 -w 4 -c 16 --kill-all-at 0.5,1.2
	held
	above workers.killed 0
	run "supervisor killed" -d 30 -w 4 -c 16 --kill-supervisor-at 0.7 --mix echo=9,fork=1
	held null
	run "supervisor killed at once" -d 30 -w 4 --kill-supervisor-at 0 --call open
	held null
	run "supervisor killed, submit" -d 30 -w 4 -c 64 --kill-supervisor-at 0.7 \
		--call submit --mix echo=999,fork=1
	held null
	run "all killed, submit" -d 2 -w 4 -c 64 --kill-all-at 0.5,1.2 --call submit
	held
}
# These runs mostly wait: for deadlines, for kills, for the end of their time.
for how in call open submit; do
	beside by "$how"
done
beside killed
together

seed() {
	timeout 60 "$program" -q --json - -n 500 -c 5 -w 2 --seed "$1" --mix nop=1,fail=1,exit=0.1 |
		"$reader" - jobs.done jobs.failed jobs.exited |
		tr '\n' ' '
}
first=$(seed 11) again=$(seed 11) other=$(seed 12)
[ -n "$first" ] && [ "$first" = "$again" ] && [ "$first" != "$other" ]
ok $? "a seed repeats its jobs: $first / $again / $other"

run "idle" --idle 0.5 -w 2
held
is jobs.submitted 0
is config.idle_s 0.5
run "more callers than shards" -n 1000 -w 2 -c 100
held
is jobs.done 1000

timeout 100 "$program" -q --json json --compare -n 400 -w 2 -c 4 --mix \
	nop=20,echo=70,fail=5,exit=3,crash=2 >out 2>err
ok $? "--compare: $(cat err)"
is '' schema,config,machine,compare
is compare 4
for i in 0 1 2 3; do
	is compare.$i.jobs.submitted 400
	is compare.$i.jobs.unaccounted 0
	is compare.$i.invariants.one_verdict_per_job true
	is compare.$i.invariants.replies_intact true
	is compare.$i.invariants.nothing_left true
	above compare.$i.latency_all_us.p99 0
	above compare.$i.jobs.crashed 0
	above compare.$i.jobs.exited 0
done
is compare.0.paths.handoff 400
is compare.1.paths.lease 400
is compare.2.paths.lease 400
is compare.3.call fork
is compare.3.ratio_to_fork 1
is compare.3.invariants.pool_full null
is compare.1.invariants.counters_agree true
is compare.3.invariants.counters_agree null
timeout 100 "$program" -n 100 -w 2 -c 4 --compare >out 2>err &&
	grep -q '^ *fork a job .* 1.00x$' out && grep -q '^fork a job .* all invariants held$' out
ok $? "--compare: the table"

# Ctrl-C ends a run in order: every job that was given gets its verdict.
timeout 100 "$program" -d 60 -w 2 -c 4 -q --json json 2>err &
timer=$!
for ((i = 0; i < 200; i++)); do
	# judge, supervisor, engine, guard and two workers
	pid=$(pgrep -P $timer) && [ "$(pids_of "$program" | wc -l)" -ge 6 ] && break
	sleep 0.05
done
kill -INT "$pid" && wait $timer
ok $? "SIGINT: exit code $? $(cat err)"
held
# When the judge dies, all other processes die, too.
timeout 100 "$program" -d 60 -w 2 -c 4 -q &
timer=$!
for ((i = 0; i < 200; i++)); do
	pid=$(pgrep -P $timer) && break
	sleep 0.05
done
kill -KILL "$pid"
wait $timer 2>/dev/null
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
