#!/bin/bash
# SPDX-License-Identifier: MIT
# ctl_storm.sh BROOD_CTL BROOD_TOP BROOD_LOAD JSON_READ OPENMETRICS_READ WORKERS [MS]
# What the tools say of a pool of so many workers that die at random is true: who lives; counters
# that never go back; a supervisor that is stopped; and in the end the verdicts that brood-load's
# own judge has counted. MS: a death must be seen within so many milliseconds, which only a quiet
# machine can do.
here=$(dirname "$0")
. "$here/lib.sh"
ctl=$(realpath "$1") top=$(realpath "$2") load=$(own "$3") json=$(realpath "$4")
metrics=$(realpath "$5") workers=$6 most=${7:-}
cd "$folder" || exit 99

until_true() {  # until_true COMMAND...: at most 60 s
	local until=$((SECONDS + 60))
	until "$@"; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.02
	done
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# ---- samples, as often as possible, until the brood is gone --------------------------------------
# $before: the last sample; $final: the last one of a brood that has done its last job
sample() {
	local n=0
	while "$ctl" "$keeper" metrics >next 2>/dev/null; do
		"$metrics" next >/dev/null 2>>wrong || break
		[ ! -s before ] || "$metrics" --after before next 2>>wrong || break
		mv next before
		[ "$("$metrics" before 'brood_state{brood_state="serving"}')" = 1 ] ||
			cp before final
		n=$((n + 1))
		echo $n >samples
	done
}

start() {
	"$load" -q --json result -d 600 -w "$workers" -c $((2 * workers)) -t 4 --kill-rate 5 \
		--seed 5 --mix echo=88,nop=5,crash=2,exit=2,fail=3 >out 2>err &
	loader=$!
	until_true there && until_true "$ctl" "$keeper" wait ready --timeout 0 2>/dev/null
	ok $? "$workers workers are ready: $(cat err)"
	sample &
	sampler=$!
}
there() {
	keeper=$(pgrep -P $loader -f '^brood-load-[0-9a-f]*: supervisor')
	[ -n "$keeper" ]
}

# ---- who lives -----------------------------------------------------------------------------------
alive() {
	"$ctl" "$keeper" workers >table &&
		awk '$1 ~ /^[0-9]+$/ && $NF != "dead" { print $2 }' table
}
shows() { alive | grep -qx "$1"; }
shows_top() {
	COLUMNS=132 "$top" "$keeper" --once >frame &&
		awk '/^ SLOT/ { on = 1; next } on && $NF != "dead" { print $2 }' frame |
		grep -qx "$1"
}
# A killed process lives until a CPU takes it up: with hundreds of others that is long.
lives() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) && [[ ${stat##*) } != [ZX]* ]]
}
gone_from() {   # gone_from SHOWS PID: kills PID. Sets `took`, ms from the death until it is told
	local died= at
	kill -KILL "$2" 2>/dev/null && echo "$2" >>victims
	for ((i = 0; i < 200; i++)); do
		[ -n "$died" ] || lives "$2" || died=$(now_ms)
		at=$(now_ms)
		"$1" "$2" || break
	done
	took=$((at - ${died:-$at}))
	[ $i -lt 200 ]
}
# Sets `pid`. Workers that are killed soon after their birth are not replaced at once.
victim() {
	pid=$(alive | shuf -n 1)
	[ -n "$pid" ]
}
deaths() {      # deaths SHOWS COUNT
	local longest=0 code=0 n
	for ((n = 0; n < $2; n++)); do
		until_true victim && gone_from "$1" "$pid" || { code=1; break; }
		[ $took -le $longest ] || longest=$took
	done
	[ $code -eq 0 ] && { [ -z "$most" ] || [ $longest -le "$most" ]; }
	ok $? "$1: $n deaths are told, the last one after $longest ms at most"
}

start
deaths shows ${most:+10}5
deaths shows_top ${most:+2}3
table_fits() {  # no more than there may be, and no pid twice
	alive >pids && [ "$(wc -l <pids)" -le "$workers" ] &&
		[ "$(sort pids | uniq -d | wc -l)" -eq 0 ]
}
table_fits
ok $? "no more workers than there are: $(wc -l <pids)"

# ---- a supervisor that is stopped ----------------------------------------------------------------
freeze() {      # stops the supervisor while `pid` lives
	victim && kill -STOP "$keeper" && shows "$pid" && return 0
	kill -CONT "$keeper"
	return 1
}
until_true freeze
gone_from shows "$pid"
ok $? "while the supervisor is stopped, a death is told after $took ms"
! shows_top "$pid" && grep -q '^! the supervisor is stopped' frame
ok $? "by brood-top, too"
grep -q '^attention: the supervisor is stopped' table
ok $? "and that what is shown was last true"
"$ctl" "$keeper" check --timeout 0.1 2>err
[ $? -eq 1 ]
ok $? "it is not alive: $(cat err)"
kill -CONT "$keeper"
heard() { ! grep -q "^ *[0-9]* *$pid " <("$ctl" "$keeper" workers); }
until_true heard
ok $? "and then it is buried"

# ---- the end -------------------------------------------------------------------------------------
# Ctrl-C ends the run in order. The judge is stopped before the brood's last moment, for which the
# engine waits then, so that a sample is taken there.
heard_it() { [ $((0x$(sed -n 's/^ShdPnd:\t//p' /proc/$loader/status) & 2)) -eq 0 ]; }
stands_still() {
	kill -STOP $loader
	for ((i = 0; i < 500; i++)); do
		[ ! -s final ] || return 0
		sleep 0.02
	done
	kill -CONT $loader
	return 1
}
kill -INT $loader
until_true heard_it
until_true stands_still
ok $? "a sample was taken after the last job"
kill -CONT $loader
wait $loader
code=$?
wait $sampler
# The judge knows of its own kills alone. If a worker that was killed from here had a job, the judge
# says so.
only_victims() {
	local line
	while IFS= read -r line; do
		case $line in
		*'one_verdict_per_job: '*' wrong for their jobs') ;;
		*'one_verdict_per_job: for example: '*'nobody killed that worker from outside)')
			line=${line#*(pid }
			grep -qx "${line%%,*}" victims || return 1
			;;
		*) return 1 ;;
		esac
	done <err
}
[ $code -eq 0 ] || only_victims
ok $? "all invariants of brood-load held, counters_agree among them: $(cat err)"
[ ! -s wrong ] && [ "$(cat samples)" -gt 3 ]
ok $? "no counter went back in $(cat samples) samples: $(cat wrong)"
sum=0 differ=
for outcome in done failed crashed exited timed_out cancelled refused lost; do
	for detail in $("$json" result details.$outcome | tr , ' '); do
		told=$("$json" result "details.$outcome.$detail")
		label="outcome=\"$outcome\",detail=\"${detail/none/}\""
		counted=$("$metrics" final "brood_jobs_total{$label}")
		[ "$told" = "$counted" ] || differ="$differ $outcome/$detail $told, not $counted;"
		sum=$((sum + told))
	done
done
[ -z "$differ" ] && [ "$("$metrics" final brood_jobs_total)" = $sum ] && [ $sum -gt 0 ]
ok $? "brood-ctl's verdicts are the judge's, $sum of them:$differ"
[ "$("$metrics" final 'brood_worker_deaths_total{cause="outside"}')" -ge 5 ]
ok $? "deaths from outside: $("$metrics" final 'brood_worker_deaths_total{cause="outside"}')"
[ "$(left "$load")" -eq 0 ]
ok $? "nothing is left"
done_testing
