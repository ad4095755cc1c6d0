# SPDX-License-Identifier: MIT
# brood.gdb: for gdb on a program that uses Brood.
#
#     gdb -x brood.gdb --args PROGRAM ARGS...
#
# brood_start() forks and returns in the child, the engine: this is your program. Without this file
# gdb would stay with the parent, the supervisor. With this file gdb follows the first child and
# stays there, whatever the engine forks later. The supervisor and the workers run without gdb.
#
#     brood-processes       lists supervisor, guard, spawner, engine, and the workers with their
#                           jobs
#     brood-worker PID      attaches to a worker, too, and goes there. From then on breakpoints in a
#                           job's function work. `continue` runs this worker alone, `inferior N`
#                           goes back, `detach` lets the worker go
#     brood-stay            for a gdb without Python: tells gdb that it has reached the engine
#
# While you debug, start the pool with BROOD_DEBUGGING in options.flags. Then a worker is not killed
# when its time is up while gdb holds the worker or its engine. (A gdb that runs a program may trace
# it; to attach to one needs root or kernel.yama.ptrace_scope=0.) With BROOD_INLINE a job needs no
# other process: the job runs in the thread that gives it.

set pagination off
set breakpoint pending on
set follow-fork-mode child
set detach-on-fork on
# Do not stop when a worker ends or is replaced.
handle SIGCHLD nostop noprint pass
# Without BROOD_DEBUGGING a worker gets SIGSYS at the first system call of each job.
handle SIGSYS nostop noprint pass

define brood-stay
  set follow-fork-mode parent
end
document brood-stay
The engine has been reached: from now on stay in this process when it forks.
end

python
import os

def brood_parent(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rpartition(")")[2].split()[1])

def brood_arguments(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        return f.read().replace(b"\0", b" ").decode(errors="replace").strip()

class BroodProcesses(gdb.Command):
    """The supervisor of the process that gdb is at, and its children: guard, spawner, engine, workers."""
    def __init__(self):
        super().__init__("brood-processes", gdb.COMMAND_STATUS)
    def invoke(self, argument, from_tty):
        here = gdb.selected_inferior().pid
        if not here:
            raise gdb.GdbError("The program is not being run.")
        supervisor = brood_parent(here)
        seen = set()
        for pid in [supervisor] + sorted(int(p) for p in os.listdir("/proc") if p.isdigit()):
            try:
                if brood_parent(pid) == supervisor or pid == supervisor and not seen:
                    print("%s %7d  %s" % ("*" if pid == here else " ", pid, brood_arguments(pid)))
                seen.add(pid)
            except OSError:
                pass

class BroodWorker(gdb.Command):
    """brood-worker PID: attach to a worker as well, and go there."""
    def __init__(self):
        super().__init__("brood-worker", gdb.COMMAND_RUNNING)
    def invoke(self, argument, from_tty):
        if not argument.isdigit():
            raise gdb.GdbError("brood-worker PID: see brood-processes")
        program = os.readlink("/proc/%s/exe" % argument)
        before = {i.num for i in gdb.inferiors()}
        gdb.execute("add-inferior -exec %s" % program, to_string=True)
        fresh = [i.num for i in gdb.inferiors() if i.num not in before][0]
        gdb.execute("inferior %d" % fresh, to_string=True)
        gdb.execute("attach %s" % argument)

def brood_engine_reached(event):
    gdb.execute("set follow-fork-mode parent")
    gdb.events.new_inferior.disconnect(brood_engine_reached)

BroodProcesses()
BroodWorker()
gdb.events.new_inferior.connect(brood_engine_reached)
end
