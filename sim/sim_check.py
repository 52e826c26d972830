#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What make check asks of the simulation: a seed determines the run, whatever the compiler; fixed seeds and fresh ones
pass; planted bugs are found. Prints `ok NAME` and `not ok NAME: why`."""
import json, math, os, pathlib, re, subprocess, sys

top = pathlib.Path(__file__).resolve().parent.parent
build = os.environ.get('BUILD', 'build')
jobs = os.environ.get('JOBS', str(os.cpu_count()))
fixed = os.environ.get('SIM_SEEDS', '1..8')
fresh_s = os.environ.get('SIM_FRESH', '25')
# A planted bug, and options under which few seeds are needed to find it.
planted = [(1, ['--faults', 'crash', '--only', 'power', '--work', 'keys,array', '--seconds', '200']),
           (2, ['--faults', 'crash', '--work', 'keys,array']), (3, ['--faults', 'storm', '--seconds', '100']),
           (4, ['--faults', 'crash', '--work', 'attr', '--seconds', '120']),
           (6, ['--faults', 'none', '--work', 'array', '--seconds', '30']), (7, ['--faults', 'none', '--seconds', '120']),
           (8, ['--faults', 'storm', '--work', 'life,attr']), (11, ['--faults', 'network', '--work', 'keys', '--seconds', '600']),
           (12, ['--faults', 'storm', '--work', 'attr']),
           (13, ['--faults', 'none', '--work', 'map', '--seconds', '60'])]
failed = 0


def say(ok, name, why=''):
    global failed
    failed += not ok
    print(f'ok {name}' if ok else f'not ok {name}: {why}', flush=True)
    return ok


def sim(*options, dir='sim', cc=None, timeout=600):
    env = {**os.environ, 'SIM_BUILD': f'{build}/{dir}', 'BUILD': build} | ({'CC': cc} if cc else {})
    p = subprocess.run(['scripts/sim', *options], cwd=top, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       errors='replace', timeout=timeout, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout


def hashes(name, dir='sim', cc=None):
    path = top / build / f'sim-hashes-{name}'
    path.unlink(missing_ok=True)
    sim('--seeds', '1..3', '--seconds', '60', '--jobs', jobs, '--no-shrink', '--hashes', str(path), dir=dir, cc=cc)
    return path.read_text() if path.exists() else None


def last(text):
    return (text.strip().split('\n') or [''])[-1]


for dir, cc in (('sim', None), ('sim-clang', 'clang')):
    code, out = sim('build', dir=dir, cc=cc)
    if not say(code == 0, f'simulation builds with {cc or "the default compiler"}', out[-2000:]):
        sys.exit(1)
p = subprocess.run(['scripts/check-sim', f'{build}/sim'], cwd=top, stdout=subprocess.PIPE, text=True)
say(p.returncode == 0, 'nothing of the machine gets into the simulation', p.stdout[-2000:])
first, second, other = hashes('first'), hashes('second'), hashes('clang', dir='sim-clang', cc='clang')
say(first and first == second, 'a seed run twice is the same run', f'{first} {second}')
say(first and first == other, 'a seed is the same run when clang compiled it', f'{first} {other}')
code, out = sim('--seeds', fixed, '--jobs', jobs)
say(code == 0, f'seeds {fixed}: {last(out)}', out[-3000:])
code, out = sim('--fresh', fresh_s, '--jobs', jobs)
say(code == 0, f'fresh seeds: {last(out)}', out[-3000:])
for profile, seeds, seconds in (('disk', '1..3', '150'), ('memory', '1..6', '120'), ('full', '1..2', '120'), ('rot', '1..3', '120'), ('ruin', '1..3', '120')):
    code, out = sim('--faults', profile, '--seeds', seeds, '--seconds', seconds, '--jobs', jobs)
    say(code == 0, f'faults {profile}, seeds {seeds}: {last(out)}', out[-3000:])
code, out = sim('--scale', '3,40,200', '--json')
busiest = {(r['engines'], r['step']): r['busiest_node_messages'] for r in map(json.loads, re.findall(r'^{.*}$', out, re.M))}
say(code == 0 and (200, 'stop') in busiest, 'systems of 3, 40 and 200 engines live, with collectives whole and broken', last(out))
for step, rounds in (('query', 1), ('map update', 1), ('disconnect', 2), ('destroy', 1)):
    nr, bound = busiest.get((200, step), 1 << 30), rounds * (4 * math.sqrt(200) + 20) + 20
    say(nr < bound, f'{step} of 200 engines asks no engine for {bound:.0f} messages or more', f'the busiest has {nr}')
code, out = sim('--seeds', '1..4', '--faults', 'storm', '--work', 'map,attr', '--jobs', jobs)
say(code == 0, f'targets leave and come back: {last(out)}', out[-3000:])
for bug, options in planted:
    code, out = sim('--bug', str(bug), '--seeds', '1..60', '--failures', '1', '--jobs', jobs, '--no-shrink', *options)
    say(code != 0 and 'FAILED' in out, f'planted bug {bug} is found', last(out))
sys.exit(failed > 0)
