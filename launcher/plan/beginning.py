"""Find what a script imports before it does anything else, by reading its source. Pure: sources are given.

A warm worker does these imports ahead, so that they must find there what they would find in the script. Hence
the reading stops at the first statement that could change what later imports find. Modules of the job's
folder are never imported ahead, but read as if their statements stood where they are imported.
"""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.runner.plain import read_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Read = Callable[[str], bytes | None]

# Packages whose import leaves a process that can be forked. Others may set variables or start threads.
_KNOWN = frozenset(
    {
        *("keras", "tensorflow", "jax", "torch", "scikeras", "numpy", "scipy", "sklearn", "pandas"),
        *("matplotlib", "seaborn", "PIL", "h5py", "joblib", "tqdm"),
    }
)
_KERAS = frozenset({"keras", "tensorflow"})
# Calls that change nothing for an import.
_CALM = frozenset(
    {
        *("seed", "set_seed", "set_random_seed", "manual_seed", "print", "filterwarnings", "simplefilter"),
        *(
            "setLevel",
            "getLogger",
            "basicConfig",
            "time",
            "perf_counter",
            "Path",
            "TypeVar",
            "join",
            "dirname",
        ),
    }
)
_PLACE = re.compile(r"(?<!\{)\{[A-Za-z_][\w.-]*\}")


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a script does first.

    Attributes:
        imports: modules with the names that are taken from them, in order.
        variables: names and values of the environment that it sets before, and whether only as defaults.
        own: the modules of its folder.
        obstacle: why runs of this script can't start from a warm worker, empty where they can.
    """

    imports: tuple[tuple[str, tuple[str, ...]], ...] = ()
    variables: tuple[tuple[str, str, bool], ...] = ()
    own: tuple[str, ...] = ()
    obstacle: str = ""


def read_beginning(run: str | Sequence[str], *, files: Iterable[str], read: Read) -> Beginning:
    """Read the script of a job.

    Args:
        run: the job's own, values not yet inserted.
        files: the paths of the files in the job's folder.
        read: returns the content of one of them, None where there is none.
    """
    script = _find_script(run)
    if script is None:
        return Beginning(obstacle="run is no plain python SCRIPT")
    reader = _Reader(posixpath.dirname(script), read)
    try:
        reader.read(script)
    except (SyntaxError, ValueError):
        return Beginning(obstacle=f"{script} can't be read")
    own = tuple(sorted(_modules_in(posixpath.dirname(script), files)))
    roots = {module.partition(".")[0] for module in reader.imports}
    found = Beginning(tuple(reader.imports.items()), tuple(reader.variables), own)
    return found if roots & _KERAS else Beginning((), found.variables, own, reader.explain(script))


def _find_script(run: str | Sequence[str]) -> str | None:
    words = [run] if isinstance(run, str) else run
    filled = [_PLACE.sub("x", word) for word in words]
    plain = read_plain(["/bin/sh", "-c", *filled] if isinstance(run, str) else filled)
    if plain is None or not any(plain.script in word for word in words):
        return None
    script = posixpath.normpath(plain.script)
    return None if script.startswith(("../", "/")) else script


def _modules_in(folder: str, files: Iterable[str]) -> set[str]:
    prefix = f"{folder}/" if folder else ""
    paths = (path.removeprefix(prefix).split("/") for path in files if path.startswith(prefix))
    return {steps[0].partition(".")[0] for steps in paths if _is_module(steps)}


def _is_module(steps: Sequence[str]) -> bool:
    return (len(steps) == 1 and steps[0].endswith((".py", ".so"))) or steps[1:] == ["__init__.py"]


class _Reader:
    """Read on, file by file, until something could change what imports find."""

    def __init__(self, folder: str, read: Read) -> None:
        self.imports: dict[str, tuple[str, ...]] = {}
        self.variables: list[tuple[str, str, bool]] = []
        self._folder, self._read = folder, read
        self._seen: set[str] = set()
        self._stopped_at = ""

    def read(self, path: str) -> bool:
        """Read a file. Returns: whether reading may go on behind it.

        Raises:
            SyntaxError, ValueError: it holds no Python, or is not there.
        """
        self._seen.add(path)
        content = self._read(path)
        if content is None:
            raise ValueError(path)
        return self._pass_all(ast.parse(content).body, path)

    def explain(self, script: str) -> str:
        """Say why no Keras was found."""
        return (
            f"{self._stopped_at} comes before its import of Keras"
            if self._stopped_at
            else (f"{script} imports no Keras")
        )

    def _pass_all(self, statements: Sequence[ast.stmt], path: str) -> bool:
        for statement in statements:
            if not self._pass(statement, path):
                self._stopped_at = self._stopped_at or f"line {statement.lineno} of {path}"
                return False
        return True

    def _pass(self, statement: ast.stmt, path: str) -> bool:
        match statement:
            case ast.Import(names=names):
                return all(self._import(alias.name, ()) for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                return self._import(module, tuple(alias.name for alias in names))
            case ast.If(test=test, body=body, orelse=orelse):
                return _is_calm(test) and self._pass_all(orelse if _is_type_checking(test) else body, path)
            case ast.Try(body=body, orelse=orelse):
                return self._pass_all([*body, *orelse], path)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return True
        return self._set_variable(statement) or _is_calm(statement)

    def _import(self, module: str, names: tuple[str, ...]) -> bool:
        root = module.partition(".")[0]
        own = posixpath.join(self._folder, f"{root}.py")
        if own in self._seen:
            return True
        if self._read(own) is not None:
            return self.read(own)
        if root in _KNOWN:
            self.imports[module] = tuple(dict.fromkeys((*self.imports.get(module, ()), *names)))
        return root in _KNOWN or root in sys.stdlib_module_names

    def _set_variable(self, statement: ast.stmt) -> bool:
        """Take `os.environ["NAME"] = "value"`, and the same as setdefault."""
        match statement:
            case ast.Assign(
                targets=[ast.Subscript(value=where, slice=ast.Constant(value=str(name)))],
                value=ast.Constant(value=str(value)),
            ) if _is_environ(where):
                self.variables.append((name, value, False))
                return True
            case ast.Expr(
                ast.Call(
                    func=ast.Attribute(value=where, attr="setdefault"),
                    args=[ast.Constant(value=str(name)), ast.Constant(value=str(value))],
                )
            ) if _is_environ(where):
                self.variables.append((name, value, True))
                return True
        return False


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node) in {"os.environ", "environ"}


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _is_calm(node: ast.AST) -> bool:
    """Tell whether a statement can't change what an import finds: it stores names and calls nothing else."""
    return all(_is_calm_part(part) for part in ast.walk(node))


def _is_calm_part(part: ast.AST) -> bool:
    match part:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _CALM
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return False
        case ast.Import() | ast.ImportFrom() | ast.With() | ast.Raise() | ast.While() | ast.For():
            return False
    return not isinstance(part, ast.Call)
