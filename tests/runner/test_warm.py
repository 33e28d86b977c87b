"""Warm runs: forked from a worker that holds the imports, and in everything else as if started afresh."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from launcher.runner.batch import Batch
from launcher.runner.disk import Journal
from launcher.runner.environment import Environments
from launcher.runner.queue import Queue
from launcher.runner.slots import Place
from launcher.runner.workers import Workers
from tests.runner.kit import Job, is_alive, wait_for, write_program
from tests.runner.test_requests import wait_until_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from launcher.runner.worker import Worker
    from tests.runner.kit import Frozen, Home

IMPORTS = [["fractions", []], ["multiprocessing", ["pool"]]]


def warm_job(
    script: str,
    run: str | Sequence[str] = "python train.py --a='x y' b",
    *,
    runs: int = 2,
    imports: Sequence[Any] = IMPORTS,
    variables: Sequence[Any] = (),
    own: Sequence[str] = (),
    name: str = "job",
    code: Mapping[str, str] | None = None,
    **fields: Any,
) -> Job:
    warm = {"imports": list(imports), "variables": list(variables), "own": list(own)}
    files = {"train.py": textwrap.dedent(script), **(code or {})}
    return Job(run, name=name, runs=runs, code=files, warm=warm, **fields)


def were_warm(batch: Frozen) -> list[bool]:
    return [bool(event.get("warm")) for event in batch.events("started")]


def pid_in(batch: Frozen, name: str) -> int:
    """Return the process id that the first run writes into a file; it is there before it is written."""
    batch.wait_for(lambda: batch.wait_for_file(name).read_text())
    return int((batch.run_folder(0) / name).read_text())


SHOW = """
import json, os, resource, signal, sys, threading
import __main__
handlers = {str(n): str(signal.getsignal(n)) for n in signal.valid_signals()}
pid = os.getpid()
me = {
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "executable": sys.executable,
    "flags": list(sys.flags), "cwd": os.getcwd(), "environ": dict(os.environ),
    "proc": sorted(e for e in open("/proc/self/environ").read().split(chr(0)) if e.startswith("LAUNCHER")),
    "main": {k: str(v).partition(" at 0x")[0] for k, v in vars(__main__).items() if k.startswith("__")},
    "handlers": handlers, "mask": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "wakeup": signal.set_wakeup_fd(-1),
    "limits": {k: resource.getrlimit(getattr(resource, k)) for k in dir(resource) if k.startswith("RLIMIT")},
    "nice": os.nice(0), "umask": os.umask(0), "leads": [os.getpgid(0) == pid, os.getsid(0) == pid],
    "fds": sorted(os.readlink(f"/proc/self/fd/{n}")[:5] for n in os.listdir("/proc/self/fd")[:-1]),
    "streams": [str(s.encoding) + str(s.line_buffering) + str(s.write_through) + str(s.errors)
                for s in (sys.stdout, sys.stderr, sys.stdin)],
    "threads": threading.active_count(), "main thread": threading.current_thread() is threading.main_thread(),
    "hash": hash("text"), "stdin": sys.stdin.read(), "code": sys._getframe().f_code.co_filename,
    "dies with": __import__("ctypes").CDLL(None).prctl(2, 0, 0, 0, 0),
    "hooks": "_launcher_hooks.launcher_start" in sys.modules,
}
json.dump(me, open(os.environ["LAUNCHER_OUTPUT"] + "/me", "w"))
print("out"); print("err", file=sys.stderr)
"""

COMMANDS = {
    "shell": "python train.py --a='x y' b",
    "argv": ["python3", "./deep/../train.py", "a b"],
    "folder": "python deep/train.py",
}


def test_a_warm_run_finds_what_a_fresh_one_finds(home: Home) -> None:
    code = {"deep/train.py": SHOW}
    warm = [warm_job(SHOW, run, name=f"warm-{name}", code=code) for name, run in COMMANDS.items()]
    files = {"train.py": SHOW, **code}
    fresh = [Job(run, name=f"fresh-{name}", runs=2, code=files) for name, run in COMMANDS.items()]
    batch = home.freeze(*warm, *fresh, slots=2)

    batch.run(env={"PWD": "/elsewhere"})

    assert batch.states() == ["succeeded"] * 12
    assert {event["run"] for event in batch.events("started") if event.get("warm")} == set(batch.ids[:6])
    for number in range(6):
        assert found_by(batch, number) == found_by(batch, number + 6)
    assert set(map(batch.log, range(12))) == {b"out\nerr\n"}


def found_by(batch: Frozen, run: int) -> dict[str, Any]:
    name = batch.ids[run]
    text = batch.outputs(run)["me"].decode().replace(name, "RUN").replace("fresh-", "").replace("warm-", "")
    found: dict[str, Any] = json.loads(text)
    if batch.plan["runs"][run]["argv"][0] == "/bin/sh":
        found.pop("leads")  # there the shell leads
    return found


SLOW_TO_END = """
import os, signal, sys, time
def leave(*_):
    time.sleep(2 * os.environ["LAUNCHER_RUN"].startswith("job-0001"))
    sys.exit(3)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(600)
