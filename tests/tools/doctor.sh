#!/bin/bash
# SPDX-License-Identifier: MIT
# doctor.sh BROOD_DOCTOR ZOO JSON_READ REFUSE SOURCE: each planted fault is named, alone, with a
# cure; a machine and a unit that are well have none.
here=$(dirname "$0")
. "$here/lib.sh"
. "$here/zoo.sh"
doctor=$(realpath "$1") zoo=$(own "$2") json=$(realpath "$3") refuse=$(realpath "$4")
source=$(realpath "$5")
page=$source/tools/man/brood-doctor.1
cd "$folder" || exit 99
unit=etc/systemd/system/good.service

# ---- a machine that is well ----------------------------------------------------------------------
write() {       # write FILE TEXT...: below the root
	mkdir -p "root/$(dirname "$1")" && printf '%b\n' "${@:2}" >"root/$1"
}
well() {
	rm -rf root
	write proc/self/status 'Name:\tshop' 'Uid:\t1000\t1000\t1000\t1000' 'Threads:\t1' \
		'SigQ:\t3/96170' 'CapEff:\t0000000000000000'
	write proc/self/limits \
		'Limit                     Soft Limit           Hard Limit           Units     ' \
		'Max file size             unlimited            unlimited            bytes     ' \
		'Max core file size        0                    unlimited            bytes     ' \
		'Max processes             96170                96170                processes ' \
		'Max open files            1024                 524288               files     ' \
		'Max pending signals       96170                96170                signals   '
	write proc/self/cgroup 0::/app.slice/shop
	write proc/self/mountinfo '22 61 0:21 / /proc rw,nosuid - proc proc rw'
	cp -r root/proc/self root/proc/4711
	write proc/meminfo 'MemTotal:       16000000 kB' 'CommitLimit:     8000000 kB' \
		'Committed_AS:    1000000 kB'
	write proc/pressure/memory 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0'
	write proc/sys/kernel/core_pattern '|/usr/lib/systemd/systemd-coredump %P %u'
	write usr/lib/systemd/systemd-coredump program
	write proc/sys/kernel/core_uses_pid 0
	write proc/sys/kernel/sched_autogroup_enabled 0
	write proc/sys/kernel/threads-max 192340
	write proc/sys/kernel/pid_max 4194304
	write proc/sys/vm/overcommit_memory 0
	write sys/fs/cgroup/cgroup.controllers 'cpu memory pids'
	write sys/fs/cgroup/app.slice/pids.max max
	write sys/fs/cgroup/app.slice/memory.max max
	write sys/fs/cgroup/app.slice/memory.oom.group 0
	write sys/fs/cgroup/app.slice/shop/pids.max 4096
	write sys/fs/cgroup/app.slice/shop/memory.max 8589934592
	write sys/fs/cgroup/app.slice/shop/memory.oom.group 0
	write sys/module/haltpoll/parameters/guest_halt_poll_ns 200000
	mkdir -p root/dev "root/$(dirname $unit)"
	ln -s /dev/null root/dev/null
	# what hides a part of /proc has its notes, which are not those that a case plants
	sed '/^ProtectProc=/d; /^ProcSubset=/d' "$source/tools/systemd/brood-echo.service" \
		>root/$unit
}

