#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""One target's store alone, on one core: against LMDB and RocksDB, and against the bare device. Everything is on the file
system of the build directory; both sides run in each round, in turn. VOS_BENCH=update64,durable limits what is run."""
import json, os, pathlib, shutil, statistics, subprocess, sys
from measure import record

ROUNDS = int(os.environ.get('ROUNDS', '5'))
build = pathlib.Path(os.environ.get('BUILD', 'build')).resolve()
work = build / 'bench-vos'
out = sys.argv[1]
core = max(os.sched_getaffinity(0))
only = [name for name in os.environ.get('VOS_BENCH', '').split(',') if name]


def run(program, *args):
    """Standard output as JSON, one value a line."""
    done = subprocess.run(['taskset', '-c', str(core), build / program, *map(str, args)], stdout=subprocess.PIPE, text=True,
                          timeout=3600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def fresh(name):
    shutil.rmtree(work / name, ignore_errors=True)
    (work / name).mkdir(parents=True)
    return work / name


def perf(*args, written_mib=0):
    """vos_perf on a fresh device, whose file was written once if asked; a list of phases."""
    path = fresh('vos') / 'dev'
    if written_mib:
        subprocess.run(['dd', 'if=/dev/zero', f'of={path}', 'bs=1M', f'count={written_mib}', 'oflag=direct', 'status=none', 'conv=fsync'],
                       check=True)
    phases = run('src/tools/vos_perf', '--json', '--path', path, *args)
    shutil.rmtree(work / 'vos')
    return phases


def rates(phases):
    return {p['phase']: p['rate'] for p in phases}


def raw(kind, size, depth, nr, flush_every=0):
    rate = run('bench/raw_bench', kind, fresh('raw') / 'file', size, depth, nr, flush_every)[0]['rate']
    shutil.rmtree(work / 'raw')
    return rate


def wanted(*names):
    return not only or any(name in only for name in names)


class Series:
    """Figures of several rounds, by side and name; sides are functions, run in turn."""

    def __init__(self, **sides):
        self.figures = {side: {} for side in sides}
        for n in range(ROUNDS):
            order = list(sides) if n % 2 == 0 else list(reversed(sides))
            for side in order:
                for name, value in sides[side]().items():
                    self.figures[side].setdefault(name, []).append(value)

    def __getitem__(self, key):
        side, name = key
        return self.figures[side][name]


def embedded(store, keys, size, *mode):
    result = run('bench/kv_bench', store, fresh('kv'), keys, size, *mode)[0]
    shutil.rmtree(work / 'kv')
    return result


def keys_and_values():
    print('  settings: random 16-byte keys, one thread. vos: file, log written with flushes but not waited for, values in the heap.\n'
          '  lmdb: NOSYNC WRITEMAP NOMETASYNC NORDAHEAD. rocksdb: log on, not synced; no compression, Bloom 10 bits, 256 MiB memtables,\n'
          '  4 GiB cache, compacted before fetching. Values are copied out by all.')
    goals = {'64': (2.5, 0.6), '1k': (2.5, 1.1), '4k': (2.5, 1.5)}
    for label, size, keys in (('64', 64, 500000), ('1k', 1024, 300000), ('4k', 4096, 150000)):
        if not wanted(f'update{label}', f'fetch{label}'):
            continue
        s = Series(vos=lambda: rates(perf('-R', '-i', 1, '-n', keys, '-s', size, '-t', '64k', '-M', '4G', '-D', '64M')),
                   rocksdb=lambda: embedded('rocksdb', keys, size), lmdb=lambda: embedded('lmdb', keys, size))
        for op, (rocks_goal, lmdb_goal) in (('update', goals[label]), ('fetch', (2, 0.7))):
            record(out, f'vos.{op}{label}.rocksdb', '1/s', s['vos', op], s['rocksdb', op], f'>= {rocks_goal}')
            record(out, f'vos.{op}{label}.lmdb', '1/s', s['vos', op], s['lmdb', op], f'>= {lmdb_goal}')


def durable():
    print('  settings: durable 1 KiB updates, 64 in flight; rocksdb: sync, one thread; device: writes of the same average size, each\n'
          '  followed by a flush, times the updates that shared one.')

    def ours():
        p = perf('-d', '-R', '-i', 64, '-n', 100000, '-s', 1024, '-t', '64k', '-M', '1G', '-D', '64M', '-P', 'update')[0]
        batch = (p['log_bytes'] // p['log_writes'] + 4095) // 4096 * 4096
        return {'rate': p['rate'], 'device': raw('write', batch, 1, 2000, 1) * p['operations'] / p['log_writes']}

    s = Series(vos=ours, rocksdb=lambda: embedded('rocksdb', 2000, 1024, 'sync'))
    record(out, 'vos.durable1k.rocksdb', '1/s', s['vos', 'rate'], s['rocksdb', 'update'], '>= 10')
    record(out, 'vos.durable1k.device', '1/s', s['vos', 'rate'], s['vos', 'device'], '>= 0.8')


def extents():
    print('  settings: file written once before. vos: durable. device: io_uring and O_DIRECT, a flush after each round of the depth.')
    for label, size, depth, nr, goal in (('extent1m', '1M', 8, 1500, 0.95), ('extent4k', '4k', 32, 60000, 0.85)):
        if not wanted(label):
            continue
        size_bytes = 1 << 20 if size == '1M' else 4096
        s = Series(vos=lambda: rates(perf('-d', '-T', 'array', '-R', '-i', depth, '-n', nr, '-s', size, '-M', '256M', '-D', '2G',
                                          '-L', '256M', written_mib=2600)),
                   device=lambda: {'update': raw('write', size_bytes, depth, nr, depth), 'fetch': raw('read', size_bytes, depth, nr)})
        record(out, f'vos.{label}.write', '1/s', s['vos', 'update'], s['device', 'update'], f'>= {goal}')
        record(out, f'vos.{label}.read', '1/s', s['vos', 'fetch'], s['device', 'fetch'], f'>= {goal}')


def versions():
    print('  settings: 1 GiB array of 4 KiB extents, 32 MiB of it overwritten 100 times in random order, values in the heap, one at a time;\n'
          '  reference: the same range before it was overwritten.')

    def ours():
        phases = ['update'] + ['fetch'] * 3 + ['overwrite'] + ['fetch'] * 3 + ['aggregate', 'reclaim'] + ['fetch'] * 3
        got = run('src/tools/vos_perf', '--json', '-r', '-T', 'array', '-i', 1, '-n', 262144, '-s', '4k', '-w', 8192, '-v', 100,
                  '-M', '8G', '-P', ','.join(phases))
        fetches = [p['rate'] for p in got if p['phase'] == 'fetch']
        return {'one': statistics.median(fetches[0:3]), 'before': statistics.median(fetches[3:6]), 'after': statistics.median(fetches[6:9])}

    s = Series(vos=ours)
    record(out, 'vos.versions100.before', '1/s', s['vos', 'before'], s['vos', 'one'], '>= 0.33')
    record(out, 'vos.versions100.after', '1/s', s['vos', 'after'], s['vos', 'one'], '>= 0.77')


def metadata():
    print('  settings: bytes of the heap beyond keys and values. Key: of a dkey of 16 bytes and an akey of 1, half of what both take with a\n'
          '  value of 64. Extent: 4 KiB, written in random order, keys included (256 to a dkey).')
    key = [(p['heap_bytes_per_op'] - 16 - 1 - 64) / 2 for p in run('src/tools/vos_perf', '--json', '-r', '-R', '-n', 200000, '-s', 64, '-P', 'update')]
    extent = [p['heap_bytes_per_op'] for p in perf('-T', 'array', '-R', '-n', 100000, '-s', '4k', '-D', '1G', '-P', 'update')]
    record(out, 'vos.bytes_per_key', 'bytes', key, [200], '<= 1')
    record(out, 'vos.bytes_per_extent', 'bytes', extent, [100], '<= 1')


def opening():
    path = fresh('open') / 'dev'
    args = ('--json', '--path', path, '--keep', '-n', 10000000, '-s', 64, '-M', '5G', '-D', '64M')
    clean = [p for p in run('src/tools/vos_perf', *args, '-P', 'update,reopen') if p['phase'] == 'reopen'][0]
    run('src/tools/vos_perf', *args, '--existing', '-w', 500000, '-P', 'overwrite,kill')
    crash = [p for p in run('src/tools/vos_perf', *args, '--existing', '-w', 1000, '-P', 'fetch') if p['phase'] == 'open'][0]
    print(f'  settings: 10,000,000 keys with values of 64 bytes; after the kill {crash["replayed"]} transactions were replayed')
    record(out, 'vos.open10m.clean', 's', [clean['seconds']], [0], 'reported')
    record(out, 'vos.open10m.crash', 's', [crash['seconds']], [0], 'reported')


work.mkdir(parents=True, exist_ok=True)
try:
    for names, part in ((('update64', 'update1k', 'update4k', 'fetch64', 'fetch1k', 'fetch4k'), keys_and_values), (('durable1k',), durable),
                        (('extent1m', 'extent4k'), extents), (('versions100',), versions),
                        (('bytes_per_key', 'bytes_per_extent'), metadata), (('open10m',), opening)):
        if wanted(*names):
            print(f'{", ".join(names)}', flush=True)
            part()
finally:
    shutil.rmtree(work, ignore_errors=True)