"""


def test_each_end_is_told_though_nothing_is_asked_any_more(home: Home) -> None:
    batch = home.freeze(warm_job(SLOW_TO_END, runs=4), slots=2)
    runner = batch.start()
    wait_until_up(batch, 0)
    wait_until_up(batch, 1)

    batch.request("cancel")

    assert runner.wait(60) == 0
    assert (batch.states(), were_warm(batch)) == (["cancelled"] * 4, [True, True])


ENDINGS = {
    "sys.exit(3)": (3, None),
    "sys.exit('no')": (1, None),
    "1/0": (1, None),
    "raise KeyboardInterrupt": (None, 2),
    "os.kill(os.getpid(), 9)": (None, 9),
    "os.abort()": (None, 6),
    "os._exit(7)": (7, None),
    "atexit.register(print, 'bye')": (0, None),
    "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()": (0, None),
    "def f(): 1/0\nsys.excepthook = lambda *a: print('mine', a[0])\nf()": (1, None),
    "compile('a b', 'x', 'exec')": (1, None),
    "]": (1, None),
    "sys.exit()": (0, None),
    "sys.exit(0.0)": (1, None),
    # What of a process is seen when the interpreter takes it apart.
    "file = open('kept', 'w'); file.write('x'); print('no newline', end='')": (0, None),
    "def f(): return file\nfile = open('kept', 'w'); file.write('x'); file.own = file, f": (0, None),
    "atexit.held = open('kept', 'wb'); atexit.held.write(b'x' * 9000)": (0, None),
    "import gzip; file = gzip.GzipFile('kept', 'wb', mtime=0); file.write(b'x'); sys.exit(0)": (0, None),
    "import own; own.file.write('x'); own.E('own')": (0, None),
    "from own import E\n_a, b, c = E('a'), E('b'), E('c')\nc.c = c": (0, None),
    "from own import E\natexit.register(lambda: print(E('late').name))\natexit.held = E": (0, None),
    "import weakref\nfrom own import E\ne = E('e'); weakref.finalize(e, print, 'final')": (0, None),
    "import tempfile; folder = tempfile.TemporaryDirectory(dir='.')": (0, None),
    "import logging; logging.basicConfig(filename='kept'); logging.error('x')": (0, None),
    "import ctypes; ctypes.CDLL(None).printf(b'from C')": (0, None),
    "threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(9999)], daemon=True).start()": (
        0,
        None,
    ),
    "os.close(1); print('lost')": (1, None),
    "class S:\n def flush(self): 1/0\nsys.stdout = S()": (120, None),
    "if os.fork(): os.wait()\nprint('both')": (0, None),
    "sys.stdout = None": (0, None),
    "import own; own.E('x'); e = own.E('e'); sys.path.clear(); os.chdir('/')": (0, None),
    "import concurrent.futures as c; c.ThreadPoolExecutor(1).submit(lambda: time.sleep(0.1) or print(1))": (
        0,
        None,
    ),
}
OWN = """
file = open("kept", "w")
class E:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("end of", self.name, sys is None)
import sys
"""


def test_a_warm_run_ends_as_a_fresh_one(home: Home) -> None:
    scripts = [f"import atexit, os, sys, threading, time\n{ending}\n" for ending in ENDINGS]
    run = ["python", "train.py"]
    code = {"own.py": OWN}
    warm = [warm_job(text, run, name=f"w-{n}", runs=1, code=code) for n, text in enumerate(scripts)]
    fresh = [Job(run, name=f"f-{n}", code={"train.py": text, **code}) for n, text in enumerate(scripts)]
    batch = home.freeze(*warm, *fresh, slots=2)

    batch.run()

    count = len(ENDINGS)
    assert sum(were_warm(batch)) == count
    for number, expected in enumerate(ENDINGS.values()):
        state, other = batch.state(number), batch.state(number + count)
        assert (state["exit_code"], state["signal"]) == expected
        assert state["reason"] == other["reason"]
        assert said_by(batch, number) == said_by(batch, number + count)
        assert batch.outputs(number) == batch.outputs(number + count)


def said_by(batch: Frozen, run: int) -> bytes:
    return re.sub(rb"0x[0-9a-f]+", b"0x", batch.log(run).replace(os.fsencode(batch.ids[run]), b"RUN"))


DAEMON = """
import os, time
if os.path.exists("../go"):
    raise SystemExit
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("../daemon", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
open("../worker", "w").write(str(os.getppid()))
print("up")
time.sleep(600)
"""


def test_what_a_dead_runner_left_of_a_warm_run_is_ended_before_it_is_repeated(home: Home) -> None:
    batch = home.freeze(warm_job(DAEMON))
    runner = batch.start()
    daemon = pid_in(batch, "daemon")
    batch.wait_for(lambda: batch.wait_for_file("log.txt").read_bytes() == b"up\n")
    worker = pid_in(batch, "worker")
    runner.kill()
    runner.wait()
    for run in range(2):
        batch.run_folder(run).mkdir(exist_ok=True)
        (batch.run_folder(run) / "go").touch()

    wait_for(lambda: not is_alive(worker))
    was_alive = is_alive(daemon)
    batch.run()

    assert was_alive
    assert not is_alive(daemon)
    assert batch.states() == ["succeeded"] * 2
    assert batch.events("ended")[0]["reason"] == "the runner died"


def test_a_warm_run_is_stopped_with_all_it_started(home: Home) -> None:
    batch = home.freeze(
        warm_job(DAEMON, name="limited", runs=1, run_s=0.3),
        warm_job(DAEMON, name="stopped", runs=1),
        warm_job("print(1)", name="next", runs=2),
    )
    runner = batch.start()
    batch.wait_for_file("daemon", 1)
    batch.request("cancel", batch.ids[1])

    assert runner.wait(60) == 0

    assert batch.states() == ["timed_out", "cancelled", "succeeded", "succeeded"]
    assert were_warm(batch) == [True] * 4
    for run in range(2):
        assert not is_alive(int((batch.run_folder(run) / "daemon").read_text()))


def test_a_daemon_of_a_warm_run_is_ended_with_it_and_the_worker_is_not(home: Home) -> None:
    waits = 'while not os.path.exists("../daemon"): time.sleep(0.01)'
    script = DAEMON.replace('print("up")\ntime.sleep(600)', waits)
    batch = home.freeze(warm_job(script, runs=3))

    batch.run()

    assert batch.states() == ["succeeded"] * 3
    assert were_warm(batch) == [True] * 3
    workers = {(batch.run_folder(run) / "worker").read_text() for run in range(2)}
    assert len(workers) == 1  # which ends when the last run has begun
    assert not any(is_alive(int((batch.run_folder(run) / "daemon").read_text())) for run in range(3))


KILLED_ONCE = """
import os
if not os.path.exists("../../killed"):
    open("../../killed", "w").close()
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("retries", "warm"), [(1, [True, True]), (0, [False])])
def test_a_single_run_is_warm_where_it_may_be_tried_again(home: Home, retries: int, warm: list[bool]) -> None:
    batch = home.freeze(warm_job(KILLED_ONCE, runs=1, retries=retries))

    batch.run()

    assert batch.states() == ["succeeded" if retries else "failed"]
    assert were_warm(batch) == warm


