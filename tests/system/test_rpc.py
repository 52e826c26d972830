#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The network layer of real engines: who dies is found dead and excluded, who returns is a member again; the tools that
measure it and look into it."""
import os, re, signal, time
import cluster
from cluster import Cluster, IdleClients, wait_until

cluster.isolate()
SWIM = {'SWIM_PROTOCOL_PERIOD_LEN': '200', 'SWIM_SUSPECT_TIMEOUT': '1600', 'SWIM_PING_TIMEOUT': '180'}


def states(c):
    r = c.dmg('-j', 'system', 'query')
    return {m['rank']: m['state'] for m in r.json['response']['members']} if r.rc == 0 else {}


def rank_of(c, i):
    """The rank of the engine of server i, by the port of its URI."""
    members = c.dmg('-j', 'system', 'query', check=True).json['response']['members']
    return next(m['rank'] for m in members if m['fabric_uri'].endswith(f':{31416 + 100 * i}'))


@cluster.test
def death_is_found():
    """The host of an engine is gone, with its server: nobody says so, the other engines find out."""
    with Cluster(engines=3, targets=1) as c:
        c.env.update(SWIM)
        c.up()
        rank, pid = rank_of(c, 2), c.engine_pid(2)
        c.procs['server2'].kill()
        os.kill(pid, signal.SIGKILL)
        c.stop('server2', signal.SIGKILL)
        wait_until('the dead rank is excluded', lambda: states(c).get(rank) == 'Excluded', 30)
        assert sorted(states(c).values()) == ['Excluded', 'Joined', 'Joined'], states(c)
        c.start_server(2)
        c.wait_joined()
        assert states(c)[rank] == 'Joined'


@cluster.test
def cut_off_returns():
    """An engine that stood still for so long that it was excluded finds out, ends, and joins anew."""
    with Cluster(engines=3, targets=1) as c:
        c.env.update(SWIM)
        c.up()
        rank, pid = rank_of(c, 1), c.engine_pid(1)
        os.kill(pid, signal.SIGSTOP)
        wait_until('the frozen rank is excluded', lambda: states(c).get(rank) == 'Excluded', 30)
        os.kill(pid, signal.SIGCONT)
        c.wait_joined()
        assert c.engine_pid(1) != pid


@cluster.test
def self_test():
    """Sizes inline and bulk, from here and from one engine to another; old and new spellings of options."""
    with Cluster(engines=2, targets=1) as c:
        c.up()
        r = c.run('self_test', '-u', '--group-name', 'daos_server', '--endpoint', '0:2', '--message-size', '(b1048578 b1048578)',
                  '--max-inflight-rpcs', '16', '--repetitions', '100', check=True)
        assert 'RPC Failures: 0' in r.out and 'RPC Bandwidth (MB/sec)' in r.out and '99th  %' in r.out, r
        assert re.search(r'0:2 - \d+\.\d+', r.out), r
        r = c.run('self_test', '-u', '-g', 'daos_server', '-e', '0-1:0-2', '-s', '(0 0),(64 100000),(b5000 0)', '-r', '300', '-i', '4',
                  '-j', check=True)
        assert [(x['send'], x['reply']) for x in r.json] == [('0', '0'), ('64', '100000'), ('b5000', '0')], r
        for size in r.json:
            one = size['results'][0]
            assert one['rpcs'] == 300 and one['failures'] == 0 and len(one['endpoints']) == 6, r
            lat = one['latency_us']
            assert 0 < lat['min'] <= lat['p25'] <= lat['median'] <= lat['p99'] <= lat['max'], lat
            assert sum(e['rpcs'] for e in one['endpoints']) == 300
        r = c.run('self_test', '-u', '-g', 'daos_server', '-e', '1:0-2', '-m', '0:0-1', '-s', '(1000 b1000)', '-r', '200', '-q', '-j', check=True)
        assert [x['master'] for x in r.json[0]['results']] == [{'rank': 0, 'tag': 0}, {'rank': 0, 'tag': 1}], r
        assert all(x['rpcs'] == 200 for x in r.json[0]['results']), r
        assert c.run('self_test', '-g', 'daos_server', '-e', '7:0', '-r', '1').rc == 1
        assert 'not understood' in c.run('self_test', '-g', 'daos_server', '-e', '0:0', '-s', '(1 2 3)').err
        assert '--endpoint' in c.run('self_test', '--help').out


@cluster.test
def cart_ctl():
    with Cluster(engines=2, targets=2) as c:
        c.env['CRT_CTL_ENABLE'] = '1'
        c.up()
        ctl = lambda cmd, *more, **kw: c.run('cart_ctl', cmd, '--group-name', 'daos_server', '-u', *more, **kw)
        pids = [c.engine_pid(0), c.engine_pid(1)]
        r = ctl('get_pid', '--rank', '0-1', '-j', check=True)
        assert sorted(x['value'] for x in r.json) == sorted(pids), (r, pids)
        assert f'pid: {r.json[0]["value"]}' in ctl('get_pid', '--rank', '0', check=True).out
        r = ctl('list_ctx', '--rank', '1', '-j', check=True)
        assert r.json[0]['value'] == 4 and len(r.json[0]['lines']) == 4, r
        r = ctl('get_uri_cache', check=True)
        assert len(re.findall(r'rank [01]: [01] 0 ofi', r.out)) >= 4, r
        assert os.uname().nodename in ctl('get_hostname', check=True).out
        assert 'req_recv' in ctl('dump_counters', '--rank', '0', check=True).out
        assert 'swim=DEBUG' in ctl('set_log', '-l', 'ERR,swim=DEBUG,cart=NOTE', check=True).out
        ctl('add_log_msg', '--message', 'hello from a test', '--rank', '1', check=True)
        logs = [(c.dir / f'engine{i}.log').read_text() for i in range(2)]
        assert ['hello from a test' in text for text in logs].count(True) == 1, logs
        # three requests of self-test fail where they arrive, at rank 0
        run = ['self_test', '-u', '-g', 'daos_server', '-e', '0:0', '-s', '0', '-r', '50', '-j']
        ctl('set_fi_attr', '-a', '1,3,100,-1007,1,0,0xff010008', '--rank', '0', check=True)
        assert c.run(*run, check=True).json[0]['results'][0]['failures'] == 0  # not enabled yet
        ctl('enable_fi', '--rank', '0', check=True)
        assert c.run(*run).json[0]['results'][0]['failures'] == 3
        ctl('set_fi_attr', '-a', '1,0,100,-1007,1,0,0xff010008', '--rank', '0', check=True)
        ctl('disable_fi', check=True)
        assert c.run(*run, check=True).json[0]['results'][0]['failures'] == 0
        assert ctl('get_pid', '--rank', '9').rc == 1
        assert ctl('nonsense').rc == 1
    with Cluster(engines=1, targets=1) as c:
        c.up()
        r = c.run('cart_ctl', 'enable_fi', '-g', 'daos_server', '-u')
        assert r.rc == 1 and 'CRT_CTL_ENABLE' in r.err, r


def cpu_at_rest(pid):
    """How much of a core the process uses while nobody wants anything of it."""
    ticks = lambda: sum(int(x) for x in open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[11:13])
    time.sleep(2)  # what start-up left to do; a period of rest is what is measured
    before = ticks()
    time.sleep(10)
    return (ticks() - before) / os.sysconf('SC_CLK_TCK') / 10


@cluster.test
def idle():
    """An engine with nothing to do uses next to nothing of a CPU, SWIM included."""
    with Cluster(engines=1, targets=2) as c:
        c.up()
        used = cpu_at_rest(c.engine_pid(0))
        assert used < 0.01, f'{used * 100:.1f} % of a CPU'


@cluster.test
def idle_with_clients():
    """Eight xstreams and a hundred connected processes: no CPU at rest, and each is answered at once when it wants something.
    How soon exactly, a machine shared with others cannot say: `rpc.first_get_after_idle_p99` of `make bench` does."""
    with Cluster(engines=1, targets=6) as c:
        c.up()
        c.pool()
        c.cont()
        with IdleClients(c, 100) as clients:
            used = cpu_at_rest(c.engine_pid(0))
            assert used < 0.01, f'{used * 100:.1f} % of a CPU'
            us = sorted(clients.get(i) for i in range(100))
            assert us[50] < 20000, f'half of the first requests take {us[50]} us and more'


def refused_by_agent(c, agent):
    """Clients of an agent whose provider the system does not have: a failure, and the reason in the agent's log."""
    r = c.daos('pool', 'query', 'tank', env=c.agent_env(agent))
    assert r.rc == 1, r
    assert 'the system has no provider 2; it has 0 (ofi+tcp), 1 (ofi+net)' in c.console(agent), c.console(agent)


