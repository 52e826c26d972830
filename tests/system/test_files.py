#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Real files through a real mount: what is written is read, on one server and on three."""
import errno, os, pathlib, random, shutil, stat, subprocess
import cluster
from cluster import Cluster, tree, wait_until

cluster.isolate()


def expect_errno(number, fn, *args):
    try:
        fn(*args)
    except OSError as e:
        assert e.errno == number, f'{e} where {errno.errorcode[number]} was expected'
        return
    raise AssertionError(f'no error where {errno.errorcode[number]} was expected')


@cluster.test
def copy_a_tree_and_compare():
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        src = next(p for p in ('/usr/include/linux', '/usr/include') if os.path.isdir(p))
        c.run('cp', '-a', src, m / 'copy', check=True, timeout=300)
        assert tree(src) == tree(m / 'copy')
        c.umount(m)
        m = c.mount()
        assert tree(src) == tree(m / 'copy')
        shutil.rmtree(m / 'copy')
        assert os.listdir(m) == []


@cluster.test
def survives_a_restart_of_everything():
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        data = random.Random(1).randbytes(5 << 20)
        (m / 'd').mkdir()
        (m / 'd/file').write_bytes(data)
        os.symlink('d/file', m / 'link')
        os.setxattr(m / 'd/file', 'user.k', b'v')
        c.umount(m)
        c.down()
        c.up(format=False)
        m = c.mount()
        assert (m / 'link').read_bytes() == data
        assert os.getxattr(m / 'd/file', 'user.k') == b'v'


@cluster.test
def three_servers_form_one_system():
    with Cluster(engines=3) as c:
        c.up()
        members = c.dmg('-j', 'system', 'query', check=True).json['response']['members']
        assert [x['state'] for x in members] == ['Joined'] * 3, members
        assert sorted(x['rank'] for x in members) == [0, 1, 2]
        p = c.pool(size='1800MB')
        assert sorted(p['tgt_ranks']) == [0, 1, 2], p
        q = c.dmg('-j', 'pool', 'query', 'tank', check=True).json['response']
        assert q['total_targets'] == 6 and q['active_targets'] == 6 and q['disabled_targets'] == 0, q
        c.cont('tank', 'home', '--file-oclass', 'SX')
        m = c.mount()
        data = random.Random(2).randbytes(24 << 20)
        (m / 'big').write_bytes(data)
        assert (m / 'big').read_bytes() == data
        # each target holds some of the 24 chunks: what is used went up on all six
        for rank in range(3):
            infos = c.dmg('-j', 'pool', 'query-targets', 'tank', '--rank', rank, '--target-idx', '0,1', check=True).json['response']['infos']
            assert len(infos) == 2, infos
            for i in infos:
                used = i['space'][1]['total'] - i['space'][1]['free']
                assert used >= 1 << 20, f'rank {rank}: a target holds {used} bytes of the file: {infos}'


