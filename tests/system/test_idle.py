#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What an idle system costs: server, engine, agent and a mount, over a minute. SECONDS=n measures another time."""
import os, pathlib, time

import cluster
from cluster import wait_until

cluster.isolate()
SECONDS = float(os.environ.get('SECONDS', 60))


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf('SC_CLK_TCK')


@cluster.test
def idle_system_uses_under_1_percent_of_a_core():
    with cluster.Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        mnt = c.mount()
        (mnt / 'f').write_text('x' * 100000)  # it has worked before it is idle
        pids = {'dfuse': dfuse_pid(mnt), 'engine': c.engine_pid(), 'server': c.procs['server0'].pid, 'agent': c.procs['agent'].pid}
        wait_until('the space of what was written to settle', lambda: cpu_quiet(pids.values()))
        before = {n: cpu_seconds([p]) for n, p in pids.items()}
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(min(1, max(0, end - time.monotonic())))  # the time measured, not a wait for something
        used = {n: cpu_seconds([p]) - before[n] for n, p in pids.items()}
        print('idle for %g s: %s' % (SECONDS, ', '.join(f'{n} {s:.2f} s' for n, s in used.items())), flush=True)
        assert sum(used.values()) < SECONDS / 100, used


def dfuse_pid(mnt):
    for d in pathlib.Path('/proc').glob('[0-9]*'):
        words = (d / 'cmdline').read_bytes().split(b'\0')
        if words[0].endswith(b'dfuse') and str(mnt).encode() in words:
            return int(d.name)


def cpu_quiet(pids):
    before = cpu_seconds(pids)
    time.sleep(0.5)
    return cpu_seconds(pids) - before < 0.01


cluster.main()
