#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Requests, bulk transfers and ULTs against what they are made of: libfabric on the same provider, bare context
switches. Two processes each time, a core for each, both polling; the median of five runs. docs/rpc-costs.md"""
import json, os, subprocess, sys, time
os.environ.setdefault('ROUNDS', '5')
from measure import compare, record
import cluster

cluster.isolate()
bench = os.path.join(os.environ['BUILD'], 'bench')


def run(program, *args):
    return json.loads(subprocess.run([os.path.join(bench, program), *args], check=True, timeout=300, stdout=subprocess.PIPE).stdout)


def unit(name):
    return next((u for part, u in (('rate', '1/s'), ('4k.', '1/s') if 'get' in name else ('', None), ('1m', 'MiB/s'), ('cpu', '%'),
                                   ('allocs', 'per 1000'), ('yield', 'ns'), ('create', 'ns')) if u and part in name), 'us')


def pick(figures, names):
    return {name: figures[key] for name, key in names.items()}


out = sys.argv[1]


def both(kind, provider):
    net = {f'{key}.{kind}': key for key in ('rtt', 'rtt_p99', 'rate16', 'rate256')}
    bulk = {f'{key}.{kind}': key for key in ('get1m', 'put1m', 'get4k')}
    name = 'local' if kind == 'shm' else kind
    latest = {'ours': [], 'reference': []}

    def one(side, program, *args):
        latest[side].append(run(program, *args))
        return pick(latest[side][-1], net)

    compare(out, 'rpc', unit, lambda n: one('ours', 'rpc_bench', name), lambda n: one('reference', 'fabric_bench', *provider),
            {f'rtt.{kind}': '<= 1.15' if kind == 'tcp' else '<= 1.6', f'rtt_p99.{kind}': '<= 2', f'rate16.{kind}': '>= 0.75',
             f'rate256.{kind}': '>= 0.75'})
    compare(out, 'bulk', unit, lambda n: pick(latest['ours'][n], bulk), lambda n: pick(latest['reference'][n], bulk),
            {f'get1m.{kind}': '>= 0.95', f'put1m.{kind}': '>= 0.95', f'get4k.{kind}': '>= 0.8'})
    compare(out, 'rpc', unit, lambda n: {f'inline4k.{kind}': latest['ours'][n]['inline4k']},
            lambda n: {f'inline4k.{kind}': latest['ours'][n]['rtt']}, {f'inline4k.{kind}': '<= 1.5'})
    return latest['ours']


# both ends of ours can sleep, so on tcp the bare program's can, too; rtt_awake: against one that cannot
figures = both('tcp', ('tcp;ofi_rxm', 'sleeps'))
figures_shm = both('shm', ('shm',))
awake = [run('fabric_bench', 'tcp;ofi_rxm') for _ in range(3)]
compare(out, 'rpc', unit, lambda n: {'rtt_awake.tcp': figures[n]['rtt']}, lambda n: {'rtt_awake.tcp': awake[n % 3]['rtt']})
compare(out, 'rpc', unit, lambda n: {'ult_cost': max(figures_shm[n]['rtt_ult'] - figures_shm[n]['rtt_callback'], 0), 'allocs': figures[n]['allocs'] + figures_shm[n]['allocs']},
        lambda n: {'ult_cost': 0.5, 'allocs': 1}, {'ult_cost': '<= 1', 'allocs': '<= 0'})
idle = [run('rpc_bench', 'local', 'idle') for _ in range(3)]
compare(out, 'rpc', unit, lambda n: pick(idle[n % 3], {'idle_cpu': 'idle_cpu', 'first_after_idle_p99': 'first_after_idle_p99'}),
        lambda n: {'idle_cpu': 1, 'first_after_idle_p99': 300}, {'idle_cpu': '<= 1', 'first_after_idle_p99': '<= 1'})
# how late two bare threads wake each other, which is the machine's doing
compare(out, 'rpc', unit, lambda n: {'first_after_idle_bare': idle[n % 3]['first_after_idle_p99']}, lambda n: {'first_after_idle_bare': idle[n % 3]['bare_wake_p99']})
# the same of real clients: libdaos, a process each, a value of an idle engine's
with cluster.Cluster(engines=1, targets=6) as c:
    c.up()
    c.pool()
    c.cont()
    with cluster.IdleClients(c, 100) as clients:
        time.sleep(2)
        us = []
        for i in range(400):
            time.sleep(0.01)
            us.append(clients.get(i % 100))
        record(out, 'rpc.first_get_after_idle_p99', 'us', [sorted(us)[396]], [300], '<= 1')
ults = [run('ult_bench') for _ in range(5)]
compare(out, 'ult', unit, lambda n: pick(ults[n], {'yield': 'yield', 'create': 'create', 'allocs': 'allocs'}),
        lambda n: {'yield': ults[n]['jump'], 'create': ults[n]['jump'], 'allocs': 1}, {'yield': '<= 2', 'create': '<= 5', 'allocs': '<= 0'})