@cluster.test
def random_operations_agree_with_a_local_file_system():
    """The same operations on the mount and on a local directory give the same results and the same trees."""
    rnd = random.Random(int(os.environ.get('SEED', '7')))
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        ref = c.dir / 'ref'
        ref.mkdir()
        dirs, files, done = [''], [], []

        def both(fn):
            out = []
            for root in (m, ref):
                try:
                    out.append(fn(root))
                except OSError as e:
                    out.append(('error', e.errno))
            done.append(f'{len(done)} {op} {f} {name} {detail}: {str(out[1])[:40]}')
            assert out[0] == out[1], f'{str(out)[:200]} differ after ' + '; '.join(x for x in done if f' {f} ' in x)[-1500:]
            return out[1]

        for step in range(1500):
            op = rnd.choice(['create', 'create', 'write', 'write', 'read', 'mkdir', 'unlink', 'rmdir', 'rename', 'truncate', 'list', 'symlink',
                             'chmod', 'append', 'stat'])
            d = rnd.choice(dirs)
            name = f'{d}/n{rnd.randrange(40)}'.lstrip('/')
            f, detail = rnd.choice(files) if files else name, ''
            if op == 'create':
                both(lambda r: (r / name).open('xb').close())
                files.append(name)
            elif op == 'mkdir' and len(dirs) < 12:
                if both(lambda r: (r / name).mkdir()) is None:
                    dirs.append(name)
            elif op == 'write':
                off, data = rnd.randrange(3 << 20), rnd.randbytes(rnd.choice([1, 100, 4096, 70000, 1500000]))

                detail = f'{off}+{len(data)}'

                def put(r):
                    with open(r / f, 'r+b') as h:
                        h.seek(off)
                        return h.write(data)
                both(put)
            elif op == 'append':
                data = rnd.randbytes(rnd.randrange(5000))

                detail = f'+{len(data)}'

                def add(r):
                    with open(r / f, 'ab') as h:
                        return h.write(data)
                both(add)
            elif op == 'read':
                off, n = rnd.randrange(3 << 20), rnd.randrange(1 << 20)

                def get(r):
                    with open(r / f, 'rb') as h:
                        h.seek(off)
                        return h.read(n)
                both(get)
            elif op == 'truncate':
                n = detail = rnd.randrange(2 << 20)
                both(lambda r: os.truncate(r / f, n))
            elif op == 'unlink':
                both(lambda r: os.unlink(r / f))
            elif op == 'rmdir' and d:
                if both(lambda r: os.rmdir(r / d)) is None:
                    dirs.remove(d)
            elif op == 'rename':
                both(lambda r: os.rename(r / f, r / name))
                files.append(name)
            elif op == 'list':
                both(lambda r: sorted(os.listdir(r / d)))
            elif op == 'symlink':
                both(lambda r: os.symlink('n1', r / name))
            elif op == 'chmod':
                mode = rnd.choice([0o600, 0o644, 0o755])
                both(lambda r: os.chmod(r / f, mode))
            elif op == 'stat':
                both(lambda r: (os.stat(r / f).st_size, stat.S_IMODE(os.stat(r / f).st_mode)))
        assert tree(m) == tree(ref)
        c.umount(m)
        m = c.mount()
        assert tree(m) == tree(ref)


@cluster.test
def posix_errors():
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        (m / 'd').mkdir()
        (m / 'd/f').write_text('x')
        expect_errno(errno.ENOENT, os.stat, m / 'nothing')
        expect_errno(errno.EEXIST, os.mkdir, m / 'd')
        expect_errno(errno.ENOTEMPTY, os.rmdir, m / 'd')
        expect_errno(errno.ENOTDIR, os.listdir, m / 'd/f')
        expect_errno(errno.EISDIR, open, m / 'd', 'w')
        expect_errno(errno.ENAMETOOLONG, os.stat, m / ('n' * 256))
        (m / 'e').write_text('y')
        expect_errno(errno.ENOTDIR, os.rename, m / 'd', m / 'e')
        expect_errno(errno.EINVAL, os.rename, m / 'd', m / 'd/sub')
        os.symlink('loop', m / 'loop')
        expect_errno(errno.ELOOP, open, m / 'loop')
        expect_errno(errno.ENODATA, os.getxattr, m / 'd/f', 'user.none')


@cluster.test
def two_mounts_see_each_other():
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        a = c.mount('tank', 'home', '--disable-caching', name='a')
        b = c.mount('tank', 'home', '--disable-caching', name='b')
        (a / 'f').write_text('one')
        assert (b / 'f').read_text() == 'one'
        (b / 'f').write_text('two!')
        assert (a / 'f').read_text() == 'two!'
        os.rename(a / 'f', a / 'g')
        assert sorted(os.listdir(b)) == ['g']


@cluster.test
def many_files_in_one_directory():
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        names = {f'file-{i:05d}' for i in range(5000)}
        for n in names:
            (m / n).touch()
        assert set(os.listdir(m)) == names
        for n in sorted(names)[::2]:
            (m / n).unlink()
        assert set(os.listdir(m)) == set(sorted(names)[1::2])


cluster.main()
