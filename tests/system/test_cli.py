#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The commands of FEATURES 1.15 as they are written there, old spellings included, and the fields of their output."""
import json, os, pathlib, re, signal, subprocess, time
import cluster
from cluster import Cluster, wait_until

cluster.isolate()


def has(text, *patterns):
    for p in patterns:
        assert re.search(p, text, re.M), f'{p!r} is not in:\n{text}'


shared = None


def system():
    """One system for the tests that only read or make things of their own."""
    global shared
    if shared is None:
        shared = Cluster(disk='3GiB').up()
        shared.pool('sxb', '1g')
    return shared


def alone():
    """For tests that need a system of their own: end the shared one, its ports are theirs."""
    global shared
    if shared is not None:
        shared.close()
        shared = None
    return Cluster


@cluster.test
def cli_1_2_3_start_and_clean_stop():
    with alone()() as c:
        c.up()
        engine = c.engine_pid()
        server, agent = c.procs['server0'].pid, c.procs['agent'].pid
        for pid in (agent, server):
            os.kill(pid, signal.SIGTERM)
        assert c.procs.pop('agent').wait(30) == 0
        assert c.procs.pop('server0').wait(60) == 0
        assert not pathlib.Path(f'/proc/{engine}').exists(), 'the engine outlives its server'
        assert list((c.dir / 'socket0').glob('*.sock')) == [], 'sockets are left'
        c.up(format=False)


@cluster.test
def cli_4_scan_by_abbreviation():
    c = system()
    has(c.dmg('sto', 'scan', check=True).out, r'^localhost:10001 ', r'1 device')
    has(c.dmg('storage', 'scan', '-v', check=True).out, r'disk0', r'wal,meta,data')
    has(c.dmg('net', 'scan', check=True).out, r'\blo\b', r'ofi\+tcp')
    r = c.dmg('-j', 'network', 'scan', check=True).json
    assert r['status'] == 0 and r['error'] is None and r['response']['host_responses'], r


@cluster.test
def cli_4_pools_and_space_of_devices():
    with alone()() as c:
        c.up()
        before = c.dmg('-j', 'storage', 'query', 'usage', check=True).json['response']['host_responses']['localhost:10001']['engines']
        assert c.dmg('storage', 'query', 'list-pools', check=True).out.count('No pools found') == 1
        c.pool(size='300MB')
        pool = c.dmg('-j', 'pool', 'query', 'tank', check=True).json['response']
        found = c.dmg('-j', 'storage', 'query', 'list-pools', check=True).json['response']['host_responses']['localhost:10001']['pools']
        assert [(p['uuid'], p['rank'], p['tgt_ids']) for p in found] == [(pool['uuid'], 0, list(range(c.targets)))], found
        assert sum(b['bytes'] for b in found[0]['blobs']) == found[0]['meta_bytes'] + found[0]['data_bytes'] > 200 << 20, found
        assert {b['role'] for b in found[0]['blobs']} == {'wal', 'meta', 'data'}, found
        has(c.dmg('storage', 'query', 'list-pools', '-v', check=True).out, pool['uuid'] + r' Rank:0 Targets:\[', r'target 0 data: ', r'service meta: ')
        assert 'No pools found' in c.dmg('storage', 'query', 'list-pools', '--rank', '3', check=True).out
        after = c.dmg('-j', 'storage', 'query', 'usage', check=True).json['response']['host_responses']['localhost:10001']['engines']
        assert before[0]['nvme_total'] == after[0]['nvme_total'] > 0 and before[0]['nvme_free'] - after[0]['nvme_free'] > 200 << 20, (before, after)
        has(c.dmg('storage', 'query', 'usage', check=True).out, r'SCM-Total', r'NVMe-Free', r'\d+ %')
        has(c.dmg('storage', 'query', 'usage', '--show-usable', check=True).out, r'NVMe-Usable')
        dev = [d['uuid'] for d in c.dmg('-j', 'storage', 'scan', check=True).json['response']['host_responses']['localhost:10001']['bdevs']][0]
        for words in (['replace', 'nvme', '--old-uuid', dev, '--new-uuid', dev], ['led', 'identify', dev], ['led', 'check', dev],
                      ['nvme-rebind', '-a', '0000:81:00.0'], ['nvme-add-device', '-a', '0000:81:00.0', '-e', '0']):
            r = c.dmg('storage', *words)
            assert r.rc == 1 and 'not supported' in r.err, (words, r)
        assert c.dmg('storage', 'led', 'check', 'none').rc == 1
        assert c.dmg('-j', 'storage', 'led', 'identify', dev).json['status'] == -2037


