# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Real processes for system tests: servers, agent, mounts, in a network, mount and process namespace of their own, so
that ports are free, nothing outlives the test, and nothing of the machine is touched. A test script does

    import cluster
    cluster.isolate()                 # runs the script again inside the namespaces
    @cluster.test
    def name(): ...
    cluster.main()

and prints `ok NAME` or `not ok NAME: why` for each test."""
import contextlib, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, time, traceback

top = pathlib.Path(__file__).resolve().parent.parent.parent
build = pathlib.Path(os.environ.get('BUILD', top / 'build'))
bindir = build / 'bin'
tests = []


def isolate(user=False):
    """Run this script again in namespaces of its own. With user=True as an ordinary user of a user namespace."""
    if os.environ.get('CLUSTER_ISOLATED'):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        return
    cmd = ['unshare', '--net', '--mount', '--pid', '--ipc', '--fork', '--kill-child', '--mount-proc']
    if user or os.geteuid() != 0:
        cmd += ['--user', '--map-root-user']
    os.environ['CLUSTER_ISOLATED'] = '1'
    os.execvp('unshare', cmd + [sys.executable] + sys.argv)


def test(fn):
    tests.append(fn)
    return fn


def main():
    bad = 0
    chosen = sys.argv[1:]
    for fn in tests:
        if chosen and fn.__name__ not in chosen:
            continue
        begin = time.monotonic()
        try:
            fn()
            print(f'ok {fn.__name__}', flush=True)
        except Exception as e:
            bad += 1
            traceback.print_exc(file=sys.stdout)
            print(f'not ok {fn.__name__}: {str(e)[-1200:]!r} after {time.monotonic() - begin:.1f} s', flush=True)
    sys.exit(bad > 0)


def wait_until(what, condition, limit=60):
    """Poll a condition of the outside world; the limit only ends a hang."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'{what}: not within {limit} s')
        time.sleep(0.02)


class Result:
    def __init__(self, p):
        self.rc, self.out, self.err = p.returncode, p.stdout, p.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f'rc={self.rc} out={self.out[-1500:]!r} err={self.err[-1500:]!r}'


