# SPDX-License-Identifier: MIT
# bash completion of brood-ctl(1)
_brood_ctl() {
	local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	case $before in
	--pool | --timeout | --wait | -n | --number | stack) COMPREPLY=(); return ;;
	wait) COMPREPLY=($(compgen -W 'ready' -- "$now")); return ;;
	esac
	case $now in
	-*) COMPREPLY=($(compgen -W '--json --pool --timeout --wait -n --number -h --help -V
		--version' -- "$now")) ;;
	*) COMPREPLY=($(compgen -W 'status workers metrics wait check reports stack reload resize
		retire kill cancel drain' -- "$now")) ;;
	esac
}
complete -F _brood_ctl brood-ctl
