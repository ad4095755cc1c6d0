#!/bin/bash
# SPDX-License-Identifier: MIT
# load_report.sh BROOD_LOAD JSON_READ: the page of --report is well-formed, small, has all its
# sections, and needs nothing from elsewhere. Its figures are those of the JSON.
. "$(dirname "$0")/lib.sh"
program=$(own "$1") reader=$(realpath "$2")
check=$(realpath "$(dirname "$0")/html-check.awk")
cd "$folder" || exit 99

# good FILE: well-formed, under 1 MB
good() {
	local said
	said=$(awk -f "$check" "$1" 2>&1) && [ "$(wc -c <"$1")" -lt 1000000 ]
	ok $? "$1: well-formed, and small ($(wc -c <"$1") bytes) $said"
}
has() {		# has TEXT NAME
	grep -qF -- "$1" page.html
	ok $? "$2: $1"
}
sections() {
	local id
	for id; do has "<section id=\"$id\">" section; done
}

# First the check itself: what it must refuse.
for text in '<p>a' '<p>a<b></p></b>' '<p>a & b</p>' '<p>a > b</p>' '<p class=x>a</p>' \
	'<img src="x.png"/>' '<p onclick="x">a</p>' '<a href="https://a.example">a</a>' \
	'<p id="a" id="b">a</p>' '<style>@import x;</style>' '<p'; do
	echo "<!DOCTYPE html><html><title>a</title><h1>b</h1>$text</html>" >bad.html
	! awk -f "$check" bad.html >/dev/null 2>&1
	ok $? "the check refuses $text"
done
echo '<!DOCTYPE html><html><title>a</title><h1>b &amp; c<br></h1></html>' >ok.html
awk -f "$check" ok.html
ok $? "the check takes a plain page"

timeout 100 "$program" -q -d 2 -w 4 -c 16 --kill-rate 20 --mix echo=98,crash=1,fail=1 --seed 5 \
	--report page.html --json json >out 2>err
ok $? "a run with kills: $(cat err)"
good page.html
sections time pool latency verdicts invariants settings machine
has 'All invariants held' headline
has '>Jobs a second<' chart
has '>Latency by percentile<' chart
has '>Jobs a second that did not end well<' chart
has '>Workers<' chart
has '>kill &times; ' 'marks of kills'
sections chaos
has 'at most one crashed job for each killed worker' 'what is expected'
has '>one_verdict_per_job<' invariant
has 'prefers-color-scheme:dark' 'light and dark'
has 'width=device-width' phone
has "--seed 5 --report page.html" 'the command'
has "$(uname -r)" kernel
# the details of "crashed" stand in rows of their own
for outcome in done failed; do
	count=$("$reader" json "jobs.$outcome" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta')
	grep -qE "<tr><th>$outcome.*>$count<" page.html
	ok $? "$outcome: $count"
done
! grep -q "$(uname -n)" page.html || [ "$(uname -n | wc -c)" -lt 5 ]
ok $? "not the name of the host"

timeout 100 "$program" -q -d 2 -w 2 --rate 500 --fail-if 'p99<1us' --fail-if 'refused>0' \
	--chaos 'engine-stall 200ms at 1s' --report page.html >out 2>err
ok $? "an open loop: $(cat err)"
good page.html
sections pace chaos
has 'open loop: 500/s' plan
has '>intended<' plan
has '>corrected<' curve
has '>raw<' curve
has '>echo, raw<' table
has 'fails if p99&lt;1us' condition
timeout 100 "$program" -q -n 200 -w 2 --fail-if 'p99>1us' --report page.html >out 2>err
[ $? -ne 0 ]
ok $? "a condition that fails"
has ', but 1 of the conditions failed' headline
timeout 100 "$program" -q -n 200 -w 2 --peer fork --report page.html >out 2>err
ok $? "a peer: $(cat err)"
good page.html
! grep -q '<section id="pool">' page.html
ok $? "a peer has no pool"

# What a user gives comes back as text.
timeout 100 "$program" -q -n 200 -w 2 --report '<b>"it'"'"'s&.html' >out 2>err
ok $? "a file with an odd name: $(cat err)"
cp '<b>"it'"'"'s&.html' page.html
good page.html
has "&lt;b&gt;&quot;it&#39;\\&#39;&#39;s&amp;.html" 'the name as text'

timeout 100 "$program" -q --idle 0.3 -w 2 --report page.html >out 2>err
ok $? "an idle run"
good page.html
has 'The pool was idle' idle
timeout 100 "$program" -q -d 20 -w 2 --kill-supervisor-at 0.5 --report page.html >out 2>err
ok $? "the supervisor is killed"
good page.html
has 'supervisor-kill' 'its mark'
has 'cut off when the supervisor was killed' 'its jobs'
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
done_testing
