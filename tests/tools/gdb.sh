#!/bin/bash
# SPDX-License-Identifier: MIT
# gdb.sh ECHO_SERVER SOURCE_ROOT: with tools/gdb/brood.gdb, gdb follows to the engine, stays there,
# shows all processes, and can enter a worker.
. "$(dirname "$0")/lib.sh"
program=$(realpath "$1") source=$(realpath "$2")
command -v gdb >/dev/null || skip_all "no gdb here"
cd "$folder" || exit 99
timeout 20 gdb -q -batch -ex 'python print(6 * 7)' 2>/dev/null | grep -q 42 ||
	skip_all "gdb without Python"
timeout 20 gdb -q -batch -ex run --args /bin/true 2>&1 | grep -q 'exited normally' ||
	skip_all "gdb may not trace here"

cat >commands <<'END'
break listen_on
run --tcp 0 -w 2
python
import time
engine = gdb.selected_inferior()
def children(what):
    parent = brood_parent(engine.pid)
    found = []
    for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
        try:
            if brood_parent(pid) == parent and pid != engine.pid and what in brood_arguments(pid):
                found.append(pid)
        except OSError:
            pass
    return found
def wait_for_workers():
    until = time.time() + 30
    while len(children("worker")) < 2 and time.time() < until:
        time.sleep(0.02)
wait_for_workers()
print("ENGINE %d" % engine.pid)
gdb.execute("brood-processes")
gdb.execute("brood-worker %d" % children("worker")[0])
print("WORKER %d" % gdb.selected_inferior().pid)
gdb.execute("backtrace 3")
gdb.execute("detach")
doomed = children("worker")[1]
gdb.execute("brood-worker %d" % doomed)
gdb.execute("kill")
while doomed in children("worker"):
    time.sleep(0.02)
wait_for_workers()
print("REPLACED %d" % len(children("worker")))
gdb.execute("inferior %d" % engine.num)
gdb.execute("delete")
gdb.execute("signal SIGTERM")
end
END
# A leak checker stops its own process to look around. It cannot do so under gdb.
ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 timeout 120 gdb -q -batch \
	-x "$source/tools/gdb/brood.gdb" -x commands "$program" >out 2>&1
grep -q '^ENGINE [1-9]' out
ok $? "gdb follows the engine"
[ "$(grep -c '^[ *] *[0-9][0-9]* .*echo-server' out)" -ge 4 ] &&
	[ "$(grep -c ': worker' out)" -ge 2 ] && grep -q ': guard' out
ok $? "brood-processes"
grep -q '^WORKER [1-9]' out
ok $? "brood-worker"
grep -q '^REPLACED 2' out
ok $? "a worker that gdb killed is replaced"
grep -q 'exited normally' out
ok $? "the engine runs to its end"
[ "$(left "$program")" -eq 0 ]
ok $? "nothing is left"
[ "$failures" -eq 0 ] || say "$(cat out)"
done_testing