@cluster.test
def cli_5_format_insecure():
    with alone()() as c:
        c.start_server()
        c.start_agent()
        has(c.dmg('-i', 'storage', 'format', check=True).out, r'CREATED')
        c.wait_joined()


@cluster.test
def cli_6_erase():
    with alone()() as c:
        c.up()
        c.pool()
        r = c.dmg('system', 'erase')
        assert r.rc == 1 and 'stop' in r.err, r
        c.dmg('system', 'stop', check=True)
        c.dmg('system', 'erase', check=True)
        assert c.dmg('-j', 'system', 'query', check=True).json['response']['members'] == []
        c.dmg('storage', 'format', check=True)
        c.wait_joined()
        assert c.dmg('-j', 'pool', 'list', check=True).json['response']['pools'] == []


@cluster.test
def cli_7_system_query_verbose():
    c = system()
    has(c.dmg('system', 'query', '-v', check=True).out, r'^Rank +UUID +Control Address +Fault Domain +State +Reason',
        r'^0 +[0-9a-f-]{36} +127\.0\.0\.1:10001 +.*Joined')
    has(c.dmg('sys', 'query', check=True).out, r'^0 +Joined')
    m = c.dmg('-j', 'system', 'query', check=True).json['response']['members'][0]
    assert {'addr', 'state', 'rank', 'uuid', 'fabric_uri', 'incarnation', 'fault_domain'} <= set(m), m


@cluster.test
def cli_8_pool_create_both_ways():
    c = system()
    out = c.dmg('pool', 'create', 'auto', '-z', '200MB', check=True).out
    has(out, r'UUID +: [0-9a-f-]{36}', r'Service Leader +: 0', r'Storage Ranks +: 0', r'Total Size +: 200 MB',
        r'Storage tier 0 \(SCM\) : \d+ MB \(\d+ MB / rank\)', r'Storage tier 1 \(NVMe\): 188 MB')
    c.dmg('pool', 'create', '--scm-size=64MiB', '--nvme-size=128MiB', '--label=samirrav_pool', '-u', 'samirrav@', check=True)
    c.dmg('pool', 'create', '--scm-size=64MiB', '--nvme-size=128MiB', 'pool3', '-u', 'samirrav@', '-g', 'samirrav@', check=True)
    acl = c.dmg('pool', 'get-acl', 'pool3', check=True).out
    has(acl, r'# Owner: samirrav@', r'# Owner Group: samirrav@', r'A::OWNER@:rw')
    for p in ('auto', 'samirrav_pool', 'pool3'):
        c.dmg('pool', 'destroy', p, '--force', check=True)
    names = [p['label'] for p in c.dmg('-j', 'pool', 'list', check=True).json['response']['pools']]
    assert names == ['sxb'], names


