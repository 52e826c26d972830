#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""libdfs against the file system that holds the storage: the same program, the same operations, one at a time."""
import json, shutil, sys
from measure import compare, file_unit
import cluster

cluster.isolate()
with cluster.Cluster(disk='3GiB') as c:
    c.up()
    c.pool(size='2500MB')
    c.cont()
    bench = cluster.build / 'bench/dfs_bench'

    def ours(n):
        return json.loads(c.run(bench, 'dfs', 'tank', 'home', check=True, timeout=600).out)

    def reference(n):
        d = c.dir / 'local'
        d.mkdir()
        out = json.loads(c.run(bench, 'local', d, check=True, timeout=600).out)
        shutil.rmtree(d)
        return out

    compare(sys.argv[1], 'dfs', file_unit, ours, reference)