def test_when_its_worker_dies_a_run_goes_on_and_the_others_start_afresh(home: Home) -> None:
    script = """
        import os, time
        if os.path.exists("../go"):
            raise SystemExit(5)
        open("../worker", "w").write(str(os.getppid()))
        while not os.path.exists("../go"): time.sleep(0.01)
        raise SystemExit(7)
    """
    batch = home.freeze(warm_job(script, runs=3))
    runner = batch.start()
    os.kill(pid_in(batch, "worker"), signal.SIGKILL)
    batch.wait_for(lambda: batch.events("no_worker"))
    for run in range(3):
        batch.run_folder(run).mkdir(exist_ok=True)
        (batch.run_folder(run) / "go").touch()

    assert runner.wait(60) == 0

    assert [batch.state(run)["exit_code"] for run in range(3)] == [7, 5, 5]
    assert were_warm(batch) == [True, False, False]
    assert [event["reason"] for event in batch.events("no_worker")] == ["it died"]


def test_a_run_that_hangs_in_its_first_batch_is_repeated_afresh_and_so_are_the_others(home: Home) -> None:
    script = """
        import os, sys, time
        if "-c" in open("/proc/self/cmdline").read().split(chr(0)):  # forked from the worker
            open("../fitting", "w").close()
            time.sleep(600)
    """
    batch = home.freeze(warm_job(script, runs=3))

    batch.run(flags=["--hang", "0.3"])

    assert batch.states() == ["succeeded"] * 3
    assert were_warm(batch) == [True, False, False, False]
    assert [batch.state(run)["attempt"] for run in range(3)] == [2, 1, 1]
    assert batch.events("ended")[0]["reason"] == "it hung in its first batch, and starts afresh"
    assert not (batch.run_folder(0) / "fitting").exists()