@cluster.test
def cli_9_pool_list_and_query():
    c = system()
    has(c.dmg('pool', 'list', check=True).out, r'^Pool +Size +State +Used +Imbalance +Disabled', r'^sxb ')
    for v in ('-v', '--verbose'):
        has(c.dmg('pool', 'list', v, check=True).out,
            r'^Label +UUID +State +SvcReps +SCM Size +SCM Used +SCM Imbalance +NVME Size +NVME Used +NVME Imbalance +Disabled +UpgradeNeeded\?',
            r'^sxb +[0-9a-f-]{36} +Ready +')
    for cmd in (c.dmg('pool', 'query', 'sxb', check=True), c.daos('pool', 'query', 'sxb', check=True)):
        has(cmd.out, r'^Pool [0-9a-f-]{36}, ntarget=2, disabled=0, leader=0, version=\d+', r'^Pool space info:', r'Target count:2',
            r'^- Storage tier 0 \(SCM\):', r'^- Storage tier 1 \(NVMe\):', r'^  Total size: \d', r'^  Free: .*min:.*max:.*mean:',
            r'Rebuild idle, 0 objs, 0 recs')
    q = c.dmg('-j', 'pool', 'query', 'sxb', check=True).json
    assert q['status'] == 0 and q['error'] is None
    q = q['response']
    for key in ('uuid', 'label', 'state', 'total_targets', 'active_targets', 'disabled_targets', 'total_engines', 'version', 'svc_ldr', 'svc_reps',
                'rebuild', 'tier_stats'):
        assert key in q, f'{key} is not in {q}'
    for t in q['tier_stats']:
        assert {'total', 'free', 'min', 'max', 'mean', 'media_type'} <= set(t) and t['free'] <= t['total'] and t['min'] <= t['mean'] <= t['max'], t
    by_uuid = c.dmg('-j', 'pool', 'query', q['uuid'], check=True).json['response']
    assert by_uuid['uuid'] == q['uuid']


@cluster.test
def cli_10_container_create_all_forms():
    c = system()
    c.daos('cont', 'create', '--oclass=SX', '--properties=rf:0', '--type', 'POSIX', '--pool', 'sxb', '--label', 'one', check=True)
    c.daos('container', 'create', '--pool', 'sxb', '--type', 'POSIX', '--label', 'two', check=True)
    c.daos('container', 'create', 'sxb', '--type', 'POSIX', 'three', check=True)
    c.daos('cont', 'create', 'sxb', 'four', check=True)
    has(c.daos('pool', 'list-cont', 'sxb', check=True).out, r'^one ', r'^two ', r'^three ', r'^four ')
    listed = c.daos('-j', 'cont', 'list', 'sxb', check=True).json['response']
    assert {x['label'] for x in listed} >= {'one', 'two', 'three', 'four'}, listed
    r = c.daos('cont', 'create', 'sxb', 'four')
    assert r.rc == 1 and 'exist' in r.err.lower(), r
    for n in ('one', 'two', 'three', 'four'):
        c.daos('cont', 'destroy', 'sxb', n, check=True)
    assert c.daos('-j', 'cont', 'list', 'sxb', check=True).json['response'] == []


@cluster.test
def cli_11_container_query_all_forms():
    c = system()
    c.cont('sxb', 'q')
    for args in (('container', '--verbose', 'query', '-p', 'sxb', '-c', 'q'), ('container', 'query', 'sxb', 'q', '--verbose'),
                 ('cont', 'query', 'sxb', 'q')):
        has(c.daos(*args, check=True).out, r'Container UUID +: [0-9a-f-]{36}', r'Container Label +: q', r'Container Type +: POSIX',
            r'Pool UUID +: [0-9a-f-]{36}', r'Container redundancy factor : 0', r'Number of open handles +: \d+',
            r'Latest open time +: 0x[0-9a-f]+ \(20\d\d-\d\d-\d\d .* UTC\)', r'Latest close/modify time +: 0x[0-9a-f]+ \(20',
            r'Number of snapshots +: 0', r'Object Class +: ', r'Dir Object Class +: ', r'File Object Class +: ', r'Chunk Size +: 1\.0 MiB')
    q = c.daos('-j', 'cont', 'query', 'sxb', 'q', check=True).json['response']
    for key in ('pool_uuid', 'container_uuid', 'container_label', 'redundancy_factor', 'num_handles', 'num_snapshots', 'open_time',
                'close_modify_time', 'container_type'):
        assert key in q, q
    assert q['container_type'] == 'POSIX'
    c.daos('cont', 'destroy', 'sxb', 'q', check=True)


