#!/bin/bash
# SPDX-License-Identifier: MIT
# load_chaos.sh BROOD_LOAD JSON_READ [sanitized]: each kind of --chaos acts, and all invariants
# hold. The same seed gives the same victims. What a kind may not do is found.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/load.sh"
program=$(own "$1") reader=$(realpath "$2") sanitized=${3:-}
cd "$folder" || exit 99

# under NAME ACTS OPTION...: a run with this chaos. What came of it is what the acts explain.
under() {
	local name=$1 acts=$2
	shift 2
	run "$name" --chaos "$acts" "$@"
	is invariants.chaos_expected true
	is invariants.nothing_left true
	is jobs.unaccounted 0
}
acted() {       # acted KIND: as expected. How often it finds a victim depends on the machine
	is "chaos.$1.held" true
	above "chaos.$1.acted" 0
}

few=(-w 4 -c 16)
hits() {
	under "kill" 'kill 30/s' "${few[@]}" -d 1
	acted kill
	under "kill-all" 'kill-all at 300ms; kill-all at end' "${few[@]}" -d 1 --call submit
	acted kill-all
	is invariants.pool_full true
	under "stop" 'stop 20/s for 100ms' "${few[@]}" -d 1 --call open
	acted stop
	under "stop beyond the deadline" 'stop 5/s for 400ms' "${few[@]}" -d 2 --deadline 100 \
		--dispatch handoff
	acted stop
	under "engine-stall" 'engine-stall 200ms at 300ms' "${few[@]}" -d 1
	acted engine-stall
	above latency_us.echo.max 100000
	under "supervisor-kill" 'supervisor-kill at end' "${few[@]}" -n 2000 --call submit
	acted supervisor-kill
	is invariants.pool_full null
	is jobs.cut_off 0
	under "supervisor-kill while the engine stalls and a worker is stopped" \
		'stop at 100ms for 9s; engine-stall 9s at 200ms; supervisor-kill at 400ms' \
		"${few[@]}" -d 60
	acted supervisor-kill
}
changes() {
	under "reload, resize" 'reload every 100ms; resize 2..4 every 150ms' "${few[@]}" -d 1
	acted reload
	acted resize
	is jobs.refused 0
	is invariants.pool_full true
	under "three pools" 'kill 30/s; stop 10/s; reload every 300ms' -w 6 --pools 3 -c 18 -t 3 \
		-d 1 --call submit
	acted kill
	acted stop
	acted reload
}
pressure() {
	for how in call open submit; do
		under "fd-pressure, $how" 'fd-pressure every 300ms for 150ms; kill 10/s' \
			"${few[@]}" -d 1 --call $how -s 64,300K
		acted fd-pressure
		under "disk-full, $how" 'disk-full every 300ms for 150ms; kill 10/s' \
			"${few[@]}" -d 1 --call $how -s 64,300K
		acted disk-full
		# a sanitizer needs more address space than there is
		[ -z "$sanitized" ] || continue
		under "memory-pressure, $how" 'memory-pressure every 300ms for 150ms; kill 10/s' \
			"${few[@]}" -d 1 --call $how -s 64,300K
		acted memory-pressure
	done
	is chaos.kill.held true
	# These files run out at any time, not only while the pressure is on.
	(
		ulimit -n 400
		timeout 100 "$program" -q --json json -w 2 -c 900 -t 1 -n 20000 --call open \
			--dispatch handoff --chaos 'fd-pressure at 0s for 1ms' >out 2>err
		code=$?
		[ $code -eq 1 ] && grep -q '^brood-load: chaos_expected: fd-pressure: expected' err
	)
	ok $? "files that are short at another time: $(head -n 1 err)"
	is invariants.chaos_expected false
	is chaos.fd-pressure.held false
}
all_of_it() {
	local acts='kill 10/s; stop 5/s for 100ms; fd-pressure at 300ms for 200ms; disk-full at '
	acts+='700ms for 200ms; engine-stall 100ms every 500ms; reload every 300ms; '
	acts+='resize 2..6 every 400ms; kill-all at 1200ms; supervisor-kill at end'
	under "all of it" "$acts" -w 6 -c 24 -d 2 -s 64,300K
	is config.chaos "$acts"
	is chaos kill,kill-all,stop,fd-pressure,disk-full,engine-stall,reload,resize,supervisor-kill
	timeout 100 "$program" -w 4 -c 8 -d 1 --chaos 'kill 20/s; reload every 200ms' >out 2>err &&
		grep -q '^  kill .* workers killed' out && grep -q '^  reload .* done' out &&
		grep -q '^chaos_expected *held$' out
	ok $? "the table has a row for each kind"
}
seeds() {       # the kills and stops that a seed means
	timeout 100 "$program" -q -w 4 -c 8 -d 1 --seed "$1" --log log --rate 500 \
		--chaos 'kill 20/s; stop 5/s for 20ms; kill at end' 2>err || echo failed
	grep '^victim ' log
}
repeated() {
	local first again other
	first=$(seeds 5) again=$(seeds 5) other=$(seeds 6)
	[ "$(wc -l <<<"$first")" -eq 26 ] && [ "$first" = "$again" ] && [ "$first" != "$other" ]
	ok $? "a seed repeats its victims: $(wc -l <<<"$first") and $(wc -l <<<"$again"): $first"
}
for part in hits changes pressure all_of_it repeated; do
	beside $part
done
together
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
