#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What goes wrong outside gets one clear message that names the thing and the remedy, and loses nothing."""
import os, pathlib, signal
import cluster
from cluster import Cluster, wait_until

cluster.isolate()


def refuses(r, *words):
    """The command failed, with a message that has the words, and nothing crashed."""
    assert r.rc in (1, 2), r
    for w in words:
        assert w.lower() in (r.err + r.out).lower(), f'{w!r} is not in {r}'


def server_refuses(c, *words):
    p = c.start_server(0, wait=False)
    rc = p.wait(30)
    c.procs.pop('server0')
    text = c.console('server0')
    assert rc == 1, (rc, text)
    for w in words:
        assert w.lower() in text.lower(), f'{w!r} is not in {text!r}'


@cluster.test
def configuration_that_is_no_yaml():
    with Cluster() as c:
        c.server_yml(0).write_text('name: [\n')
        server_refuses(c, str(c.server_yml(0)), 'line')


@cluster.test
def configuration_with_an_unknown_key():
    with Cluster() as c:
        c.server_yml(0).write_text(c.server_config(0) + 'no_such_key: 1\n')
        server_refuses(c, 'no_such_key')


@cluster.test
def configuration_of_the_wrong_type():
    with Cluster() as c:
        c.server_yml(0).write_text(c.server_config(0).replace('targets: 2', 'targets: many'))
        server_refuses(c, 'targets', 'many')


@cluster.test
def configuration_out_of_range():
    with Cluster() as c:
        c.server_yml(0).write_text(c.server_config(0).replace('targets: 2', 'targets: 0'))
        server_refuses(c, 'targets', '1 to 128')


@cluster.test
def configuration_missing():
    with Cluster() as c:
        c.server_yml(0).unlink()
        server_refuses(c, 'server0.yml')


@cluster.test
def port_in_use():
    import socket
    with Cluster() as c, socket.create_server(('0.0.0.0', 10001)):
        server_refuses(c, '10001', 'another program')


@cluster.test
def certificate_missing():
    with Cluster(secure=True) as c:
        (c.dir / 'certs/server.crt').unlink()
        server_refuses(c, 'server.crt', 'cert generate')


@cluster.test
def key_open_to_others():
    with Cluster(secure=True) as c:
        (c.dir / 'certs/server.key').chmod(0o644)
        server_refuses(c, 'server.key', 'chmod')


@cluster.test
def certificate_of_another_ca():
    with Cluster(secure=True) as c:
        c.start_server()
        c.run('daos_server', 'cert', 'generate', '-d', c.dir / 'other', check=True)
        for f in ('admin.crt', 'admin.key'):
            (c.dir / 'certs' / f).unlink()
            (c.dir / 'other' / f).rename(c.dir / 'certs' / f)
        refuses(c.dmg('system', 'query'), 'certificate')


@cluster.test
def certificate_of_the_wrong_role():
    with Cluster(secure=True) as c:
        c.start_server()
        yml = c.dir / 'dmg.yml'
        yml.write_text(yml.read_text().replace('admin', 'agent'))
        refuses(c.dmg('system', 'query'), "'agent'", 'may not')


@cluster.test
def insecure_client_of_a_secure_server():
    with Cluster(secure=True) as c:
        c.start_server()
        refuses(c.dmg('-i', 'system', 'query'), 'HTTPS')


@cluster.test
def server_that_does_not_run():
    with Cluster() as c:
        refuses(c.dmg('system', 'query'), 'localhost', 'is daos_server running')


@cluster.test
def unformatted_storage():
    with Cluster() as c:
        c.start_server()
        refuses(c.dmg('pool', 'create', 'tank', '-z', '1g'), 'storage format')


@cluster.test
def formatting_twice():
    with Cluster() as c:
        c.up()
        r = c.dmg('storage', 'format')
        refuses(r, 'system stop')


