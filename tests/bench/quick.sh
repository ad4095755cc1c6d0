# SPDX-License-Identifier: MIT
# quick.sh BROOD_BENCH JSON_READ - proves that the benchmarks work: each row is measured, its
# replies and verdicts are right, and the JSON has all rows. The figures themselves are not judged.
. "$(dirname "$0")/../tools/lib.sh"

bench=$1 read=$2

"$bench" --help >"$folder/help" && grep -q -- --rounds "$folder/help"
ok $? 'help'
for wrong in --nonsense '--rounds 0' '--rounds x' '--block 0' '--rows nothing' 'word' '-p -u'; do
	# shellcheck disable=SC2086
	"$bench" $wrong >/dev/null 2>"$folder/error"
	[ $? -eq 2 ] && grep -q 'Try: brood-bench --help' "$folder/error"
	ok $? "wrong usage: $wrong"
done

"$bench" --quick --list >"$folder/list"
rows=$(wc -l <"$folder/list")
[ "$rows" -ge 50 ]
ok $? "$rows rows"

began=$SECONDS
timeout 500 "$bench" --quick --json "$folder/json" >"$folder/table" 2>"$folder/error"
status=$?
say "$((SECONDS - began)) s"
[ "$status" -eq 0 ] || say "exit status $status" "$(cat "$folder/error")" \
	"$(grep -E '  -  ' "$folder/table")"
ok "$status" 'a quick run'

missing=
while read -r modes name _; do
	for mode in ${modes//,/ }; do
		"$read" "$folder/json" "$mode.$name.value" >"$folder/value" 2>/dev/null ||
			missing="$missing $mode.$name"
		# If the machine cannot run a row, the row is null and its note says why. No other
		# row is null.
		if [ "$(cat "$folder/value")" = null ] &&
			[ -z "$("$read" "$folder/json" "$mode.$name.note")" ]; then
			missing="$missing $mode.$name(null)"
		fi
	done
done <"$folder/list"
[ -z "$missing" ]
ok $? "each row is there$missing"
[ "$("$read" "$folder/json" schema)" = brood-bench/1 ] &&
	[ "$("$read" "$folder/json" bounds)" -ge 12 ]
ok $? 'JSON, with bounds'
grep -q '^To reach' "$folder/table"
ok $? 'the table'

"$bench" --quick -p -r F0 --json - 2>/dev/null >"$folder/json" &&
	"$read" "$folder/json" pinned.F0.value >/dev/null
ok $? 'JSON on standard output'
[ "$(left "$bench")" -eq 0 ]
ok $? 'nobody is left'
done_testing
