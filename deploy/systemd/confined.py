#!/usr/bin/python3
"""Runs the node under the restrictions of fourfront.service, on a machine where systemd is not process 1.

    deploy/systemd/confined.py target/release/fourfront

The unit is read, and what it says is done with bubblewrap and a seccomp filter: system calls by the unit's own sets
(`systemd-analyze syscall-filter`), address families, namespaces, a read-only file system, no capabilities, a /tmp and a /dev
of its own. Then the node serves a site with a function that is compiled to machine code, compiles WebAssembly, reads random
numbers and fetches by name; an origin that is cached in memory and on disk; HTTPS; a reload and an end. The service manager's
side of Type=notify is played here, too.

Needs Debian's bubblewrap, python3-seccomp, systemd and openssl. Exit 0 when all of it works and each restriction holds.

Not the same as systemd's: refused address families are EPERM here and EAFNOSUPPORT there; DevicePolicy and IPAddressDeny are
cgroups' and not shown; a new process namespace stands for ProtectProc.
"""

import array
import errno
import http.server
import os
import seccomp
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import threading
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 60


def settings(path):
    """The unit's [Service] section: each setting with its values in order; an empty value forgets those before it."""
    found, section = {}, None
    for line in open(path, encoding="utf-8"):
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and line[0] not in "#;":
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def expand(name):
    """The system calls of a set such as @system-service, those of the sets in it included."""
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    calls = set()
    for line in told.splitlines()[1:]:
        line = line.strip()
        if line and not line.startswith("#"):
            calls |= expand(line)
    return calls


def allowed_calls(unit):
    allowed = set()
    for value in unit["SystemCallFilter"]:
        taken_away = value.startswith("~")
        calls = set().union(*(expand(name) for name in value.lstrip("~").split()))
        allowed = allowed - calls if taken_away else allowed | calls
    # Always there, says systemd.exec(5).
    return allowed | {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn"}


def seccomp_filter(unit, to):
    """Writes the unit's filter as the kernel takes it."""
    refuse = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(refuse)
    calls = allowed_calls(unit)
    new_namespaces = 0x7E020080  # CLONE_NEW*
    suid = 0o6000
    masked = {
        "clone": (0, new_namespaces),
        "unshare": (0, new_namespaces),
        "chmod": (1, suid),
        "fchmod": (1, suid),
        "fchmodat": (2, suid),
    }
    # RestrictNamespaces cannot look into its argument, so libc is told to use clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    # RestrictRealtime: what is left are SCHED_OTHER, SCHED_BATCH and SCHED_IDLE.
    if "sched_setscheduler" in calls:
        for policy in (0, 3, 5):
            rules.add_rule(seccomp.ALLOW, "sched_setscheduler", seccomp.Arg(1, seccomp.EQ, policy))
    for call in sorted(calls - {"clone3", "socket", "setns", "personality", "sched_setscheduler"}):
        try:
            if call in masked:
                at, bits = masked[call]
                rules.add_rule(seccomp.ALLOW, call, seccomp.Arg(at, seccomp.MASKED_EQ, bits, 0))
            else:
                rules.add_rule(seccomp.ALLOW, call)
        except (RuntimeError, OSError):
            pass  # A call of another architecture.
    for family in unit["RestrictAddressFamilies"][-1].split():
        rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, getattr(socket, family)))
    rules.export_bpf(to)


def expect(unit, name, value):
    assert unit[name][-1] == value, f"{name}={unit[name][-1]}: this script shows {value}"


