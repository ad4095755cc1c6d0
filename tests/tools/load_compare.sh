#!/bin/bash
# SPDX-License-Identifier: MIT
# load_compare.sh BROOD_LOAD: `brood-load compare` reads what --json writes, tells a difference that
# is there, none where there is none, and refuses files that were made to hurt.
. "$(dirname "$0")/lib.sh"
program=$(realpath "$1")
check=$(realpath "$(dirname "$0")/html-check.awk")
cd "$folder" || exit 99

says() {	# says TEXT NAME: standard output has it
	grep -qF -- "$1" out
	ok $? "$2: $1 ($(head -c 300 err))"
}
timeout 60 "$program" -q -d 0.5 -w 2 -c 4 --json run.json
ok $? "a run"
timeout 60 "$program" compare run.json run.json --report page.html >out 2>err
ok $? "a run with itself: $(cat err)"
says 'rate: these runs show no difference: +0.0 %' 'no difference'
says 'p99: ' 'no difference'
! grep -q 'They differ' out
ok $? "no setting differs"
said=$(awk -f "$check" page.html) && [ "$(wc -c <page.html)" -lt 1000000 ]
ok $? "the page is well-formed, and small $said"
for id in figures latency time settings; do
	grep -q "<section id=\"$id\">" page.html
	ok $? "section $id"
done

# made SLOWER WORKERS >FILE: a run with figures that are known: 20 parts whose p99 lies around
# 100 us times SLOWER, and whose rate is 1000.
made() {
	awk -v slower="$1" -v workers="$2" 'BEGIN {
		printf "{\"schema\":\"brood-load/1\",\"config\":{\"workers\":%s,\"seed\":%d},", \
			workers, slower * 7
		printf "\"machine\":{},\"rate_per_s\":1000,"
		printf "\"histograms\":{\"echo\":{\"count\":100,"
		printf "\"max_ns\":5000,\"at_most_ns\":[1000,5000],\"counts\":[60,40]}},"
		printf "\"batches\":["
		for (i = 0; i < 20; i++)
			printf "%s{\"seconds\":0.5,\"given\":500,\"verdicts\":500,\"done\":500," \
				"\"p50_us\":50,\"p90_us\":80,\"p99_us\":%g,\"p99_9_us\":%g," \
				"\"max_us\":900}", i ? "," : "", slower * (95 + i % 11), \
				slower * (300 + 40 * (i % 7))
		print "]}" }'
}
made 1 8 >a.json
made 1.12 8 >b.json
timeout 60 "$program" compare a.json b.json >out 2>err
ok $? "known figures: $(cat err)"
says "B's p99 is 12 % [10, 14] higher" 'an interval that was computed by hand'
says "rate: these runs show no difference: +0.0 % [+0.0, +0.0]" rate
timeout 60 "$program" compare b.json a.json >out 2>err
says "B's p99 is 11 % [9, 12] lower" 'the other way round'
made 1 16 >c.json
timeout 60 "$program" compare a.json c.json >out 2>err
says 'A 8, B 16' 'a setting that differs'
sed 's/"batches":\[\({[^}]*}\).*/"batches":[\1]}/' a.json >short.json
timeout 60 "$program" compare short.json b.json >out 2>err
says 'too few batches' 'one part alone'

# refused NAME WORD: hostile.json is refused with this word, and nothing is on standard output
refused() {
	timeout 60 "$program" compare hostile.json a.json >out 2>err
	local code=$?
	[ $code -eq 2 ] && [ ! -s out ] && grep -q -e "$2" err && [ "$(wc -l <err)" -eq 1 ]
	ok $? "$1: $code $(head -c 300 err)"
}
printf '' >hostile.json; refused empty 'no JSON'
echo '{}' >hostile.json; refused 'another schema' schema
echo '{"schema":"brood-load/1"}' >hostile.json; refused 'no parts' batches
echo '{"schema":"brood-load/1","batches":[]}' >hostile.json; refused 'empty parts' 'no jobs'
echo '{"schema":"brood-load/1","compare":[]}' >hostile.json; refused 'several runs' 'several runs'
head -c 2000000 /dev/zero | tr '\0' '[' >hostile.json; refused deep 'too deep'
(echo '['; yes 1, | head -n 3000000; echo '1]') >hostile.json; refused 'many values' 'too many'
head -c 70000000 /dev/zero | tr '\0' ' ' >hostile.json; refused large 'too large'
sed 's/\[60,40\]/[60,1e300]/' a.json >hostile.json; refused 'a count that is none' odd
sed 's/\[60,40\]/[60]/' a.json >hostile.json; refused 'a bucket without a count' odd
sed 's/\[1000,5000\]/[5000,1000]/' a.json >hostile.json; refused 'buckets out of order' odd
sed 's/\[60,40\]/[-1,40]/' a.json >hostile.json; refused 'a count below 0' odd
head -c 100 a.json >hostile.json; refused cut 'no JSON'
head -c 5000 /dev/urandom >hostile.json; refused noise 'no JSON'
sed 's/"rate_per_s":1000/"rate_per_s":-1e300/; s/"seconds":0.5/"seconds":1e300/' a.json >odd.json
timeout 60 "$program" compare odd.json a.json --report page.html >out 2>err
ok $? "figures that nobody measured: $(cat err)"
said=$(awk -f "$check" page.html) && ! grep -qE '[": ,]-?(nan|inf)' page.html out
ok $? "make no page that is broken $said"
mkdir hostile.dir
timeout 20 "$program" compare hostile.dir a.json >out 2>err
[ $? -eq 2 ] && grep -q directory err
ok $? "a folder: $(cat err)"

# Texts of a file come out as text, on a terminal and in the page.
esc=$(printf '\302\233')
sed 's/"workers":8/"workers":8,"<script>\\u001b[2J'"$esc"'2J":"<b>\&'"'"'\\"x"/' a.json >odd.json
timeout 60 "$program" compare a.json odd.json --report page.html >out 2>err
ok $? "texts that were made to hurt: $(cat err)"
says '<script>' 'the text is there'
LC_ALL=C grep -qP '[^\x09\x0a\x20-\x7e]' out
[ $? -eq 1 ] && said=$(awk -f "$check" page.html) && [ "$(grep -c '<script>$' page.html)" -eq 1 ]
ok $? "and is nothing but text $said"
done_testing