@cluster.test
def damaged_superblock():
    with Cluster() as c:
        c.up()
        c.down()
        sb = c.dir / 'engine0/superblock.json'
        good = sb.read_bytes()
        for bad in (good[:len(good) // 2], good.replace(b'"rank": 0', b'"rank": 1'), b''):
            assert bad != good
            sb.write_bytes(bad)
            c.start_server()
            assert 'superblock.json is damaged' in c.console('server0'), c.console('server0')
            assert 'storage format --force' in c.console('server0')
            c.stop('server0')
            assert sb.read_bytes() == bad
        sb.write_bytes(good)
        c.up(format=False)


@cluster.test
def damaged_system_database():
    with Cluster() as c:
        c.up()
        c.down()
        db = c.dir / 'engine0/daos_system.json'
        good = db.read_bytes()
        db.write_bytes(good.replace(b'"map_version"', b'"map_versiom"'))
        server_refuses(c, 'daos_system.json is damaged', 'backup')
        db.write_bytes(good)
        c.up(format=False)


def with_data(c):
    c.up()
    c.pool()
    c.cont()
    m = c.mount()
    (m / 'file').write_bytes(b'important' * 10000)
    os.sync()
    c.umount(m)
    c.down()


def disk_flip(path, at, bits=0xff):
    with open(path, 'r+b') as f:
        f.seek(at)
        b = f.read(1)
        f.seek(at)
        f.write(bytes([b[0] ^ bits]))


@cluster.test
def damaged_device_superblock():
    """One damaged copy is survived; both are refused with the device's name; restored bytes bring everything back."""
    with Cluster() as c:
        with_data(c)
        disk = c.dir / 'disk0'
        head = disk.read_bytes()[:1 << 20] if disk.stat().st_size < 1 << 28 else open(disk, 'rb').read(1 << 20)
        with open(disk, 'r+b') as f:
            f.write(b'\xa5' * (1 << 20))
        c.start_server()
        wait_until('engine gives up', lambda: 'exited with status' in c.console('server0'))
        c.stop('server0')
        log = (c.dir / 'engine0.log').read_text() + c.console('server0')
        assert str(disk) in log, log
        with open(disk, 'r+b') as f:
            f.write(head)
        c.up(format=False)
        m = c.mount()
        assert (m / 'file').read_bytes() == b'important' * 10000


@cluster.test
def truncated_device():
    with Cluster() as c:
        with_data(c)
        disk = c.dir / 'disk0'
        size = disk.stat().st_size
        copy = c.dir / 'copy'
        c.run('cp', '--sparse=always', disk, copy, check=True)
        os.truncate(disk, size // 2)
        c.start_server()
        wait_until('engine gives up', lambda: 'exited with status' in c.console('server0'))
        c.stop('server0')
        log = (c.dir / 'engine0.log').read_text() + c.console('server0')
        assert str(disk) in log, log
        copy.rename(disk)
        c.up(format=False)
        m = c.mount()
        assert (m / 'file').read_bytes() == b'important' * 10000


@cluster.test
def wrong_names():
    with Cluster() as c:
        c.up()
        c.pool()
        refuses(c.dmg('pool', 'query', 'nosuch'), 'nosuch', 'pool list')
        refuses(c.dmg('pool', 'destroy', 'nosuch'), 'nosuch')
        refuses(c.dmg('pool', 'create', 'tank', '-z', '100MB'), 'tank', 'exists')
        refuses(c.dmg('pool', 'create', 'bad name', '-z', '100MB'), 'label')
        refuses(c.daos('pool', 'query', 'nosuch'), 'nosuch')
        refuses(c.daos('cont', 'query', 'tank', 'nosuch'), 'nosuch')
        refuses(c.daos('cont', 'destroy', 'tank', 'nosuch'), 'nosuch')
        mnt = c.dir / 'mnt'
        mnt.mkdir()
        refuses(c.run('dfuse', '-m', mnt, '--pool', 'tank', '--container', 'nosuch'), 'nosuch')
        refuses(c.run('dfuse', '-m', mnt, '--pool', 'nosuch', '--container', 'x'), 'nosuch')
        refuses(c.run('dfuse', '-m', '/nosuch/dir', '--pool', 'tank', '--container', 'x'), '/nosuch/dir')
        refuses(c.daos('cont', 'create', 'tank', 'x', '--oclass', 'NONE'), 'NONE')
        refuses(c.daos('cont', 'create', 'tank', 'x', '--properties', 'rf:99'), 'rf')
        refuses(c.daos('cont', 'frobnicate'), 'frobnicate')


@cluster.test
def pool_larger_than_storage():
    with Cluster() as c:
        c.up()
        refuses(c.dmg('pool', 'create', 'tank', '-z', '100g'), 'tank', 'storage scan')
        assert c.dmg('-j', 'pool', 'list', check=True).json['response']['pools'] == []
        c.pool()  # nothing of the failed one is left in the way


def devices(c, *args):
    hosts = c.dmg('-j', 'storage', 'query', 'list-devices', *args, check=True).json['response']['host_responses']
    return [dev for host in hosts.values() for dev in host['bdevs']]


@cluster.test
def faulty_device():
    """It is said, by whoever is asked; the engine itself goes on, and takes the device again when it is started anew."""
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        dev = devices(c)[0]
        assert dev['state'] == 'ok' and dev['rank'] == 0 and dev['health']['writes'] > 0 and dev['health']['errors'] == 0, dev
        refuses(c.dmg('storage', 'set', 'nvme-faulty', '--uuid', dev['uuid']), '--force')
        refuses(c.dmg('storage', 'set', 'nvme-faulty', '--force', '--uuid', '1c9e3f6a-0d0c-4f45-9a53-5a4d2a7f3a11'), 'list-devices')
        assert devices(c, '--show-evicted') == []
        c.dmg('storage', 'set', 'nvme-faulty', '--force', '--uuid', dev['uuid'], check=True)
        assert [d['state'] for d in devices(c, '--show-evicted', '--rank', '0')] == ['faulty']
        assert devices(c, '--rank', '7') == []
        shown = c.dmg('storage', 'query', 'list-devices', '--health', check=True).out
        assert dev['uuid'] in shown and 'faulty' in shown and 'Errors:' in shown, shown
        assert c.dmg('pool', 'create', 'second', '-z', '100MB').rc != 0
        assert c.dmg('-j', 'system', 'query', check=True).json['response']['members'][0]['state'] == 'Joined'
        assert any('is faulty' in f.read_text(errors='replace') for f in c.dir.glob('*.log'))
        c.dmg('system', 'stop', '--force', check=True)
        c.dmg('system', 'start', check=True)
        wait_until('the pool is there again', lambda: c.dmg('pool', 'query', 'tank').rc == 0)
        assert [d['state'] for d in devices(c)] == ['ok']


class LimitedDevices(Cluster):
    def server_config(self, i):
        return super().server_config(i).replace('bdev_size:', 'bdev_auto_faulty: {enable: true, max_csum_errs: 5}, bdev_size:')


@cluster.test
def device_limits():
    """What daos_server.yml says of when a device is faulty reaches the engine."""
    with LimitedDevices() as c:
        c.up()
        dev = devices(c)[0]
        assert dev['health']['max_io_errs'] == 100 and dev['health']['max_csum_errs'] == 5, dev
        shown = c.dmg('storage', 'query', 'device-health', '--uuid', dev['uuid'], check=True).out
        assert 'Checksum Errors:0' in shown and 'Faulty after: 100 errors, 5 checksum errors' in shown, shown
        refuses(c.dmg('storage', 'query', 'device-health', '--uuid', '1c9e3f6a-0d0c-4f45-9a53-5a4d2a7f3a11'), 'list-devices')


@cluster.test
def full_pool_says_enospc():
    with Cluster() as c:
        c.up()
        c.pool(size='300MB')
        c.cont()
        m = c.mount()
        (m / 'small').write_text('keep')
        r = c.run('dd', 'if=/dev/zero', f'of={m}/big', 'bs=1M', 'count=2000', timeout=300)
        refuses(r, 'No space left')
        assert (m / 'small').read_text() == 'keep'
        (m / 'big').unlink()


        def free():
            return c.dmg('-j', 'pool', 'query', 'tank', check=True).json['response']['tier_stats'][1]['free']
        wait_until('space comes back', lambda: free() > 200 << 20, 180)
        c.run('dd', 'if=/dev/zero', f'of={m}/again', 'bs=1M', 'count=50', check=True)


@cluster.test
def dead_agent():
    with Cluster() as c:
        c.up()
        c.pool()
        c.stop('agent')
        refuses(c.daos('pool', 'query', 'tank'), 'daos_agent')
        c.start_agent()
        c.daos('pool', 'query', 'tank', check=True)


@cluster.test
def dead_engine():
    with Cluster() as c:
        c.up()
        c.pool()
        c.cont()
        c.dmg('system', 'stop', check=True)
        refuses(c.dmg('pool', 'query', 'tank'), 'system query')
        r = c.dmg('-j', 'system', 'query', check=True)
        assert r.json['response']['members'][0]['state'] == 'Stopped', r
        c.dmg('system', 'start', check=True)
        c.dmg('pool', 'query', 'tank', check=True)
        c.daos('cont', 'query', 'tank', 'home', check=True)


@cluster.test
def second_server_on_the_same_sockets():
    with Cluster() as c:
        c.start_server()
        other = c.dir / 'other.yml'
        other.write_text(c.server_config(0).replace('port: 10001\n', 'port: 10002\n', 1))
        r = c.run('daos_server', 'start', '-o', other, timeout=30)
        refuses(r, 'daos_server.sock', 'another daos_server')


cluster.main()
