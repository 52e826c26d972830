#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The network layer of real engines: who dies is found dead and excluded, who returns is a member again."""
import os, signal, time
import cluster
from cluster import Cluster, wait_until

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


cluster.main()
