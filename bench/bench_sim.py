#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The simulated cluster against the clock: virtual seconds in a second, 5 engines and 5 clients in the default weather."""
import json, subprocess, sys
from measure import ROUNDS, record, top

real, cpu = [], []
for n in range(ROUNDS):
    p = subprocess.run([top / 'scripts/sim', '--seed', str(n + 1), '--nodes', '5', '--clients', '5', '--seconds', '600', '--json',
                        '--no-shrink'], stdout=subprocess.PIPE, text=True, check=True, stdin=subprocess.DEVNULL)
    out = json.loads(p.stdout.strip().split('\n')[-1])
    real.append(out['ratio'])
    cpu.append(out['cpu_ratio'])
record(sys.argv[1], 'sim.virtual_seconds', 's/s', real, [1.0], '>= 100')
record(sys.argv[1], 'sim.virtual_seconds_cpu', 's/s', cpu, [1.0], '>= 100') # of processor time: what others on the machine do matters less