def test_a_run_that_works_in_its_first_batch_does_not_hang(home: Home) -> None:
    script = """
        import time
        open("../fitting", "w").close()
        until = time.monotonic() + 1.5
        while time.monotonic() < until: sum(range(10000))
        import os; os.unlink("../fitting")
        time.sleep(1)
    """
    batch = home.freeze(warm_job(script, runs=2), slots=2)

    batch.run(flags=["--hang", "1"])

    assert were_warm(batch) == [True, True]
    assert [batch.state(run)["attempt"] for run in range(2)] == [1, 1]


def test_the_memory_of_a_run_is_gone_when_it_has_ended(home: Home) -> None:
    script = """
        import os
        status = open(f"/proc/{os.getppid()}/status").read()
        print(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        taken = b"x" * 100_000_000
    """
    batch = home.freeze(warm_job(script, runs=3))

    batch.run()

    sizes_kb = [int(batch.log(run)) for run in range(2)]
    assert were_warm(batch) == [True] * 3
    assert max(sizes_kb) < min(sizes_kb) + 20_000


PRINT_PARENT = "import os; print(open(f'/proc/{os.getppid()}/cmdline').read().count('_launcher_hooks'))"


@pytest.mark.parametrize(
    ("job", "env", "reason"),
    [
        ({"runs": 1}, {}, None),
        ({"imports": []}, {}, None),
        ({"env": {"PYTHONHASHSEED": "random"}}, {}, None),
        ({"run": "python train.py | cat"}, {}, None),
        ({}, {"PYTHONPATH": "relative"}, None),
        ({"own": ["fractions"]}, {}, "packages would find fractions in its folder"),
        ({"imports": [["breaks", []]]}, {}, "ZeroDivisionError: division by zero"),
        ({"imports": [["starts", []]]}, {}, "the imports started threads"),
        ({"imports": [["ends", []]]}, {}, "it died"),
    ],
    ids=str,
)
def test_a_run_starts_afresh_where_a_worker_would_not_do(
    home: Home, tmp_path: Path, job: Any, env: Any, reason: str | None
) -> None:
    (tmp_path / "breaks.py").write_text("1/0")
    (tmp_path / "starts.py").write_text("import threading; threading.Timer(600, print).start()")
    (tmp_path / "ends.py").write_text("import os; os._exit(1)")
    batch = home.freeze(warm_job(PRINT_PARENT, **job))

    batch.run(env={"PYTHONPATH": str(tmp_path), **env})

    assert not any(were_warm(batch))
    assert set(batch.states()) == {"succeeded"}
    assert [event["reason"] for event in batch.events("no_worker")] == ([reason] if reason else [])


def test_the_thread_of_an_allocator_that_bears_forks_is_no_obstacle(home: Home, tmp_path: Path) -> None:
    """As pyarrow has it, which pandas imports, which Keras imports where it is there."""
    (tmp_path / "pyarrow.py").write_text(
        "import _thread, ctypes, time\n"
        "named = _thread.allocate_lock()\n"
        "named.acquire()\n"
        "def purge():\n"
        "    ctypes.CDLL(None).prctl(15, b'jemalloc_bg_thd', 0, 0, 0)\n"
        "    named.release()\n"
        "    time.sleep(600)\n"
        "_thread.start_new_thread(purge, ())\n"
        "named.acquire()\n"
    )
    batch = home.freeze(warm_job("print(1)", imports=[["pyarrow", []]]))

    batch.run(env={"PYTHONPATH": str(tmp_path)})

    assert were_warm(batch) == [True, True], batch.events("no_worker")
    assert batch.log() == b"1\n"