@cluster.test
def cli_12_container_properties():
    c = system()
    c.cont('sxb', 'props')
    out = c.daos('cont', 'get-prop', 'sxb', 'props', check=True).out
    names = ('alloc_oid', 'cksum', 'cksum_size', 'compression', 'dedup', 'dedup_threshold', 'ec_cell_sz', 'ec_pda', 'encryption', 'global_version',
             'group', 'label', 'layout_type', 'layout_version', 'max_snapshot', 'obj_version', 'owner', 'rd_fac', 'rd_lvl', 'rp_pda', 'srv_cksum',
             'status', 'acl')
    for n in names:
        has(out, rf'\({n}\) ')
    has(out, r'\(label\) +props', r'\(layout_type\) +POSIX', r'\(cksum\) +off', r'\(owner\) +\S+@', r'\(acl\) +A::OWNER@:rwdtTaAo, A:G:GROUP@:rwtT')
    c.daos('cont', 'set-prop', 'sxb', 'props', 'label:renamed', check=True)
    one = c.daos('-j', 'cont', 'get-prop', 'sxb', 'renamed', 'label', check=True).json['response']
    assert [(p['name'], p['value']) for p in one] == [('label', 'renamed')], one
    r = c.daos('cont', 'set-prop', 'sxb', 'renamed', 'nosuch:1')
    assert r.rc == 2 and 'nosuch' in r.err, r
    c.daos('cont', 'set-attr', 'sxb', 'renamed', 'a:1,b:two', check=True)
    got = c.daos('-j', 'cont', 'get-attr', 'sxb', 'renamed', 'b', check=True).json['response']
    assert got == [{'name': 'b', 'value': 'two'}], got
    c.daos('cont', 'del-attr', 'sxb', 'renamed', 'a', check=True)
    assert c.daos('-j', 'cont', 'list-attr', 'sxb', 'renamed', check=True).json['response'] == ['b']
    c.daos('cont', 'destroy', 'sxb', 'renamed', check=True)


@cluster.test
def cli_13_log_masks():
    c = system()
    has(c.dmg('server', 'set-logmasks', 'ERR,mgmt=debug,cart=debug,hg=debug,external=debug,object=debug', check=True).out, r'rank 0: .*mgmt=DEBUG')
    c.dmg('server', 'set-logmasks', '-m', 'err', check=True)
    c.dmg('server', 'set-logmasks', check=True)


@cluster.test
def cli_14_leader():
    has(system().dmg('sys', 'leader-query', check=True).out, r'Current Leader: 127\.0\.0\.1:10001')


@cluster.test
def cli_15_18_mount_with_abbreviations():
    c = system()
    c.cont('sxb', 'm')
    for i, args in enumerate((('--mountpoint={}', '--pool=sxb', '--cont=m'), ('--m={}', '--pool=sxb', '--cont=m'), ('{}', 'sxb', 'm'))):
        mnt = c.dir / f'm{i}'
        mnt.mkdir()
        c.run('dfuse', *[a.format(mnt) for a in args], check=True)
        assert os.path.ismount(mnt)
        (mnt / f'f{i}').write_text('x')
        c.run(*(('umount', mnt) if i else ('fusermount3', '-u', mnt)), check=True)
        assert not os.path.ismount(mnt)
    mnt = c.dir / 'fg'
    mnt.mkdir()
    p = c.start('dfuse', 'dfuse', '--foreground', '-m', mnt, '--pool', 'sxb', '--cont', 'm')
    wait_until('mount', lambda: os.path.ismount(mnt) or p.poll() is not None)
    assert sorted(os.listdir(mnt)) == ['f0', 'f1', 'f2']
    c.run('fusermount3', '-u', mnt, check=True)
    assert c.procs.pop('dfuse').wait(30) == 0
    c.daos('cont', 'destroy', 'sxb', 'm', check=True)


