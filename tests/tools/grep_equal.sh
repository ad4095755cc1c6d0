#!/bin/bash
# SPDX-License-Identifier: MIT
# grep_equal.sh BROOD_GREP [SEED [ROUNDS [OPTION...]]]: with sane patterns brood-grep and grep have
# the same output, exit code and complaints. First come cases made by hand, then ROUNDS patterns
# from a generator with SEED. The OPTIONs go to brood-grep alone.
. "$(dirname "$0")/lib.sh"
program=$(realpath "$1") RANDOM=${2:-1} rounds=${3:-150}
shift; shift; shift
extra=("$@")
seed=${RANDOM}
RANDOM=$seed
command -v grep >/dev/null || skip_all "no grep"
mkdir "$folder/files" && cd "$folder/files" || exit 99

make_files() {
	local i
	cat /usr/share/common-licenses/* >licences 2>/dev/null
	[ -s licences ] || cat "$(dirname "$program")"/../../../tools/*/* >licences
	for i in 1 2 3 4 5 6 7 8 9 10; do cat licences; done >large
	: >empty
	printf '\n' >newline
	printf 'no end' >open_end
	printf 'one\r\ntwo\r\n\r\n' >dos
	printf 'caf\351 na\357ve\n\200\377\n' >high
	printf 'a\0a\nb\n\0\0\nthe end\0' >binary
	{ head -c 150000 licences; printf 'late\0zero the\nthe\n'; cat licences; } >binary_late
	{ head -c 98300 licences; printf '\nx\0y\nthe\n'; } >binary_border
	{ cat licences; truncate -s 2000000 /dev/stdout; } >hole 2>/dev/null
	{ head -c 3000000 /dev/zero | tr '\0' x; printf ' the\nshort\n'; } >long_line
	seq 1 30000 >numbers
	mkdir -p folder/below
	cp licences folder/one
	cp dos folder/below/two
	cp binary folder/below/three
	: >folder/below/empty
	ln -s one folder/link
	ln -s nowhere folder/dangling
	ln -s folder link
	mkfifo folder/pipe
}

# same ARGS...: runs both programs with these arguments and compares them.
same() {
	local code expected
	timeout 60 grep "$@" >../grep.out 2>../grep.err </usr/share/common-licenses/GPL-3
	expected=$?
	timeout 60 "$program" "${extra[@]}" "$@" >../brood.out 2>../brood.err \
		</usr/share/common-licenses/GPL-3
	code=$?
	sed -i 's/^brood-grep: /grep: /; /workers killed/d' ../brood.err
	sed -i '/warning: stray/d; /warning: .* at start of expression/d; /warning: recursive/d' \
		../grep.err
	[ "$code" -eq "$expected" ] && cmp -s ../grep.out ../brood.out &&
		cmp -s ../grep.err ../brood.err && return 0
	say "differs: $(printf '%q ' "$@")(exit $code, grep $expected)"
	say "$(diff -a ../grep.out ../brood.out | head -n 6)"
	say "$(diff -a ../grep.err ../brood.err | head -n 6)"
	return 1
}

by_hand() {     # by_hand ARGS...: makes one TAP line
	same "$@"
	ok $? "$(printf '%q ' "$@")"
}