@cluster.test
def secondary_provider():
    """Engines serve clients over two providers at once: what goes in by one comes out by the other, bulk transfers included."""
    providers = ('ofi+tcp', 'ofi+net')
    with Cluster(engines=2, targets=1, providers=providers) as c:
        c.env['DAOS_LOCAL_SHM'] = '0'
        c.up()
        agents = ['agent', 'agent1', 'agent2']
        for i in 1, 2:
            c.configure_agent(agents[i], provider_idx=i)
            c.start_agent(agents[i])
        env = [c.agent_env(a) for a in agents]
        c.pool()
        c.cont('tank', 'home', '--file-oclass', 'SX')

        members = c.dmg('-j', 'system', 'query', check=True).json['response']['members']
        uris = {m['rank']: [m['fabric_uri'], *m['secondary_uris']] for m in members}
        parts = [re.match(r'([^;]*).*://.*:(\d+)$', u).groups() for rank in uris for u in uris[rank]]
        assert sorted(parts) == [('ofi+net', '31616'), ('ofi+net', '31716'), ('ofi+tcp', '31416'), ('ofi+tcp', '31516')], members

        dump = lambda *more: c.run('daos_agent', '-o', c.dir / 'agent.yml', '-j', 'dump-attachinfo', *more)
        for i, provider in enumerate(providers):
            told = dump('-n', i).json['response']
            assert told['client_net_hint']['provider'] == provider and told['client_net_hint']['interface'] == 'lo', told
            assert [(u['rank'], u['uri'], u['provider_idx']) for u in told['rank_uris']] == [(r, uris[r][i], i) for r in sorted(uris)], told
            assert c.daos('-j', 'system', 'query', check=True, env=env[i]).json['response']['fabric_provider'] == provider
            assert c.daos('-j', 'pool', 'query', 'tank', check=True, env=env[i]).json['response']['state'] == 'Ready'
        assert dump().json == dump('--provider_idx', '0').json
        r = dump('-n', '2')
        assert r.rc == 1 and 'no provider 2' in r.json['error'], r
        assert dump('-n', 'x').rc == 2
        refused_by_agent(c, 'agent2')

        data = [os.urandom(4 << 20) for _ in providers]
        for i in 0, 1:
            mnt = c.mount(name=f'in{i}', env=env[i])
            (mnt / f'file{i}').write_bytes(data[i])
            c.umount(mnt)
            mnt = c.mount(name=f'out{i}', env=env[1 - i])
            assert (mnt / f'file{i}').read_bytes() == data[i], f'what provider {i} wrote reads differently by the other'
            c.umount(mnt)


cluster.main()
