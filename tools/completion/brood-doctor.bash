# SPDX-License-Identifier: MIT
# bash completion of brood-doctor(1)
_brood_doctor() {
	local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	case $before in
	--workers | --memory | --drain | --pid) COMPREPLY=(); return ;;
	--sysroot) COMPREPLY=($(compgen -d -- "$now")); return ;;
	esac
	case $now in
	-*) COMPREPLY=($(compgen -W '--workers --memory --drain --pid --sysroot --json -h --help -V
		--version' -- "$now")) ;;
	*) COMPREPLY=($(compgen -f -X '!*.service' -- "$now")) ;;
	esac
}
complete -F _brood_doctor brood-doctor
