#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Print build/bench.jsonl as a table."""
import json, sys

rows = [json.loads(line) for line in open(sys.argv[1])]
print(f'\n{"name":24} {"ours":>12} {"reference":>12} unit      {"ratio":>6}  goal')
for r in rows:
    print(f'{r["name"]:24} {r["ours"]:12.1f} {r["reference"]:12.1f} {r["unit"]:9} {r["ratio"]:6.2f}  {r["goal"] or "-"}')