@cluster.test
def cli_17_mount_by_mount_8():
    c = system()
    c.cont('sxb', 'f')
    mnt = c.dir / 'fstab'
    mnt.mkdir()
    c.run('mount.fuse3', 'dfuse', mnt, '-o', 'pool=sxb,container=f', check=True)
    (mnt / 'x').write_text('1')
    c.run('umount', mnt, check=True)
    # mount(8) looks in the system's directories alone: show it one that has dfuse, as if it were installed
    over = c.dir / 'bin'
    over.mkdir()
    (over / 'dfuse').symlink_to((cluster.bindir / 'dfuse').resolve())
    c.run('mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir={over}:/usr/bin', '/usr/bin', check=True)
    fstab = c.dir / 'table'
    fstab.write_text(f'dfuse {mnt} fuse3 pool=sxb,container=f,auto,x-systemd.requires=daos_agent.service 0 0\n')
    c.run('mount', '-T', fstab, mnt, check=True)
    assert (mnt / 'x').read_text() == '1'
    c.run('umount', mnt, check=True)
    c.daos('cont', 'destroy', 'sxb', 'f', check=True)


@cluster.test
def containers_linked_at_paths():
    c = system()
    c.cont('sxb', 'outer')
    mnt = c.mount('sxb', 'outer')
    c.daos('cont', 'create', 'sxb', 'inner', '--type', 'POSIX', '--file-oclass=SX', f'--path={mnt}/link', check=True)
    has(c.daos('cont', 'query', 'sxb', 'inner', check=True).out, r'File Object Class +: SX')
    (mnt / 'link' / 'f').write_text('1')
    assert c.daos('cont', 'query', f'--path={mnt}/link', '-j', check=True).json['response']['container_label'] == 'inner'
    c.daos('cont', 'create', f'--path={mnt}/link2', '--type', 'POSIX', check=True)  # the pool is that of the path
    (mnt / 'plain').mkdir()
    got = c.daos('cont', 'destroy', '-f', f'--path={mnt}/plain')
    assert got.rc != 0 and 'does not stand for one itself' in got.err, got
    got = c.daos('cont', 'destroy', f'--path={mnt}/link')
    assert got.rc != 0 and 'in use' in got.err, got
    for link in ('link', 'link2'):
        c.daos('cont', 'destroy', '-f', f'--path={mnt}/{link}', check=True)
        assert not (mnt / link).exists()
    assert (mnt / 'plain').is_dir()
    c.umount(mnt)
    c.daos('cont', 'destroy', 'sxb', 'outer', check=True)


@cluster.test
def pool_properties_and_acl():
    c = system()
    has(c.dmg('pool', 'get-prop', 'sxb', check=True).out, r'\(label\) +sxb', r'\(space_rb\) ', r'\(reclaim\) +lazy', r'\(ec_cell_sz\) ')
    c.dmg('pool', 'set-prop', 'sxb', 'reclaim:disabled', check=True)
    got = c.dmg('-j', 'pool', 'get-prop', 'sxb', 'reclaim', check=True).json['response']
    assert [(p['name'], p['value']) for p in got] == [('reclaim', 'disabled')], got
    c.dmg('pool', 'update-acl', 'sxb', '-e', 'A::bob@:r', check=True)
    has(c.dmg('pool', 'get-acl', 'sxb', check=True).out, r'^A::bob@:r')
    c.dmg('pool', 'delete-acl', 'sxb', '-p', 'u:bob@', check=True)
    assert 'bob' not in c.dmg('pool', 'get-acl', 'sxb', check=True).out
    c.dmg('pool', 'set-prop', 'sxb', 'reclaim:lazy', check=True)


