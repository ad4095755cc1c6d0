# SPDX-License-Identifier: MIT
# bash completion of brood-top(1)
_brood_top() {
	local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	case $before in
	-d | --delay | --pool | --filter) COMPREPLY=(); return ;;
	--sort) COMPREPLY=($(compgen -W 'time slot jobs function' -- "$now")); return ;;
	esac
	COMPREPLY=($(compgen -W '-d --delay --pool --sort --filter --once -h --help -V --version' \
		-- "$now"))
}
complete -F _brood_top brood-top
