# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What benchmarks share: medians of several rounds, both sides in each, and lines of bench.jsonl."""
import json, os, pathlib, statistics, subprocess, sys

top = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(top / 'tests/system'))
ROUNDS = int(os.environ.get('ROUNDS', '3'))


def record(out, name, unit, ours, reference, goal=''):
    """Append the medians of both sides to the file; @goal is ">=0.9" or "<=1.25", of the ratio."""
    a, b = statistics.median(ours), statistics.median(reference)
    with open(out, 'a') as f:
        f.write(json.dumps({'name': name, 'unit': unit, 'ours': round(a, 2), 'reference': round(b, 2),
                            'ratio': round(a / b, 3) if b else 0, 'goal': goal.replace(' ', '')}) + '\n')


def compare(out, prefix, unit_of, ours, reference, goals=None):
    """Run both sides ROUNDS times, alternately; each returns {name: figure}. Append the medians to the file."""
    figures = {'ours': {}, 'reference': {}}
    for n in range(ROUNDS):
        for side, fn in (('ours', ours), ('reference', reference)) if n % 2 == 0 else (('reference', reference), ('ours', ours)):
            for name, value in fn(n).items():
                figures[side].setdefault(name, []).append(value)
    for name, values in figures['ours'].items():
        record(out, f'{prefix}.{name}', unit_of(name), values, figures['reference'][name], (goals or {}).get(name, ''))


def file_unit(name):
    return 'MiB/s' if name.startswith('seq') else '1/s'
