#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""dfuse against a FUSE pass-through (libfuse's own example, compiled from Debian's package) over the file system that holds
the storage: the same commands on both mounts. Sequential I/O goes through the page cache and ends with a sync; random I/O goes
past the kernel's cache of the mount, one at a time, writes durable; caches are dropped between. The pass-through cannot take
O_DIRECT writes, so its random I/O is on a second mount without caching (of FUSE; below it the local file system has its own)."""
import json, os, pathlib, shutil, subprocess, sys, time
from measure import compare, file_unit
import cluster

cluster.isolate()
FILES = 2000


def fio(c, mnt, name, *args):
    r = c.run('fio', '--output-format=json', f'--name={name}', f'--directory={mnt}', '--filename=fio', '--size=256m', '--ioengine=psync',
              '--randseed=1', '--allow_mounted_write=1', *args, check=True, timeout=600)
    job = json.loads(r.out[r.out.index('{'):])['jobs'][0]
    side = job['write'] if 'write' in args[0] else job['read']
    return side['bw_bytes'] / 1048576, side['iops']


def drop_caches():
    try:
        pathlib.Path('/proc/sys/vm/drop_caches').write_text('3')
    except OSError:
        pass


def each(mnt, fn):
    begin = time.monotonic()
    for i in range(FILES):
        fn(f'{mnt}/f{i}')
    return FILES / (time.monotonic() - begin)


def measure(c, mnt, rnd, *direct):
    out = {'seqwrite1m': fio(c, mnt, 'sw', '--rw=write', '--bs=1m', '--end_fsync=1')[0]}
    drop_caches()
    out['seqread1m'] = fio(c, mnt, 'sr', '--rw=read', '--bs=1m')[0]
    drop_caches()
    out['randread4k'] = fio(c, rnd, 'rr', '--rw=randread', '--bs=4k', '--time_based', '--runtime=3', *direct)[1]
    out['randwrite4k'] = fio(c, rnd, 'rw', '--rw=randwrite', '--bs=4k', '--time_based', '--runtime=3', '--sync=dsync', *direct)[1]
    os.unlink(f'{mnt}/fio')
    out['create'] = each(mnt, lambda p: os.close(os.open(p, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)))
    drop_caches()
    out['stat'] = each(mnt, os.stat)
    out['unlink'] = each(mnt, os.unlink)
    return out


with cluster.Cluster(disk='3GiB') as c:
    c.up()
    c.pool(size='2500MB')
    c.cont()
    src = '/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c'
    flags = c.run('pkg-config', '--cflags', '--libs', 'fuse3', check=True).out.split()
    c.run('gcc', '-O2', '-D_GNU_SOURCE', '-DFUSE_USE_VERSION=34', '-DHAVE_POSIX_FALLOCATE', src, '-o', c.dir / 'passthrough', *flags, check=True)

    def ours(n):
        m = c.mount('tank', 'home', name=f'ours{n}')
        out = measure(c, m, m, '--direct=1')
        c.umount(m)
        return out

    def reference(n):
        back, m, uncached = c.dir / f'back{n}', c.dir / f'ref{n}', c.dir / f'ref{n}-uncached'
        back.mkdir()
        for dir, options in ((m, f'source={back}'), (uncached, f'source={back},cache=never')):
            dir.mkdir()
            c.run(c.dir / 'passthrough', '-o', options, dir, check=True)
            c.mounts.append(dir)
        out = measure(c, m, uncached)
        c.umount(uncached)
        c.umount(m)
        shutil.rmtree(back)
        return out

    compare(sys.argv[1], 'dfuse', file_unit, ours, reference)
