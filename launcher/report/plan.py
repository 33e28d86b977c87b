"""The page that `plan` prints: what would run, in which order, from which code, within which limits."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from launcher.report.counts import varied
from launcher.report.text import clean, cut, plural, settings_text, span, table, value_text, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN = 8
LONGEST = 400
INDENT = " " * 10
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def plan_text(
    plan: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    candidates: Sequence[str] = (),
    columns: int = 100,
) -> str:
    """Return the page of a plan.

    Args:
        plan: the content of plan.json, with or without its id.
        warnings: what the plan says beside its notes.
        candidates: the lines that say what could be rented, where something can.
        columns: longer lines are cut.
    """
    runs: dict[int, list[Mapping[str, Any]]] = {index: [] for index in range(len(plan["jobs"]))}
    for run in plan["runs"]:
        runs[run["job"]].append(run)
    blocks = [_header(plan), list(candidates)]
    blocks += [_job(job, runs[index], plan) for index, job in enumerate(plan["jobs"][:SHOWN])]
    blocks += [_more(len(plan["jobs"]) - SHOWN, "job"), _skipped(plan), _order(plan)]
    blocks += [[f"note: {clean(note)}" for note in dict.fromkeys((*plan.get("notes", ()), *warnings))]]
    lines = "\n\n".join("\n".join(block) for block in blocks if block).split("\n")
    return "\n".join(part for line in lines for part in wrap(line, columns, indent=INDENT)) + "\n"


def finished_note(finished: int, *, skipped: int) -> list[str]:
    """Say how many runs have their results already, where they are not left out."""
    if skipped or not finished:
        return []
    return [f"{finished:,} of them succeeded before, unchanged: --needed leaves them out"]


def size(size_bytes: int) -> str:
    """Return a size in the largest unit that leaves a whole number: `12 kB`."""
    amount, unit = float(size_bytes), 0
    while amount >= _THOUSAND and unit < len(_UNITS) - 1:
        amount, unit = amount / _THOUSAND, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}" if unit else plural(size_bytes, "byte")


def _header(plan: Mapping[str, Any]) -> list[str]:
    jobs, runs, skipped = (len(plan.get(key, ())) for key in ("jobs", "runs", "skipped"))
    slots = plan.get("slots")
    packing = [clean(plan["packing"])] if plan.get("packing") else []
    at_once = f", {slots} at a time" if slots and not packing else ""
    without = f" ({skipped:,} more had succeeded before)" if skipped else ""
    name = f"{clean(plan['id'])}: " if plan.get("id") else ""
    where = f"{plural(jobs, 'job')} on {clean(plan.get('on', 'local'))}{at_once}"
    said = f"{name}{plural(runs, 'run')}{without} of {where}"
    limits = plan.get("limits") or {}
    ends = [f"the batch ends after {span(limits['batch_s'])}"] if limits.get("batch_s") else []
    is_paid = limits.get("usd") and plan.get("on", "local") != "local"
    ends += [f"it costs ${limits['usd']:.2f} at most"] if is_paid else []
    return [said, *packing, *ends]


def _job(job: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> list[str]:
    facts = [
        ("runs", _runs(job, runs)),
        ("seeds", _seeds(runs, is_paired=len(job["variants"]) > 1)),
        ("params", settings_text(_fixed(job))),
        ("varied", _varied(job)),
        ("first", _command(runs, plan)),
        ("needs", _needs(job)),
        ("backend", clean(job.get("backend") or "")),
        ("start", _start(job, runs)),
        ("limits", _limits(job)),
        ("metric", _metric(job)),
        ("after", clean(", ".join(job.get("after", ())))),
        ("code", _code(job)),
        *(("", line) for line in _left_out(job.get("code") or {})),
    ]
    return [clean(job["name"]), *table([fact for fact in facts if fact[1]])]


def _runs(job: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    factors = [plural(len(job["variants"]), "variant"), plural(job.get("repeats", 1), "repeat")]
    factors += [plural(job["folds"], "fold")] if job.get("folds") else []
    return f"{len(runs):,} = {' x '.join(factors)}" + (
        ", less those that had succeeded" if _is_part(job, runs) else ""
    )


def _is_part(job: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> bool:
    return bool(len(runs) < len(job["variants"]) * job.get("repeats", 1) * (job.get("folds") or 1))


def _seeds(runs: Sequence[Mapping[str, Any]], *, is_paired: bool) -> str:
    seeds = [seed for seed in dict.fromkeys(run.get("seed") for run in runs) if seed is not None]
    if not seeds:
        return "none is set: the script's own randomness" if runs else ""
    if len(seeds) == 1:
        return str(seeds[0])
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}" + (", the same for every variant" if is_paired else "")
    return cut(", ".join(str(seed) for seed in seeds), LONGEST)


def _fixed(job: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = varied(job["variants"])
    return [(name, value) for name, value in job["variants"][0].items() if name not in names]


def _varied(job: Mapping[str, Any]) -> str:
    words = (f"{clean(name)}=[{', '.join(_values(name, job))}]" for name in varied(job["variants"]))
    return cut(" ".join(words), LONGEST)


def _values(name: str, job: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(value_text(each[name]) for each in job["variants"] if name in each))


def _command(runs: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]) -> str:
    if not runs:
        return ""
    argv = [clean(word) for word in runs[0]["argv"]]
    shell = ["/bin/sh", "-c"]
    text = argv[2] if argv[:2] == shell and len(argv) == len(shell) + 1 else shlex.join(argv)
    return f"{text}" + (f"   ({clean(runs[0]['id'])})" if len(plan["runs"]) else "")


def _start(job: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    warm = job.get("warm") or {}
    if len(runs) <= 1 or not warm:
        return ""
    if warm.get("reason"):
        return f"afresh, each importing everything ({clean(warm['reason'])})"
    packages = dict.fromkeys(clean(module).partition(".")[0] for module, _ in warm["imports"])
    where = " where it runs on the CPU" if job["needs"]["gpus"] else ""
    return f"warm{where}: forked from one process that has imported {', '.join(packages)}"


def _needs(job: Mapping[str, Any]) -> str:
    gpus = (job.get("needs") or {}).get("gpus")
    return "" if not gpus else f"{gpus} of a GPU" if gpus < 1 else plural(gpus, "GPU")


def _limits(job: Mapping[str, Any]) -> str:
    limits = job.get("limits") or {}
    words = [f"{span(limits['run_s'])} a run"] if limits.get("run_s") else []
    words += [f"{span(limits['stall_s'])} without a sign of life"] if limits.get("stall_s") else []
    retries = limits.get("retries") or 0
    words += [f"{retries} retries" if retries > 1 else "1 retry"] if retries else []
    words += ["ends when the loss is not finite"] if job.get("stop_on_nan") else []
    words += [_early(job["stop_when"])] if job.get("stop_when") else []
    words += [f"a checkpoint every {span(job['checkpoint_s'])}"] if job.get("checkpoint_s") else []
    return ", ".join(words)


def _early(stop_when: Mapping[str, Any]) -> str:
    epochs = plural(stop_when["patience"], "epoch")
    return f"a fit ends after {epochs} without a better {clean(stop_when['metric'])}"


def _metric(job: Mapping[str, Any]) -> str:
    mode = f" ({job['mode']})" if job.get("mode") else ""
    return f"{clean(job['metric'])}{mode}" if job.get("metric") else ""


def _code(job: Mapping[str, Any]) -> str:
    code = job.get("code") or {}
    environment = job.get("environment")
    said = f"{_amount(code)}, sha256 {code['sha256'][:12]}" if code else ""
    return said + (f", with {clean(environment['file'])}" if environment else "")


def code_lines(jobs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Say what is taken of each job's folder, a line each, and what is not, a line a reason.

    Args:
        jobs: name and code of each.
    """
    lines = []
    for name, code in jobs[:SHOWN]:
        lines.append(f"{clean(name)} takes {_amount(code)}")
        lines += [f"{clean(name)} goes {line}" for line in _left_out(code)]
    return [*lines, *_more(len(jobs) - SHOWN, "job")]


