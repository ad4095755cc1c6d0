# SPDX-License-Identifier: MIT
# bash completion of brood-load(1)
_brood_load() {
	local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local kinds='nop echo sleep spin alloc syscalls user crash exit fail hang leak throw fork'
	if [ "$COMP_CWORD" -gt 1 ] && [ "${COMP_WORDS[1]}" = compare ]; then
		compopt -o default 2>/dev/null
		COMPREPLY=()
		case $now in -*) COMPREPLY=($(compgen -W '--report -h --help' -- "$now")) ;; esac
		return
	fi
	case $before in
	--call) COMPREPLY=($(compgen -W 'open call submit' -- "$now")); return ;;
	--peer) COMPREPLY=($(compgen -W 'fork posix_spawn control fpm:' -- "$now")); return ;;
	--dispatch) COMPREPLY=($(compgen -W 'auto handoff lease' -- "$now")); return ;;
	--mix)
		local done_part=
		case $now in *,*) done_part=${now%,*}, ;; esac
		compopt -o nospace 2>/dev/null
		COMPREPLY=($(compgen -P "$done_part" -S = -W "$kinds" -- "${now##*,}"))
		return ;;
	--chaos)
		COMPREPLY=($(compgen -W 'kill kill-all stop fd-pressure memory-pressure disk-full
			engine-stall reload resize supervisor-kill' -- "$now"))
		return ;;
	--priority) COMPREPLY=($(compgen -W normal=9,background=1 -- "$now")); return ;;
	--json | --report | --hdr | --log | --user-job)
		compopt -o default 2>/dev/null; COMPREPLY=(); return ;;
	-[wctdns] | --workers | --pools | --concurrency | --threads | --duration | --jobs | \
		--size | --deadline | --keys | --kill-rate | --kill-all-at | \
		--kill-supervisor-at | --reload-every | --resize | --rate | --ramp | --steps | \
		--warm-up | --fail-if | --find-max | --idle | --seed)
		COMPREPLY=(); return ;;
	esac
	case $COMP_CWORD:$now in
	1:[!-]*) COMPREPLY=($(compgen -W compare -- "$now")); return ;;
	esac
	COMPREPLY=($(compgen -W '-w --workers --pools -c --concurrency -t --threads -d --duration
		-n --jobs -s --size --call --dispatch --compare --mix --deadline
		--keys --tags --priority --user-job --log --peer --chaos --kill-rate
		--kill-all-at --kill-supervisor-at --reload-every --resize --rate --poisson --ramp
		--steps --warm-up --fail-if --find-max --control --idle
		--seed --json --report --hdr -q --quiet -h --help -V --version' -- "$now"))
}
complete -F _brood_load brood-load
