"""Make a forked process what `python SCRIPT args` would have been, and run the script in it."""

from __future__ import annotations

import io
import os
import sys
from importlib.machinery import SourceFileLoader

from .launcher_guard import Guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_FITTING = "fitting"
_KEY_BYTES = 32


class Request:
    """A run to start.

    Args:
        stream: where both of its streams go.
        argv: `python`, the script, and what the script is given.
        cwd: the folder to run in.
        own: the variables that no other run has.
        pwd: whether a shell would have set PWD on the way.
    """

    def __init__(self, *, stream: int, argv: list[str], cwd: str, own: dict[str, str], pwd: bool) -> None:
        self.stream, self.argv, self.cwd, self.own, self.pwd = stream, argv, cwd, own, pwd


def become(request: Request) -> None:
    """Take on session, streams, folder and variables of a run, then start its hooks."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (request.stream, 1), (request.stream, 2)):
        os.dup2(source, target)
    for descriptor in {null, request.stream} - {0, 1, 2}:
        os.close(descriptor)
    os.chdir(request.cwd)
    os.environ.update(request.own)
    if request.pwd:
        os.environ["PWD"] = os.getcwd()
    _renew(request.cwd)
    with Guard("this run has no history and no seed"):
        _start_hooks(os.path.dirname(request.own["LAUNCHER_OUTPUT"]))


def _renew(cwd: str) -> None:
    """Renew what packages keep of the process that imported them."""
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = cwd
        process.current_process().authkey = os.urandom(_KEY_BYTES)
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()  # as at import; the module `random` does so by itself


def _start_hooks(folder: str) -> None:
    from . import launcher_start as _  # noqa: F401, PLC0415  # it starts when it is imported

    keras: Any = sys.modules.get("keras")
    if keras is not None:
        from .launcher_warm_watch import watch_first_fit  # noqa: PLC0415

        watch_first_fit(keras, os.path.join(folder, _FITTING))


def run_script(argv: list[str]) -> None:
    """Run the script as the main module. Raises what it raises, told without our own frames."""
    _, script, *_ = argv
    path = os.path.join(os.getcwd(), script)
    sys.orig_argv[:] = argv
    sys.argv[:] = argv[1:]
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    # A new one: the garbage collector passes by what the worker has frozen, and so by all that it holds.
    sys.modules["__main__"] = main = type(sys)("__main__")
    vars(main).update(_names_of_main(path))
    try:
        with io.open_code(path) as file:
            source = file.read()
        code = compile(source, path, "exec", dont_inherit=True)
        exec(code, vars(main))  # noqa: S102  # what the worker is for
    except SystemExit:  # which nobody tells
        raise
    except BaseException as error:
        _hide_own_frames(error, path)
        raise


def _names_of_main(path: str) -> dict[str, Any]:
    names: dict[str, Any] = {
        "__name__": "__main__",
        "__doc__": None,
        "__package__": None,
        "__loader__": SourceFileLoader("__main__", path),
        "__spec__": None,
        "__builtins__": sys.modules["builtins"],
        "__file__": path,
        "__cached__": None,
    }
    return names if sys.version_info >= (3, 14) else {**names, "__annotations__": {}}


def _hide_own_frames(error: BaseException, path: str) -> None:
    """Have the interpreter tell an error as if the script had been its own main module."""
    tell = sys.excepthook
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != path:
        trace = trace.tb_next

    def tell_stripped(kind: type[BaseException], value: BaseException, _: TracebackType | None) -> None:
        tell(kind, value.with_traceback(trace), trace)

    sys.excepthook = tell_stripped