def _amount(code: Mapping[str, Any]) -> str:
    return f"{plural(code['files'], 'file')}, {size(code['bytes'])}"


def _left_out(code: Mapping[str, Any]) -> list[str]:
    """Return a line for each reason why paths of a job's folder are not taken."""
    left_out = code.get("left_out") or ()
    by_reason: dict[str, list[str]] = {}
    for path, reason in left_out:
        by_reason.setdefault(clean(reason), []).append(clean(path))
    return [f"without {_listing(paths)} ({reason})" for reason, paths in list(by_reason.items())[:SHOWN]]


def _listing(words: Sequence[str]) -> str:
    shown = 3
    more = len(words) - shown
    return ", ".join(words[:shown]) + (f" and {more:,} more" if more > 0 else "")


def _skipped(plan: Mapping[str, Any]) -> list[str]:
    skipped = plan.get("skipped") or ()
    if not skipped:
        return []
    rows = [(clean(each["id"]), f"in {clean(each['batch'])}") for each in skipped[:SHOWN]]
    return ["had succeeded before", *table(rows), *_more(len(skipped) - SHOWN, "run")]


def _order(plan: Mapping[str, Any]) -> list[str]:
    runs = plan["runs"]
    rows = [(clean(run["id"]), settings_text(_special(run, plan))) for run in runs[:SHOWN]]
    return ["in this order", *table(rows), *_more(len(runs) - SHOWN, "run")] if runs else []


def _special(run: Mapping[str, Any], plan: Mapping[str, Any]) -> list[tuple[str, Any]]:
    job = plan["jobs"][run["job"]]
    variant = job["variants"][run["variant"]]
    chosen = [(name, variant[name]) for name in varied(job["variants"]) if name in variant]
    return chosen + [(key, run[key]) for key in ("fold", "seed") if run.get(key) is not None]


def _more(count: int, word: str) -> list[str]:
    return [f"  … and {plural(count, f'more {word}')}"] if count > 0 else []
