#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""An ordinary user, no root: the whole of `make run`, with and without a /dev/fuse that is open to users."""
import os, pathlib, pwd, shutil, subprocess, tempfile
import cluster

cluster.isolate()


def as_nobody(dir, *cmd, timeout=600):
    nobody = pwd.getpwnam('nobody')
    env = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': str(dir), 'BUILD': str(cluster.build), 'DAOS_RUN_DIR': str(dir / 'run'),
           'DAOS_RUN_GIB': '2', 'LANG': 'C'}

    def drop():
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    return subprocess.run([str(x) for x in cmd], cwd=dir, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                          timeout=timeout, preexec_fn=drop, stdin=subprocess.DEVNULL)


def workplace():
    """A copy of what an ordinary user needs, where that user can read it."""
    dir = pathlib.Path(tempfile.mkdtemp(prefix='daos-user-', dir='/var/tmp'))
    os.chmod(dir, 0o755)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', dir], check=True)
    shutil.copytree(cluster.top / 'scripts', dir / 'scripts')
    os.chown(dir, pwd.getpwnam('nobody').pw_uid, -1)
    return dir


def bind_readable(dir):
    """The build tree may lie where nobody may look: show it at a place of its own."""
    shown = dir / 'build'
    shown.mkdir()
    subprocess.run(['mount', '--bind', cluster.build, shown], check=True)
    cluster.build = shown


def open_fuse(mode):
    node = pathlib.Path(tempfile.mkdtemp(dir='/var/tmp')) / 'fuse'
    subprocess.run(['mknod', '-m', mode, node, 'c', '10', '229'], check=True)
    subprocess.run(['mount', '--bind', node, '/dev/fuse'], check=True)


@cluster.test
def run_without_a_fuse_device_for_users():
    dir = workplace()
    bind_readable(dir)
    open_fuse('0600')
    p = as_nobody(dir, 'bash', dir / 'scripts/run')
    assert p.returncode == 0, p.stdout
    assert '/dev/fuse' in p.stdout and 'everything else works' in p.stdout, p.stdout
    assert 'created POSIX container' in p.stdout, p.stdout
    p = as_nobody(dir, 'bash', dir / 'scripts/stop')
    assert p.returncode == 0, p.stdout


@cluster.test
def run_with_a_fuse_device_for_users():
    dir = workplace()
    bind_readable(dir)
    open_fuse('0666')
    p = as_nobody(dir, 'bash', dir / 'scripts/run')
    assert p.returncode == 0, p.stdout
    assert 'identical' in p.stdout, p.stdout
    p = as_nobody(dir, 'bash', dir / 'scripts/stop')
    assert p.returncode == 0, p.stdout
    names = ('(daos_engine)', '(daos_server)', '(daos_agent)', '(dfuse)')
    stats = [x.read_text().split() for x in pathlib.Path('/proc').glob('[0-9]*/stat')]
    left = [s[:3] for s in stats if s[1] in names and s[2] != 'Z']  # what ended stays a zombie: nobody here waits for it
    assert left == [], left


cluster.main()