class Cluster:
    """A system of `engines` servers with one engine each, which serves clients over each of `providers`, all on lo."""

    def __init__(self, engines=1, targets=2, disk='1GiB', secure=False, ram=None, providers=('ofi+tcp',)):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='daos-test-'))
        self.engines, self.targets, self.disk, self.secure, self.ram = engines, targets, disk, secure, ram
        self.providers = providers
        self.procs, self.mounts = {}, []
        self.env = {**os.environ, 'PATH': f'{bindir}:{os.environ["PATH"]}', 'DAOS_AGENT_DRPC_DIR': str(self.dir / 'agent'),
                    'D_LOG_FILE': str(self.dir / 'client.log')}
        if secure:
            self.run('daos_server', 'cert', 'generate', '-d', self.dir / 'certs', check=True)
        self.configure()

    # ---- configuration ----

    def transport(self, role):
        if not self.secure:
            return 'transport_config: {allow_insecure: true}'
        c = self.dir / 'certs'
        return f'transport_config: {{ca_cert: {c}/daosCA.crt, cert: {c}/{role}.crt, key: {c}/{role}.key}}'

    def configure(self):
        hosts = ', '.join(f'"localhost:{10001 + i}"' for i in range(self.engines))
        (self.dir / 'dmg.yml').write_text(f'hostlist: [{hosts}]\n{self.transport("admin")}\n')
        self.configure_agent('agent')
        for i in range(self.engines):
            self.server_yml(i).write_text(self.server_config(i))

    def configure_agent(self, name, provider_idx=0):
        """An agent with a socket of its own; agent_env() brings programs to it."""
        (self.dir / name).mkdir(exist_ok=True)
        (self.dir / f'{name}.yml').write_text(
            f'access_points: ["localhost:10001"]\nruntime_dir: {self.dir}/{name}\nprovider_idx: {provider_idx}\n'
            f'{self.transport("agent")}\n')

    def agent_env(self, name):
        return {'DAOS_AGENT_DRPC_DIR': str(self.dir / name)}

    def server_yml(self, i):
        return self.dir / f'server{i}.yml'

    def server_config(self, i):
        d = self.dir
        ram = f', scm_size: {self.ram}' if self.ram else ''
        ports = ','.join(str(31416 + 100 * (i + self.engines * k)) for k in range(len(self.providers)))
        return f'''name: daos_server
mgmt_svc_replicas: ["localhost:10001"]
port: {10001 + i}
provider: {','.join(self.providers)}
socket_dir: {d}/socket{i}
{self.transport("server")}
engine_auto_restart_min_delay: 2
engines:
- targets: {self.targets}
  nr_xs_helpers: 0
  fabric_iface: {','.join('lo' for _ in self.providers)}
  fabric_iface_port: {ports}
  log_mask: {os.environ.get("CLUSTER_LOG", "ERR")}
  log_file: {d}/engine{i}.log
  storage:
  - {{class: ram, scm_mount: {d}/engine{i}{ram}}}
  - {{class: file, bdev_list: [{d}/disk{i}], bdev_size: {self.disk}}}
'''

    # ---- processes ----

    def run(self, *cmd, check=False, timeout=120, env=None, input=None):
        p = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, errors='replace', timeout=timeout,
                           env={**self.env, **(env or {})}, input=input, stdin=subprocess.DEVNULL if input is None else None)
        r = Result(p)
        if check and r.rc != 0:
            raise AssertionError(f'{" ".join(str(c) for c in cmd)}: {r}\n{self.logs()}')
        return r

    def start(self, name, *cmd, env=None):
        log = open(self.dir / f'{name}.console', 'ab')
        self.procs[name] = subprocess.Popen([str(c) for c in cmd], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**self.env, **(env or {})})
        log.close()
        return self.procs[name]

    def console(self, name):
        f = self.dir / f'{name}.console'
        return f.read_text(errors='replace') if f.exists() else ''

    def logs(self):
        out = []
        for f in sorted(self.dir.glob('*.console')) + sorted(self.dir.glob('*.log')):
            text = f.read_text(errors='replace')
            if text:
                out.append(f'--- {f.name}\n{text[-1500:]}')
        return '\n'.join(out)

    def start_server(self, i=0, wait=True):
        before = self.console(f'server{i}').count('listening on')
        p = self.start(f'server{i}', 'daos_server', 'start', '-o', self.server_yml(i), env={'D_LOG_FILE': ''})
        if wait:
            wait_until(f'server {i} listens',
                       lambda: p.poll() is not None or self.console(f'server{i}').count('listening on') > before)
            assert p.poll() is None, self.console(f'server{i}')
        return p

    def start_agent(self, name='agent'):
        before = self.console(name).count('listening on')
        p = self.start(name, 'daos_agent', '-o', self.dir / f'{name}.yml', env={'D_LOG_FILE': ''})
        wait_until(f'{name} listens', lambda: p.poll() is not None or self.console(name).count('listening on') > before)
        assert p.poll() is None, self.console(name)

    def stop(self, name, sig=signal.SIGTERM, limit=60):
        p = self.procs.pop(name, None)
        if p is None:
            return None
        p.send_signal(sig)
        try:
            return p.wait(limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise AssertionError(f'{name} did not end within {limit} s\n{self.logs()}')

    def up(self, format=True):
        for i in range(self.engines):
            self.start_server(i)
        self.start_agent()
        if format:
            self.dmg('storage', 'format', check=True)
        self.wait_joined()
        return self

    def wait_joined(self, nr=None):
        wait_until('engines joined', lambda: self.joined() == (nr or self.engines), 90)

    def joined(self):
        r = self.dmg('-j', 'system', 'query')
        return sum(m['state'] == 'Joined' for m in r.json['response']['members']) if r.rc == 0 else 0

    def down(self):
        for m in list(self.mounts):
            self.umount(m)
        for name in sorted(self.procs, reverse=True):
            self.stop(name)

    def close(self):
        try:
            self.down()
        finally:
            for p in self.procs.values():
                p.kill()
            for m in self.mounts:
                subprocess.run(['umount', '-l', str(m)], stderr=subprocess.DEVNULL)
            if not os.environ.get('CLUSTER_KEEP'):
                shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        if kind is not None:
            print(self.logs(), flush=True)
        self.close()

    def engine_pid(self, i=0):
        """The daos_engine that is a child of server i."""
        server = self.procs[f'server{i}'].pid
        for d in pathlib.Path('/proc').glob('[0-9]*'):
            with contextlib.suppress(OSError, IndexError):
                stat = (d / 'stat').read_text()
                if int(stat.rsplit(')', 1)[1].split()[1]) == server and '(daos_engine' in stat and ') Z ' not in stat:
                    return int(d.name)
        return None

    # ---- commands ----

    def dmg(self, *args, **kw):
        return self.run('dmg', '-o', self.dir / 'dmg.yml', *args, **kw)

    def daos(self, *args, **kw):
        return self.run('daos', *args, **kw)

    def pool(self, label='tank', size='700MB', *more):
        return self.dmg('-j', 'pool', 'create', label, '-z', size, *more, check=True).json['response']

    def cont(self, pool='tank', label='home', *more):
        return self.daos('-j', 'cont', 'create', pool, label, '--type', 'POSIX', *more, check=True).json['response']

    def mount(self, pool='tank', cont='home', *more, name='mnt', env=None):
        mnt = self.dir / name
        mnt.mkdir(exist_ok=True)
        self.run('dfuse', '-m', mnt, '--pool', pool, '--container', cont, *more, check=True, env=env)
        self.mounts.append(mnt)
        return mnt

    def umount(self, mnt):
        self.run('fusermount3', '-u', mnt, check=True)
        self.mounts.remove(mnt)


class IdleClients:
    """Processes that have connected, and wait until they are told to get a value (bench/idle_client.c)."""
    def __init__(self, c, nr):
        self.procs = [subprocess.Popen([build / 'bench/idle_client', 'tank', 'home', str(i)], env={**os.environ, **c.env}, text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE) for i in range(nr)]
        for p in self.procs:
            assert p.stdout.readline() == 'ready\n', 'a client does not come up'

    def get(self, i):
        """Client @i gets its value: how many us that took."""
        self.procs[i].stdin.write('get\n')
        self.procs[i].stdin.flush()
        return float(self.procs[i].stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for p in self.procs:
            p.stdin.close()
        for p in self.procs:
            p.wait(60)


def tree(path):
    """{relative name: (kind, size or target, content hash)} of all below a directory."""
    import hashlib
    out = {}
    for p in sorted(pathlib.Path(path).rglob('*')):
        rel = str(p.relative_to(path))
        if p.is_symlink():
            out[rel] = ('link', os.readlink(p))
        elif p.is_dir():
            out[rel] = ('dir',)
        else:
            data = p.read_bytes()
            out[rel] = ('file', len(data), hashlib.sha256(data).hexdigest())
    return out