def test_on_a_gpu_runs_start_afresh(home: Home, tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "nvidia-smi", "#!/bin/sh\necho 0\n")
    batch = home.freeze(warm_job(PRINT_PARENT, needs=1))

    batch.run(env={"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"})

    assert were_warm(batch) == [False, False]


def test_variables_that_the_script_sets_hold_for_its_imports_and_nowhere_else(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "reads.py").write_text("import os; seen = [os.environ.get(name) for name in 'ABC']")
    script = "import os, reads; print(*reads.seen, *[os.environ.get(name) for name in 'ABC'])"
    job = warm_job(
        script,
        imports=[["no_such_module", []], ["reads", []]],
        variables=[["A", "1", False], ["B", "2", True], ["C", "3", True]],
        env={"A": "a", "B": "b"},
    )
    batch = home.freeze(job)

    batch.run(env={"PYTHONPATH": str(tmp_path)})

    assert were_warm(batch) == [True, True]
    assert batch.log() == b"1 b 3 a b None\n"


def test_jobs_with_other_variables_have_other_workers(home: Home) -> None:
    script = "import os; open('../worker', 'w').write(str(os.getppid())); print(os.environ['A'])"
    jobs = [warm_job(script, name=f"job-{n}", env={"A": value}) for n, value in enumerate("121")]
    batch = home.freeze(*jobs)

    batch.run()

    workers = [(batch.run_folder(run) / "worker").read_text() for run in range(6)]
    assert were_warm(batch) == [True] * 6
    assert [batch.log(run) for run in range(6)] == [b"1\n", b"1\n", b"2\n", b"2\n", b"1\n", b"1\n"]
    assert workers[0] == workers[1] == workers[4] != workers[2]


def test_a_worker_that_is_fit_no_more_gives_way_to_fresh_starts(home: Home, tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text(
        "import os, threading\n"
        "os.register_at_fork(after_in_parent=lambda: threading.Timer(600, print).start())\n"
    )
    batch = home.freeze(warm_job("print(1)", runs=3, imports=[["later", []]]))

    batch.run(env={"PYTHONPATH": str(tmp_path)})

    assert were_warm(batch) == [True, False, False]
    assert batch.states() == ["succeeded"] * 3
    assert [event["reason"] for event in batch.events("no_worker")] == ["the imports started threads"]


def test_a_runner_that_is_stopped_takes_its_worker_along(home: Home) -> None:
    batch = home.freeze(warm_job(DAEMON, runs=3))
    runner = batch.start()
    batch.wait_for(lambda: b"up" in batch.wait_for_file("log.txt").read_bytes())
    worker = pid_in(batch, "worker")

    runner.terminate()

    assert runner.wait(60) == 0
    assert batch.states() == ["interrupted", "queued", "queued"]
    assert not is_alive(worker)


def test_a_hang_in_the_middle_of_a_stop_is_an_interruption(home: Home) -> None:
    script = """
        import os, signal, time
        signal.signal(signal.SIGTERM, lambda *_: open("../told", "w").close())
        open("../fitting", "w").close()
        while True: time.sleep(600)
    """
    batch = home.freeze(warm_job(script))
    runner = batch.start(grace_s=3.0, flags=["--hang", "0.3"])
    batch.wait_for_file("told")
    runner.terminate()

    assert runner.wait(60) == 0

    assert batch.states() == ["interrupted", "queued"]
    assert batch.reason() == "it hung in its first batch, and starts afresh"


def no_worker(*_: object, **__: object) -> Worker:
    raise OSError("no room")


def test_a_worker_that_cannot_be_started_is_no_trouble(home: Home) -> None:
    frozen = home.freeze(warm_job("print(1)"))
    batch = Batch(str(frozen.folder))
    queue = Queue(job_names=["job"], after=[[]], jobs=[0, 0], states=["queued", "queued"])
    environments = Environments(batch, gpus=(), python=sys.executable)
    journal = Journal(str(frozen.folder / "events.jsonl"))
    workers = Workers(batch, environments, queue=queue, journal=journal, make=no_worker)

    assert workers.is_settled(0, Place((), 0.0))
    assert [event["reason"] for event in frozen.events("no_worker")] == ["it could not be started: no room"]
    assert workers.fork(0, Place((), 0.0), 1) is None
    journal.close()
