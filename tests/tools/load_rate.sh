#!/bin/bash
# SPDX-License-Identifier: MIT
# load_rate.sh BROOD_LOAD JSON_READ: the open loop. How many jobs are planned is known beforehand,
# whatever the machine does. The least effect of a stall is computed. Speed is not judged.
. "$(dirname "$0")/lib.sh"
program=$(own "$1") reader=$(realpath "$2")
cd "$folder" || exit 99

value() { "$reader" json "$1" 2>&1; }
run() {         # run CODE NAME OPTION...: that exit code, valid JSON in ./json, all invariants held
	local code=$1 name=$2 i held=0
	shift 2
	timeout 100 "$program" -q --json json "$@" >out 2>err
	[ $? -eq "$code" ] && [ ! -s out ] && "$reader" json >/dev/null || held=1
	for i in one_verdict_per_job replies_intact pool_full nothing_left counters_agree; do
		[ "$(value invariants.$i)" = true ] || held=1
	done
	ok $held "$name: $(cat err)"
}
is() {          # is PATH VALUE
	[ "$(value "$1")" = "$2" ]
	ok $? "$1 is $2: $(value "$1")"
}
holds() {       # holds EXPRESSION PATH...: true of the values $1, $2, ...
	local expression=$1 values=() path
	shift
	for path; do values+=("$(value "$path")"); done
	echo "${values[*]}" | awk "{ exit !($expression) }"
	ok $? "$expression of $*: ${values[*]}"
}

plans() {       # plans HOW: the plan decides how many jobs there are
	local how=$1 path
	for path in auto handoff lease; do
		run 0 "$how, $path" --rate 500 -d 1 -w 2 -c 8 -t 3 --warm-up 0 \
			--call "$how" --dispatch $path
		is config.loop open
		is pace.intended_per_s 500.000
		is pace.planned 500
		holds '$1 + $2 == 500 && $1 == $3' pace.sent pace.unsent jobs.submitted
		holds '$1 <= $2 && $3 <= $4' pace.raw_us.p50 pace.corrected_us.p50 \
			pace.raw_us.max pace.corrected_us.max
	done
	run 0 "a number of jobs, $how" --rate 2000/s -n 1000 -w 2 -c 8 -t 3 --warm-up 0 \
		--call "$how"
	is jobs.done 1000
	is pace.planned 1000
	is pace.unsent 0
	run 0 "a ramp, $how" --ramp 0:1000:1 -w 2 -c 16 --call "$how"
	is config.duration_s 1
	is pace.planned 500
	run 0 "steps, $how" --steps 100,500:0.5 -w 2 -c 16 --call "$how"
	is pace.planned 300
	is pace.intended_per_s 300.000
	run 0 "warm-up, $how" --rate 1000 -d 1 --warm-up 0.4 -w 2 -c 16 --call "$how"
	is pace.planned 600
	holds '$1 == 0.4 && $2 <= 0.6001' pace.warm_up_s pace.measured_s
	run 0 "default warm-up, $how" --rate 1000 -d 1 -w 2 -c 16 --call "$how"
	is pace.planned 900
	run 0 "random times, $how" --rate 1000 --poisson -d 1 --seed 3 --warm-up 0 -w 2 -c 16 \
		-t 2 --call "$how"
	holds '$1 > 850 && $1 < 1150 && $1 != 1000' pace.planned
	planned=$(value pace.planned)
	run 0 "random times, again, $how" --rate 1000 --poisson -d 1 --seed 3 --warm-up 0 -w 2 \
		-c 16 -t 2 --call "$how"
	is pace.planned "$planned"
}