cases_by_hand() {
	local file
	local files=(licences empty newline open_end dos high binary binary_late binary_border hole
		long_line numbers large)
	for file in "${files[@]}"; do
		by_hand the "$file"
		by_hand -c the "$file"
		by_hand -n '^' "$file"
		by_hand -c '' "$file"
		by_hand -c '^$' "$file"
	done
	by_hand -n the "${files[@]}"
	by_hand -c the "${files[@]}"
	by_hand -i THE licences high
	by_hand -E 'the|license' licences
	by_hand 'the\|license' licences
	by_hand -e the -e license licences
	by_hand -f newline licences
	by_hand -f empty licences
	by_hand -n -f open_end open_end
	by_hand "$(printf 'the\nlicense')" licences
	by_hand the - licences
	by_hand the
	by_hand -c the -
	by_hand -n '\(.\)\1\1' licences
	by_hand -E '(.)(.)\2\1' licences
	by_hand "$(printf '\351')" high
	by_hand '[^ -~]' high
	by_hand -r the folder
	by_hand -rc the folder
	by_hand -rn the folder licences
	by_hand -r the folder/one
	by_hand -r the link
	by_hand -r the folder/
	by_hand -rc the .
	by_hand -rc the
	by_hand the folder
	by_hand the folder licences
	by_hand -c the folder licences
	by_hand the missing
	by_hand the missing licences
	by_hand -r the missing
	by_hand nothing_has_this licences
	by_hand '\(' licences
	by_hand -E '(' licences
	by_hand '[' licences
	by_hand 'a\{1' licences
	by_hand -E 'a{1' licences
	by_hand -E 'a{2,1}' licences
	by_hand 'trailing\' licences
	by_hand '[[:nothing:]]' licences
	by_hand -E 'x**y|the' licences
}

pick() { local -n from=$1; echo "${from[RANDOM % ${#from[@]}]}"; }

words=(the GNU license copyright a e of 'any' 19 20 '(c)' 'x' WARRANTY 'no')
atoms=(. '[a-f]' '[^a-z ]' '[[:digit:]]' '[[:upper:]]' '\w' '\W' '[]x]' '\.' 't' 'e' ' '
	'[0-9a-c]' '\s')
edges=('^' '$' '\<' '\>' '\b')

# pattern SYNTAX DEPTH: prints a random pattern; SYNTAX is basic or extended.
pattern() {
	local open='\(' close='\)' plus='\+' maybe='\?' from='\{' to='\}' or='\|' text='' piece n
	[ "$1" = extended ] && open='(' close=')' plus='+' maybe='?' from='{' to='}' or='|'
	for ((n = 1 + RANDOM % 3; n > 0; n--)); do
		case $((RANDOM % 8)) in
		0 | 1) piece=$(pick words); [ "$1" = extended ] && piece=${piece//[()]/} ;;
		2 | 3 | 4) piece=$(pick atoms) ;;
		5) text+=$(pick edges); continue ;;
		*) [ "$2" -gt 0 ] && piece=$open$(pattern "$1" $(($2 - 1)))$close || piece=e ;;
		esac
		case $((RANDOM % 8)) in
		0) piece+='*' ;;
		1) piece+=$plus ;;
		2) piece+=$maybe ;;
		3) piece+="${from}1,$((1 + RANDOM % 3))$to" ;;
		esac
		text+=$piece
		[ $((RANDOM % 6)) -eq 0 ] && [ "$n" -gt 1 ] && text+=$or
	done
	echo "$text"
}

cases_by_seed() {
	local pool=(licences dos high binary binary_late folder numbers open_end newline) round \
		text syntax arguments bad=0
	for ((round = 0; round < rounds; round++)); do
		arguments=()
		syntax=basic
		[ $((RANDOM % 2)) -eq 0 ] && syntax=extended && arguments+=(-E)
		[ $((RANDOM % 3)) -eq 0 ] && arguments+=(-i)
		[ $((RANDOM % 3)) -eq 0 ] && arguments+=(-n)
		[ $((RANDOM % 3)) -eq 0 ] && arguments+=(-c)
		[ $((RANDOM % 3)) -eq 0 ] && arguments+=(-r)
		text=$(pattern "$syntax" 2)
		arguments+=(-e "$text")
		[ $((RANDOM % 4)) -eq 0 ] && arguments+=(-e "$(pattern "$syntax" 1)")
		arguments+=("$(pick pool)")
		[ $((RANDOM % 2)) -eq 0 ] && arguments+=("$(pick pool)")
		same "${arguments[@]}" || bad=$((bad + 1))
	done
	ok "$bad" "$rounds generated patterns, seed $seed"
}

make_files
cases_by_hand
cases_by_seed
done_testing