@cluster.test
def pool_targets_out_of_service_and_back():
    with alone()() as c:
        c.up()
        c.pool()
        c.cont('tank', 'home', '--file-oclass', 'SX')
        m = c.mount()
        data = os.urandom(4 << 20)
        (m / 'f').write_bytes(data)
        c.umount(m)
        has(c.dmg('pool', 'exclude', 'tank', '--ranks', '0', '--target-idx', '0', check=True).out, r'^Pool-exclude command succeeded, map version 2$')
        has(c.dmg('pool', 'query', 'tank', check=True).out, r'ntarget=2, disabled=1, leader=0, version=2')
        has(c.daos('pool', 'query', 'tank', check=True).out, r'ntarget=2, disabled=1, leader=0, version=2')
        states = lambda: [i['target_state'] for i in
                          c.dmg('-j', 'pool', 'query-targets', 'tank', '--rank=0', check=True).json['response']['infos']]
        assert states() == ['down', 'up_in'], states()
        got = c.dmg('-j', 'pool', 'reint', 'tank', '--ranks=0', '--target-idx=0', check=True).json['response']
        assert got['results'] == [{'rank': 0, 'errored': False, 'msg': ''}] and got['version'] == 3 and got['untold_ranks'] == [], got
        assert states() == ['up_in', 'up_in'], states()
        m = c.mount()
        assert (m / 'f').read_bytes() == data
        c.umount(m)
        r = c.dmg('-j', 'pool', 'exclude', 'tank', '--ranks=0')
        assert r.rc == 1 and r.json['status'] == -2031 and '--force' in r.json['error'], r
        c.dmg('pool', 'exclude', 'tank', '--rank=0', '--force', check=True)
        assert states() == ['down', 'down'], states()
        c.dmg('pool', 'reintegrate', 'tank', '--ranks=0', check=True)
        c.daos('cont', 'query', 'tank', 'home', check=True)
        for words, status in ((['exclude', '--ranks=5'], -1005), (['exclude', '--ranks=0', '--target-idx=9'], -1005),
                              (['exclude', '--ranks=0,1', '--target-idx=0'], -1003), (['drain', '--ranks=0'], -2037),
                              (['extend', '--ranks=1'], -2037)):
            r = c.dmg('-j', 'pool', words[0], 'tank', *words[1:])
            assert r.rc == 1 and r.json['status'] == status, r
        assert c.dmg('pool', 'exclude', 'tank').rc == 2


@cluster.test
def system_stop_and_start():
    with alone()() as c:
        c.up()
        c.pool()
        c.cont()
        has(c.dmg('system', 'stop', check=True).out, r'^0 +stop +OK +Stopped')
        assert c.engine_pid() is None
        has(c.dmg('system', 'start', check=True).out, r'^0 +start +OK +Joined')
        c.daos('cont', 'query', 'tank', 'home', check=True)


@cluster.test
def help_on_every_level():
    c = Cluster()

    def walk(program, *words):
        r = c.run(program, *words, '--help')
        assert r.rc == 0 and 'Usage:' in r.out, (program, words, r)
        section = r.out.split('\nCommands:\n')
        if len(section) == 2:
            for line in section[1].split('\n\n')[0].splitlines():
                walk(program, *words, line.split()[0])
    for program in ('dmg', 'daos', 'daos_server', 'daos_agent'):
        walk(program)
        assert c.run(program, '--no-such-option').rc == 2
        assert c.run(program, 'nosuchcommand').rc == 2
        assert c.run(program, 'version').rc == 0
    c.close()


@cluster.test
def certificates_all_the_way():
    with alone()(secure=True) as c:
        c.up()
        c.pool()
        c.cont()
        m = c.mount()
        (m / 'f').write_text('signed')
        assert (m / 'f').read_text() == 'signed'


@cluster.test
def zz_close():
    if shared:
        shared.close()


cluster.main()