# Each job takes at least 50 ms, and one may be out: of 100 planned jobs 21 at most are sent in the
# second, all of them late but the first ones.
too_slow() {    # too_slow HOW
	local late unsent
	run 3 "too slow a pool, $1" --rate 100 -d 1 --warm-up 0 -w 1 -c 1 \
		--mix sleep=50ms --call "$1" --fail-if 'unsent>78' --fail-if 'late>0' \
		--fail-if 'p0 < 50ms' --fail-if 'errors>0' --fail-if 'rate > 22/s'
	is pace.planned 100
	holds '$1 >= 79 && $1 + $2 == 100' pace.unsent pace.sent
	holds '$1 >= $2 - 1 && $2 > 1' pace.late pace.sent
	is thresholds 5
	is thresholds.0.failed true
	is thresholds.1.failed true
	is thresholds.2.failed false
	is thresholds.3.failed false
	is thresholds.4.failed false
	late=$(value pace.late) unsent=$(value pace.unsent)
	[ "$(cat err)" = "brood-load: --fail-if 'unsent>78': it is $unsent
brood-load: --fail-if 'late>0': it is $late" ]
	ok $? "each condition that is true is named, with its figure"
}

# The only worker, or the engine, is stopped for 200 ms. A job that was planned T before the end of
# the stall takes T at least: nothing ends in between. So of N jobs at R a second, R * (200 ms - T)
# are at least so slow, and a quantile Q is at least 200 ms - (1 - Q) * N / R; 10 ms are left for
# what is rounded. One job may be out, so raw latencies add up to the length of the run at most: the
# slowest 5 % of N jobs are not all above length / (5 % of N).
stall() {       # stall HOW ACT
	local hidden=1
	timeout 100 "$program" --json json --rate 1000 -d 2 --warm-up 0 -w 1 -c 1 -t 1 \
		--call "$1" --chaos "$2" >out 2>err
	ok $? "$1, $2"
	is pace.planned 2000
	holds '$1 >= 200000 - 0.01 * 2e6 - 10000' pace.corrected_us.p99
	holds '$1 >= 200000 - 0.05 * 2e6 - 10000' pace.corrected_us.p95
	holds '$1 <= $2 * 1e6 / ($3 * 0.05 - 1)' pace.raw_us.p95 elapsed_s pace.sent
	holds '$1 < $2' pace.raw_us.p95 pace.corrected_us.p95
	holds '$1 >= 200 - 10' pace.late
	echo "$(value pace.corrected_us.p99) $(value pace.raw_us.p99)" |
		awk '{ exit !($1 > 2 * $2) }' && hidden=0
	grep -q 'raw latencies hide a stall' out
	[ $? -eq $hidden ]
	ok $? "the report says whether raw latencies hide it ($hidden)"
}

# Two workers, and each job takes 20 ms at least: no more than 100 jobs a second can end.
find_max() {
	run 0 "--find-max" --find-max 'p99<10s' --find-max 'errors<1' --rate 20 -d 2 -w 2 \
		-c 8 --mix sleep=20ms --call submit
	holds '$1 > 0 && $1 <= 105' find_max.rate_per_s
	is find_max.keeps 2
	holds '$1 >= 3' find_max.trials
	local last=$(($(value find_max.trials) - 1))
	is find_max.trials.0.intended_per_s 20.000
	is find_max.trials.$last.held true
	is find_max.trials.$last.last true
	holds '$1 == $2' find_max.trials.$last.intended_per_s find_max.rate_per_s
	run 3 "--find-max: no rate is right" --find-max 'p0<1ms' --rate 2 -d 1 -w 2 -c 8 \
		--mix sleep=20ms
	is find_max.rate_per_s null
}

for how in call open submit; do
	beside plans $how
	beside too_slow $how
	beside stall $how 'stop at 1s for 200ms'
	beside stall $how 'engine-stall 200ms at 1s'
done
beside find_max
together

run 0 "a seed, with jobs drawn by all threads" --rate 2000 -n 600 -w 2 -c 8 --seed 11 \
	--mix nop=1,fail=1,exit=0.1 --log first
first=$(value jobs.failed),$(value jobs.exited)
run 0 "the same seed" --rate 3000 -n 600 -w 2 -c 5 --seed 11 --mix nop=1,fail=1,exit=0.1 \
	--log second
[ "$first" = "$(value jobs.failed),$(value jobs.exited)" ] && [ "$(wc -l <first)" -ge 600 ] &&
	cmp <(sort first) <(sort second)
ok $? "a seed repeats its jobs: $first"
run 0 "a closed loop with a warm-up" -d 1 --warm-up 0.5 -w 2 -c 4
is config.loop closed
is pace.warm_up_s 0.5
holds '$1 < $2' histograms.echo.count jobs.submitted
run 3 "a closed loop has thresholds, too" -n 200 -w 2 -c 4 --fail-if 'rate>=0' --fail-if 'lost>0'
is config.loop closed
is pace.intended_per_s null
! "$reader" json latency_raw_us >/dev/null 2>&1
ok $? "a closed loop has one latency only"
timeout 60 "$program" -n 200 -w 2 -c 4 --rate 1000 --warm-up 0.05 --fail-if 'p50>100s' >out 2>err &&
	grep -q '^brood-load .*, open loop: 1000/s, however slow the pool is; 4 jobs out' out &&
	grep -q '^warm-up: the first 0.05 s are left out of latencies and rates' out &&
	grep -q '^open loop: intended 1000.0/s, achieved ' out &&
	grep -q '^ *late  .* more than 1 ms behind the plan' out &&
	grep -q '^ *unsent ' out &&
	grep -q 'count from the planned send time (corrected)' out &&
	grep -q "^--fail-if 'p50>100s': held" out && grep -q '^    raw  ' out && [ ! -s err ]
ok $? "the table"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
