#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""`make install` puts things where Debian expects them, and a program written for DAOS compiles with pkg-config and runs."""
import os, pathlib, subprocess
import cluster
from cluster import Cluster

cluster.isolate()


@cluster.test
def program_compiles_against_the_installed_tree_and_runs():
    with Cluster() as c:
        dest = c.dir / 'dest'
        c.run('meson', 'install', '-C', cluster.build, '--no-rebuild', '--destdir', dest, check=True)
        libdir = next(p.parent.parent for p in dest.rglob('daos.pc'))
        for wanted in ('usr/include/daos.h', 'usr/include/daos_fs.h', 'usr/bin/daos_server', 'usr/bin/daos_engine', 'usr/bin/daos_agent',
                       'usr/bin/dmg', 'usr/bin/daos', 'usr/bin/dfuse'):
            assert (dest / wanted).exists(), f'{wanted} is not installed'
        assert list(dest.rglob('daos_server.service')) and list(dest.rglob('daos_agent.service')), 'systemd units are not installed'
        assert list(dest.rglob('man8/dfuse.8*')) and list(dest.rglob('man8/dmg.8*')), 'man pages are not installed'
        env = {'PKG_CONFIG_PATH': str(libdir / 'pkgconfig'), 'PKG_CONFIG_SYSROOT_DIR': str(dest)}
        flags = c.run('pkg-config', '--cflags', '--libs', 'daos', env=env, check=True).out.split()
        source = cluster.top / 'examples/hello_daos.c'
        assert len(source.read_text().splitlines()) <= 60
        c.run('gcc', '-Wall', '-Werror', source, '-o', c.dir / 'hello', *flags, f'-Wl,-rpath,{libdir}', check=True)
        c.up()
        c.pool()
        c.cont()
        r = c.run(c.dir / 'hello', 'tank', 'home', check=True)
        assert r.out == 'object: hello, daos\narray: 12 bytes\nkv: hello, daos\nfile: 12 bytes\n', r
        r = c.run(c.dir / 'hello', 'tank', 'nosuch')
        assert r.rc == 1, r


@cluster.test
def installed_programs_serve_by_themselves():
    """The tree moved elsewhere still finds its engine, modules and libraries."""
    with Cluster() as c:
        dest = c.dir / 'dest'
        c.run('meson', 'install', '-C', cluster.build, '--no-rebuild', '--destdir', dest, check=True)
        libdir = next(p.parent.parent for p in dest.rglob('daos.pc'))
        c.env['PATH'] = f'{dest}/usr/bin:{os.environ["PATH"]}'
        c.env['LD_LIBRARY_PATH'] = str(libdir)
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        (m / 'f').write_text('x')
        assert (m / 'f').read_text() == 'x'


cluster.main()
