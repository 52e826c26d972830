#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""kill -9 of the engine in the middle of a copy, at a random moment, 20 times: what was synced is there, what is there is
whole, and the file system is consistent. A file that was not synced may be missing, short or empty, never wrong."""
import os, pathlib, random, signal, subprocess, sys
import cluster
from cluster import Cluster, wait_until

if sys.argv[1:2] != ['--copy']:
    cluster.isolate()
ROUNDS = int(os.environ.get('ROUNDS', '20'))


def content(seed, size):
    return random.Random(seed).randbytes(size)


class Copier:
    """A process that writes files and syncs each; what it was told is durable stands in its journal, on a local disk. A process
    of its own: one that starts others must not have files of the mount open, or their start waits for the engine."""

    def __init__(self, c, root, seed):
        self.journal = c.dir / f'journal-{seed}'
        self.journal.write_text('')
        self.p = subprocess.Popen([sys.executable, __file__, '--copy', root, self.journal, str(seed)], env=c.env, stdin=subprocess.DEVNULL)

    def read(self, kind):
        lines = [line.split() for line in self.journal.read_text().splitlines(True) if line.endswith('\n')]
        return {x[1]: (int(x[2]), int(x[3])) for x in lines if x[0] == kind}

    @property
    def synced(self):
        return self.read('synced')

    @property
    def begun(self):
        return self.read('begun')

    @property
    def error(self):
        return [line for line in self.journal.read_text().splitlines() if line.startswith('error')]

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        assert self.p.wait(250) == 0


def copy(root, journal, seed):
    rnd, going = random.Random(seed), [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    with open(journal, 'a', buffering=1) as log:
        i = 0
        while going and i < 100000:
            size = rnd.choice([0, 10, 5000, 40000, 1 << 20, 3 << 20])
            log.write(f'begun f{i} {i} {size}\n')
            try:
                fd = os.open(f'{root}/f{i}', os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644)
                try:
                    data, done = content(i, size), 0
                    while done < size:
                        done += os.write(fd, data[done:done + (256 << 10)])
                    os.fsync(fd)
                finally:
                    os.close(fd)
                log.write(f'synced f{i} {i} {size}\n')
            except OSError as e:
                log.write(f'error f{i} {e}\n')
            i += 1


def check(root, copier):
    have, synced, begun = set(os.listdir(root)), copier.synced, copier.begun
    for name, (seed, size) in synced.items():
        assert name in have, f'{name} was synced and is gone'
        assert (root / name).read_bytes() == content(seed, size), f'{name} was synced and differs'
    for name in have - set(synced):
        assert name in begun, f'{name} was never written'
        seed, size = begun[name]
        got, want = (root / name).read_bytes(), content(seed, size)
        assert len(got) <= size, f'{name} is longer than what was written'
        # chunks that were written are right; those that were not read as zeroes
        for k in range(0, len(got), 4096):
            piece = got[k:k + 4096]
            assert piece == want[k:k + len(piece)] or not any(piece) or k + 4096 > len(got), f'{name}: wrong bytes at {k}'


@cluster.test
def kill_the_engine_in_the_middle_of_a_copy():
    rnd = random.Random(int(os.environ.get('SEED', '0')) or None)
    with Cluster(disk='3GiB') as c:
        c.up()
        c.pool(size='2500MB')
        c.cont()
        m = c.mount()
        for round in range(ROUNDS):
            root = m / f'round{round}'
            root.mkdir()
            copier = Copier(c, root, rnd.randrange(1 << 30))
            at = rnd.randrange(1, 60)
            wait_until('some files', lambda: len(copier.synced) >= at or copier.error, 120)
            old = c.engine_pid()
            os.kill(old, signal.SIGKILL)
            wait_until('the server starts the engine again', lambda: (c.engine_pid() or old) != old, 60)
            c.wait_joined()
            # The mount lives on: the copy goes on as soon as the engine is back.
            n = len(copier.synced)
            wait_until('the copy goes on', lambda: len(copier.synced) > n + 3 or copier.error, 120)
            copier.stop()
            assert not copier.error, f'round {round}: the application saw {copier.error}'
            check(root, copier)
            subprocess.run(['rm', '-r', root], check=True)


@cluster.test
def power_off_everything_while_writing():
    """All processes killed at once; started again, what was synced is there."""
    rnd = random.Random(int(os.environ.get('SEED', '0')) or None)
    with Cluster(disk='2GiB') as c:
        c.up()
        c.pool(size='1500MB')
        c.cont()
        m = c.mount()
        copier = Copier(c, m, rnd.randrange(1 << 30))
        wait_until('some files', lambda: len(copier.synced) >= 30 or copier.error, 120)
        pid = c.engine_pid()
        c.procs['server0'].kill()
        os.kill(pid, signal.SIGKILL)
        c.procs['agent'].kill()
        copier.p.send_signal(signal.SIGTERM)
        for p in ('server0', 'agent'):
            c.procs.pop(p).wait()
        c.up(format=False)
        assert copier.p.wait(250) == 0
        check(m, copier)


if sys.argv[1:2] == ['--copy']:
    copy(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    cluster.main()