def jail(unit, dirs, command, variables):
    """The command line that confines a command as the unit says, and the filter's file."""
    for name in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "PrivateUsers", "PrivateIPC", "ProtectHostname",
                 "ProtectHome", "ProtectControlGroups", "ProtectKernelTunables", "RestrictNamespaces", "LockPersonality",
                 "RestrictRealtime", "RestrictSUIDSGID"):
        expect(unit, name, "yes")
    expect(unit, "ProtectSystem", "strict")
    expect(unit, "ProtectProc", "invisible")
    expect(unit, "CapabilityBoundingSet", "")
    expect(unit, "MemoryDenyWriteExecute", "no")
    rules = tempfile.TemporaryFile()
    seccomp_filter(unit, rules)
    rules.seek(0)
    line = ["bwrap", "--unshare-user", "--uid", "10001", "--gid", "10001", "--unshare-ipc", "--unshare-uts",
            "--unshare-cgroup", "--unshare-pid", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--ro-bind", "/", "/", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp",
            "--tmpfs", "/home", "--tmpfs", "/root", "--tmpfs", "/run", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin"]
    for name, (path, how) in dirs.items():
        line += [how, path, f"/run/{name}"]
    line += ["--remount-ro", "/run"]
    for name, value in variables.items():
        line += ["--setenv", name, value]
    return [*line, "--seccomp", str(rules.fileno()), "--chdir", "/", *command], rules


def escapes(unit, dirs):
    """Each restriction is tried, and has to hold."""
    tries = textwrap.dedent("""
        import ctypes, errno, os, socket, sys
        libc = ctypes.CDLL(None, use_errno=True)
        def call(*args):
            if libc.syscall(*args) < 0:
                raise OSError(ctypes.get_errno(), "")
        def tried(what, refused, do):
            try:
                do()
                print("ESCAPED:", what)
                sys.exit(1)
            except OSError as e:
                assert e.errno in refused, (what, e)
                print("refused:", what, errno.errorcode[e.errno])
        write = lambda path: (lambda: open(path, "w"))
        tried("writing to /etc", {errno.EROFS, errno.EACCES}, write("/etc/x"))
        tried("writing the site", {errno.EROFS, errno.EACCES}, write("/run/site/x"))
        tried("writing to /proc/sys", {errno.EROFS, errno.EACCES}, write("/proc/sys/kernel/hostname"))
        tried("a netlink socket", {errno.EPERM}, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
        tried("a packet socket", {errno.EPERM}, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        tried("a user namespace", {errno.EPERM}, lambda: call(272, 0x10000000))
        tried("a realtime thread", {errno.EPERM}, lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
        tried("a mount", {errno.EPERM}, lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, 0))
        tried("ptrace", {errno.EPERM}, lambda: call(101, 16, 1, 0, 0))
        tried("bpf", {errno.EPERM}, lambda: call(321, 0, 0, 0))
        tried("a set-user-id file", {errno.EPERM}, lambda: (open("/tmp/s", "w"), os.chmod("/tmp/s", 0o4755)))
        tried("changing the user", {errno.EPERM, errno.EINVAL}, lambda: os.setuid(0))
        tried("port 80", {errno.EACCES}, lambda: socket.socket().bind(("127.0.0.1", 80)))
        open("/tmp/own", "w"); open("/run/state/own", "w")
        status = open("/proc/self/status").read()
        assert "CapEff:\\t0000000000000000" in status and "NoNewPrivs:\\t1" in status and "Seccomp:\\t2" in status
        print("no capabilities, no new privileges, a filter; /tmp and the state are writable")
    """)
    line, rules = jail(unit, dirs, ["/usr/bin/python3", "-c", tries], {})
    subprocess.run(line, check=True, pass_fds=[rules.fileno()], timeout=LIMIT)


class App(http.server.BaseHTTPRequestHandler):
    """The origin, and what the function fetches."""

    asked = 0

    def do_GET(self):
        App.asked += 1
        body = b"from the origin\n" * 4096
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


# A loop that V8 compiles, WebAssembly that it compiles, and what asks the system for something.
FUNCTION = """
const zlib = require('node:zlib'), crypto = require('node:crypto'), os = require('node:os');
const wasm = Uint8Array.from([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11]);
exports.handler = async (event) => {
  let sum = 0;
  for (let i = 0; i < 3e6; i += 1) sum = (sum * 31 + i) % 1000003;
  const { instance } = await WebAssembly.instantiate(wasm);
  const fetched = await (await fetch('http://localhost:PORT/fetched')).text();
  const packed = zlib.gunzipSync(zlib.gzipSync(fetched)).length;
  const body = [sum, instance.exports.add(2, 3), packed, crypto.randomBytes(8).length, typeof os.networkInterfaces()].join(' ');
  return { status: '200', body };
};
"""

SITE = """
node:
  listen: 127.0.0.1:0
  listen_https: 127.0.0.1:0
  admin: 127.0.0.1:0
  data_dir: ${STATE_DIRECTORY}
  cache_disk: 64MiB
  certificates: { site: { cert: ./site.pem, key: ./site.key } }
  hooks: { local_egress: true }
  log: { access: false, directory: "${LOGS_DIRECTORY}" }
functions: { probe: ./probe.js }
distributions:
  site:
    logging: { bucket: site }
    origins: { app: "http://localhost:PORT" }
    cache_behaviors: [{ path: /probe, origin: app, on: { viewer-request: probe } }]
"""


class Manager:
    """The service manager's socket. Messages come with the sender's id, as this process sees it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.settimeout(LIMIT)
        self.socket.bind(path)

    def told(self, wanted):
        text, extra, _, _ = self.socket.recvmsg(4096, 256)
        lines = text.decode().splitlines()
        assert lines[0] == wanted, lines
        ids = array.array("i")
        ids.frombytes(extra[0][2][:12])
        return ids[0], dict(line.split("=", 1) for line in lines)


def nice_threads(process):
    """Names of the threads of a process that let others go first, and by how much."""
    found = set()
    for task in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{task}/stat", encoding="ascii") as stat:
            name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
        nice = int(rest.split()[16])
        if nice > 0:
            found.add(f"{name}={nice}")
    return found


def get(url):
    trusting = ssl._create_unverified_context()
    with urllib.request.urlopen(url, timeout=LIMIT, context=trusting if url.startswith("https") else None) as answer:
        return answer.status, answer.headers["X-Cache"], answer.read()


def main(binary):
    unit = settings(os.path.join(HERE, "fourfront.service"))
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    port = str(origin.server_address[1])
    with tempfile.TemporaryDirectory() as top:
        dirs = {name: (os.path.join(top, name), how) for name, how in
                {"site": "--ro-bind", "state": "--bind", "logs": "--bind", "notify": "--bind"}.items()}
        for path, _ in dirs.values():
            os.mkdir(path)
        site = dirs["site"][0]
        for name, text in {"fourfront.yaml": SITE, "probe.js": FUNCTION}.items():
            with open(os.path.join(site, name), "w", encoding="utf-8") as file:
                file.write(text.replace("PORT", port))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", f"{site}/site.key", "-out", f"{site}/site.pem"],
                       check=True, capture_output=True)
        escapes(unit, dirs)

        manager = Manager(os.path.join(dirs["notify"][0], "socket"))
        variables = {"NOTIFY_SOCKET": "/run/notify/socket", "STATE_DIRECTORY": "/run/state", "LOGS_DIRECTORY": "/run/logs"}
        # Bound into the jail under /run, so that a binary in a home directory is there, too.
        dirs["binary"] = (os.path.abspath(binary), "--ro-bind")
        line, rules = jail(unit, dirs, ["/run/binary", "serve", "-c", "/run/site/fourfront.yaml"], variables)
        node = subprocess.Popen(line, pass_fds=[rules.fileno()])
        try:
            process, told = manager.told("READY=1")
            status = told["STATUS"].replace(",", " ").split()
            plain, secure = status[2], status[4]
            print("ready:", told["STATUS"])
            for url in (plain, secure):
                answer = get(f"{url}/probe")
                assert answer[0] == 200 and answer[2].split()[1:] == b"5 65536 8 object".split(), answer
                print("function:", url, answer)
            # Threads that functions compute on let others go first: a filter that refuses that is not noticed otherwise.
            behind = nice_threads(process)
            assert behind, "no thread has stepped back"
            print("threads that stand back:", *sorted(behind))
            App.asked = 0
            verdicts = [get(f"{url}/page")[:2] for url in (plain, plain, secure)]
            assert App.asked == 1 and [v[1].split()[0] for v in verdicts] == ["Miss", "Hit", "Hit"], verdicts
            print("cache:", verdicts)
            os.kill(process, signal.SIGHUP)
            manager.told("RELOADING=1")
            manager.told("READY=1")
            assert get(f"{plain}/probe")[0] == 200
            print("reloaded")
            os.kill(process, signal.SIGTERM)
            manager.told("STOPPING=1")
            code = node.wait(LIMIT)
            assert code == 0, code
        finally:
            if node.poll() is None:
                node.kill()
        logs = [name for _, _, files in os.walk(dirs["logs"][0]) for name in files]
        state = [name for _, _, files in os.walk(dirs["state"][0]) for name in files]
        assert logs and state, (logs, state)
        print("ended with 0; logs:", *logs, "state:", *state)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