# look OPTION...: sets `got`, levels and names of what the doctor found, and `code`
look() {
	"$doctor" --sysroot root --workers 32 --memory 64M "$@" >out 2>err
	code=$?
	got=$(sed -n 's/^\(FAULT\|NOTE\) \([a-z0-9-]*\): .*/\1 \2/p' out | sort | tr '\n' ' ')
}
# is FINDINGS NAME OPTION...
is() {
	local want=$1 name=$2
	shift 2
	look "$@"
	[ "$got" = "$want" ] && [ ! -s err ] &&
		[ "$(grep -c '^    cure: .' out)" -eq "$(grep -c '^\(FAULT\|NOTE\) ' out)" ] &&
		case $want in *FAULT*) [ $code -eq 1 ] ;; *) [ $code -eq 0 ] ;; esac
	ok $? "$name: $got(exit code $code)"
}
# planted FINDING COMMAND...: on a machine that is well but for what the command does
planted() {
	local want=$1
	shift
	well
	"$@"
	is "$want " "planted: $*"
	name=${want#* }
	grep -qw -- "$name" "$page" || ok 1 "brood-doctor.1 lacks $name"
}
# wrong_unit FINDING LINE...: with these lines in a drop-in of a good unit
wrong_unit() {
	local want=$1
	shift
	well
	write $unit.d/10-more.conf '[Service]' "$@"
	is "$want${want:+ }" "unit: $*" good.service
	name=${want#* }
	[ -z "$want" ] || grep -qw -- "$name" "$page" || ok 1 "brood-doctor.1 lacks $name"
}
limit() {       # limit LINE HARD: of the process
	sed -i "s/^\($1  *\).*/\1$2 $2 units/" root/proc/self/limits
}

well
is '' 'a process that is well'
is '' 'a process that is well, by its pid' --pid 4711
is '' 'a unit that is well, by name' good.service
is '' 'a unit that is well, by path' /$unit
for each in "$source"/tools/systemd/*.service; do
	cp "$each" root/$unit
	look good.service
	[ $code -eq 0 ]
	ok $? "no fault in $(basename "$each"): $(grep FAULT out)"
done

# ---- planted faults ------------------------------------------------------------------------------
planted 'FAULT nofile' limit 'Max open files' 256
planted 'FAULT nproc' limit 'Max processes' 20
planted 'FAULT fsize' limit 'Max file size' 4096
planted 'NOTE core' limit 'Max core file size' 0
planted 'FAULT sigpending' sed -i 's,SigQ:.*,SigQ:\t96170/96170,' root/proc/self/status
planted 'NOTE sigpending' sed -i 's,SigQ:.*,SigQ:\t90000/96170,' root/proc/self/status
planted 'FAULT tasks' write sys/fs/cgroup/app.slice/pids.max 20
planted 'NOTE tasks' write sys/fs/cgroup/app.slice/shop/pids.max 36
planted 'FAULT memory' write sys/fs/cgroup/app.slice/memory.max 1073741824
planted 'FAULT oom-group' write sys/fs/cgroup/app.slice/shop/memory.oom.group 1
planted 'FAULT oom-group' write sys/fs/cgroup/app.slice/memory.oom.group 1
planted 'NOTE hidepid' write proc/self/mountinfo \
	'22 61 0:21 / /proc rw - proc proc rw,hidepid=invisible'
planted 'FAULT dev-null' rm root/dev/null
planted 'FAULT dev-null' ln -sf /dev/zero root/dev/null
planted 'NOTE core-pattern' write proc/sys/kernel/core_pattern core
planted 'NOTE core-pattern' rm root/usr/lib/systemd/systemd-coredump
planted 'NOTE overcommit' write proc/sys/vm/overcommit_memory 2
well
write proc/sys/vm/overcommit_memory 2
sed -i 's/CommitLimit:.*/CommitLimit: 1100000 kB/' root/proc/meminfo
is 'FAULT overcommit ' 'planted: overcommit 2, and 100 MB are left'
planted 'NOTE psi' rm -r root/proc/pressure
planted 'NOTE cgroup-v1' rm root/sys/fs/cgroup/cgroup.controllers
planted 'NOTE autogroup' write proc/sys/kernel/sched_autogroup_enabled 1
planted 'NOTE cpuidle' write sys/module/haltpoll/parameters/guest_halt_poll_ns 0
planted 'FAULT proc' rm -r root/proc

wrong_unit 'FAULT kill-mode' KillMode=none
wrong_unit 'NOTE kill-mode' KillMode=control-group
wrong_unit 'NOTE kill-mode' KillMode=
wrong_unit 'FAULT oom-policy' OOMPolicy=stop
wrong_unit 'FAULT oom-policy' OOMPolicy=
wrong_unit 'NOTE notify-access' NotifyAccess=all
wrong_unit 'NOTE type' Type=simple
wrong_unit 'FAULT stop-time' TimeoutStopSec=8
wrong_unit 'NOTE stop-time' 'TimeoutStopSec=1min'
wrong_unit 'FAULT tasks' TasksMax=20
wrong_unit 'FAULT memory' MemoryMax=1G
wrong_unit 'FAULT memory' 'MemoryMax=5%'
wrong_unit 'FAULT nofile' LimitNOFILE=64:256
wrong_unit 'FAULT nproc' LimitNPROC=20
wrong_unit 'FAULT fsize' LimitFSIZE=4K
wrong_unit 'FAULT sigpending' LimitSIGPENDING=10
wrong_unit 'NOTE core' LimitCORE=0
wrong_unit 'NOTE hidepid' ProtectProc=invisible
wrong_unit 'NOTE proc-subset' ProcSubset=pid
wrong_unit 'NOTE clone3' 'SystemCallFilter=~clone3'
wrong_unit 'NOTE pidfd' 'SystemCallFilter=~@clock pidfd_open:EPERM'
wrong_unit 'FAULT process-calls' 'SystemCallFilter=~@clock \\\\' '  @process'
wrong_unit 'FAULT dev-null' PrivateDevices=no RootDirectory=/srv/shop
wrong_unit '' 'TimeoutStopSec=2min 5s' 'KillMode=process' 'KillMode=mixed' Delegate=yes OOMPolicy=
well
write etc/systemd/system.conf '[Manager]' 'DefaultTimeoutStopSec=3s' 'DefaultOOMPolicy=continue' \
	'DefaultTasksMax=0.01%' DefaultLimitNOFILE=1024:256
write $unit.d/10-more.conf '[Service]' TimeoutStopSec= OOMPolicy= TasksMax= LimitNOFILE=
is 'FAULT nofile FAULT stop-time FAULT tasks ' "defaults of the service manager" good.service
well
is 'FAULT stop-time ' 'a drain that is longer than TimeoutStopSec=' good.service --drain '5 min'
is 'FAULT stop-time ' 'a drain without an end' good.service --drain infinity

# ---- what can be planted -------------------------------------------------------------------------
real() {        # real FINDING NAME COMMAND...
	local want=$1 name=$2
	shift 2
	"$@" >out 2>err
	[ $? -ne 99 ] && grep -q "^$want: " out
	ok $? "$name: $(grep "^$want" out)"
}
limited() { (ulimit "$1" "$2" && shift 2 && exec "$@"); }
real 'FAULT nofile' 'ulimit -n' limited -n 200 "$doctor" --workers 32
real 'FAULT fsize' 'ulimit -f' limited -f 4 sh -c '"$@" | cat' sh "$doctor"
real 'NOTE core' 'ulimit -c' limited -c 0 "$doctor"
for call in clone3 pidfd_open; do
	"$refuse" $call "$doctor" >out 2>err
	if [ $? -eq 77 ]; then
		say "no seccomp filters here"
	else
		grep -q "^NOTE ${call%_open}: " out
		ok $? "$call() is refused: $(grep "^NOTE ${call%_open}" out)"
	fi
done
"$doctor" >out
! grep -q '^NOTE \(clone3\|pidfd\): ' out
ok $? "neither is refused without a filter"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$folder"
	real 'FAULT nproc' 'ulimit -u of another user' limited -u 20 setpriv --reuid=65534 \
		--regid=65534 --clear-groups --inh-caps=-all "$doctor" --workers 64
fi

# ---- the rest ------------------------------------------------------------------------------------
open_zoo 7 zoo-doctor
"$doctor" --json --pid "$keeper" >real.json
[ "$("$json" real.json workers processes faults | tr '\n' ' ')" = "7 10 0 " ]
ok $? "a brood tells of its workers: $(grep -o '"level":"fault"[^}]*' real.json)"
"$doctor" --json --pid "$(pgrep -P "$keeper" | tail -n 1)" >real.json
[ "$("$json" real.json workers)" = 7 ]
ok $? "by any of its processes"
close_zoo
if [ "$(nproc)" -gt 1 ]; then
	awk -v took="$("$json" real.json wakeup)" 'BEGIN { exit !(took > 0 && took < 10) }'
	ok $? "a wake-up was measured: $("$json" real.json wakeup) s"
fi
taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" "$doctor" --json >one.json
[ "$("$json" one.json wakeup)" = null ]
ok $? "not on one CPU"
well
write proc/sys/kernel/core_pattern 'co\033[2Jre'
"$doctor" --sysroot root >out && ! tr -d '\n -~' <out | grep -q . && grep -q 'co?\[2Jre' out
ok $? "no control characters get out"
"$doctor" --sysroot root --json >odd.json && [ "$("$json" odd.json findings.0.level)" = note ]
ok $? "nor in JSON"
for key in $(grep -oh '"[a-z_]*":' odd.json | tr -d '":' | sort -u); do
	grep -qw "$key" "$page" || { ok 1 "brood-doctor.1 lacks the key $key"; break; }
done

refused() {     # refused CODE WORD OPTION...
	local want=$1 word=$2
	shift 2
	timeout 20 "$doctor" "$@" >out 2>err </dev/null
	[ $? -eq "$want" ] && [ ! -s out ] && grep -q -e "$word" err &&
		grep -q '^brood-doctor: ' err
	ok $? "code $want: $* ($(head -n 1 err))"
}
refused 2 '1 to 10000' --workers 0
refused 2 '1 to 10000' --workers 10001
refused 2 '1 to 10000' --workers -1
refused 2 'bytes of one worker' --memory 0
refused 2 'bytes of one worker' --memory 5X
refused 2 'a time' --drain soon
refused 2 'a process' --pid x
refused 2 'wants a value' --sysroot
refused 2 'no option --walk' --walk
refused 2 'one unit too many' a.service b.service
refused 2 'two patients' --pid 1 a.service
refused 3 'no process' --pid 4194305
refused 3 'cannot be read' no-such.service
refused 3 'cannot be read' --sysroot root ./no-such.service
timeout 20 "$doctor" --help >out 2>err && grep -q '^Usage: brood-doctor' out && [ ! -s err ]
ok $? "--help"
timeout 20 "$doctor" --version | grep -q '^brood-doctor [0-9]'
ok $? "--version"
timeout 20 "$doctor" --sysroot root >/dev/full 2>err
[ $? -eq 6 ] && grep -q 'cannot be written' err
ok $? "an output that is full"
[ "$(left "$zoo")" -eq 0 ] && [ "$(left "$doctor")" -eq 0 ]
ok $? "nothing is left"
done_testing
