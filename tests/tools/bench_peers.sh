# SPDX-License-Identifier: MIT
# bench_peers.sh BROOD_BENCH JSON_READ - brood-bench --peers: each peer that is installed is
# measured and its replies are right, the others are named, and nothing is left of any, also after
# kill -9.
. "$(dirname "$0")/lib.sh"
program=$(own "$1") reader=$(realpath "$2")
export TMPDIR=$folder/tmp
mkdir "$TMPDIR"

"$program" --markdown >/dev/null 2>"$folder/error"
[ $? -eq 2 ] && grep -q 'markdown needs --peers' "$folder/error"
ok $? '--markdown alone is refused'
"$program" --peers --list >"$folder/list"
rows=$(grep -c ' peers\.' "$folder/list")
[ "$rows" -eq 27 ]
ok $? "$rows rows of peers"

run() { timeout 200 "$program" --peers -q -u "$@"; }
# Each peer is measured at each number of jobs out, or its note says: not installed.
run -r 'peers.*' --markdown --json "$folder/json" >"$folder/table" 2>"$folder/error"
status=$?
[ "$status" -eq 0 ] || say "$(cat "$folder/error" "$folder/table")"
ok "$status" 'a quick run over the peers'
missing=
for peer in pool submit call handoff node php-fpm python fork posix_spawn; do
	case $peer in
	node) command -v node >/dev/null ;;
	python) command -v python3 >/dev/null ;;
	php-fpm) compgen -G '/usr/sbin/php-fpm*' >/dev/null || command -v php-fpm >/dev/null ;;
	esac
	installed=$?
	for out in 1 8 64; do
		value=$("$reader" "$folder/json" "unpinned.peers.$peer.c$out.value" 2>/dev/null)
		note=$("$reader" "$folder/json" "unpinned.peers.$peer.c$out.note" 2>/dev/null)
		if [ $installed -eq 0 ]; then
			[ -n "$value" ] && [ "$value" != null ]
		else
			[ "$value" = null ] && [ "$note" = 'not installed' ]
		fi || missing="$missing $peer.c$out($value $note)"
	done
done
[ -z "$missing" ]
ok $? "each is measured or named$missing"
[ "$(grep -c '^| .*brood_submit.* | .* us) | .* us) | .* us) |$' "$folder/table")" -eq 1 ] &&
	[ "$(grep -c '^|.*|.*|.*|.*|$' "$folder/table")" -eq 11 ]
ok $? 'a table in Markdown'
[ "$(left "$program")" -eq 0 ] && [ -z "$(ls -A "$TMPDIR")" ]
ok $? "nobody is left, and no file: $(ls -A "$TMPDIR")"

timeout 200 env PATH=/nowhere "$program" --peers -q -u -r 'peers.[np][oy]*.c1' \
	--json "$folder/json" >/dev/null 2>"$folder/error"
[ $? -eq 0 ] && [ "$("$reader" "$folder/json" unpinned.peers.node.c1.note)" = 'not installed' ] &&
	[ "$("$reader" "$folder/json" unpinned.peers.python.c1.note)" = 'not installed' ]
ok $? "what is not installed is named $(cat "$folder/error")"

# Whoever kills the benchmark ends all that it started. The folder is php-fpm's.
serves() { compgen -G "$TMPDIR/brood-bench.*/socket" >/dev/null; }
if compgen -G '/usr/sbin/php-fpm*' >/dev/null; then
	"$program" --peers -u -r peers.php-fpm.c8 >/dev/null 2>&1 &
	began=$SECONDS
	until serves || [ $((SECONDS - began)) -gt 60 ]; do
		sleep 0.05
	done
	serves
	ok $? 'php-fpm serves'
	kill -9 $!
	wait $! 2>/dev/null
	began=$SECONDS
	until [ -z "$(ls -A "$TMPDIR")" ] && [ "$(left "$program")" -eq 0 ] ||
		[ $((SECONDS - began)) -gt 60 ]; do
		sleep 0.05
	done
	[ -z "$(ls -A "$TMPDIR")" ] && [ "$(left "$program")" -eq 0 ] &&
		! pgrep -f "$TMPDIR" >/dev/null
	ok $? 'nothing is left after kill -9'
fi
done_testing
