#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""kill -9 of the engine in the middle of a copy, at a random moment, 20 times: what was synced is there, what is there is
whole, and the file system is consistent. A file that was not synced may be missing, short or empty, never wrong."""
import os, pathlib, random, signal, subprocess, threading
import cluster
from cluster import Cluster, wait_until

cluster.isolate()
ROUNDS = int(os.environ.get('ROUNDS', '20'))


def content(seed, size):
    return random.Random(seed).randbytes(size)


class Copier(threading.Thread):
    """Writes files and syncs each; what it was told is durable goes into `synced`."""

    def __init__(self, root, rnd):
        super().__init__()
        self.root, self.rnd, self.synced, self.begun, self.error, self.stop = root, rnd, {}, {}, None, False

    def run(self):
        i = 0
        while not self.stop and i < 100000:
            size = self.rnd.choice([0, 10, 5000, 40000, 1 << 20, 3 << 20])
            name = f'f{i}'
            self.begun[name] = (i, size)
            try:
                fd = os.open(self.root / name, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o644)
                try:
                    data, done = content(i, size), 0
                    while done < size:
                        done += os.write(fd, data[done:done + (256 << 10)])
                    os.fsync(fd)
                finally:
                    os.close(fd)
                self.synced[name] = (i, size)
            except OSError as e:
                self.error = e
            i += 1


def check(root, copier):
    have = set(os.listdir(root))
    for name, (seed, size) in copier.synced.items():
        assert name in have, f'{name} was synced and is gone'
        assert (root / name).read_bytes() == content(seed, size), f'{name} was synced and differs'
    for name in have - set(copier.synced):
        assert name in copier.begun, f'{name} was never written'
        seed, size = copier.begun[name]
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
            copier = Copier(root, rnd)
            copier.start()
            at = rnd.randrange(1, 60)
            wait_until('some files', lambda: len(copier.synced) >= at or copier.error, 120)
            old = c.engine_pid()
            os.kill(old, signal.SIGKILL)
            wait_until('the server starts the engine again', lambda: (c.engine_pid() or old) != old, 60)
            c.wait_joined()
            # The mount lives on: the copy goes on as soon as the engine is back.
            n = len(copier.synced)
            wait_until('the copy goes on', lambda: len(copier.synced) > n + 3 or copier.error, 120)
            copier.stop = True
            copier.join()
            assert copier.error is None, f'round {round}: the application saw {copier.error}'
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
        copier = Copier(m, rnd)
        copier.start()
        wait_until('some files', lambda: len(copier.synced) >= 30 or copier.error, 120)
        pid = c.engine_pid()
        c.procs['server0'].kill()
        os.kill(pid, signal.SIGKILL)
        c.procs['agent'].kill()
        synced = dict(copier.synced)
        copier.stop = True
        for p in ('server0', 'agent'):
            c.procs.pop(p).wait()
        c.up(format=False)
        copier.join(150)
        copier.synced = synced
        check(m, copier)


cluster.main()
