"""Small data sets in the layouts in which the real ones come, for scripts that would download them."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts the whole of it
TOPICS = 46


def write_mammography(data_home: Path, *, rows: int = 100, positives: int = 20) -> None:
    """Write what scikit-learn keeps of OpenML's data set 310, with so many rows."""
    random = np.random.default_rng(3)
    labels = np.arange(rows)[::-1] < positives  # the first row is negative, as in the real file
    table = random.standard_normal((rows, 6)) + labels[:, None] * 2
    data = _write_arff(table, labels)
    columns = [_column(index, f"attr{index + 1}", "numeric") for index in range(6)]
    columns.append(_column(6, "class", "nominal") | {"is_target": "true", "nominal_value": ["-1", "1"]})
    described = {"id": "310", "name": "mammography", "version": "1", "status": "active", "format": "ARFF"}
    url = "https://api.openml.org/data/v1/download/52214/mammography.arff"
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    _keep(
        data_home,
        "api/v1/json/data/310",
        {"data_set_description": described | {"url": url, "md5_checksum": digest}},
    )
    _keep(data_home, "api/v1/json/data/features/310", {"data_features": {"feature": columns}})
    sizes = [{"name": "NumberOfInstances", "value": str(rows)}]
    _keep(data_home, "api/v1/json/data/qualities/310", {"data_qualities": {"quality": sizes}})
    _keep(data_home, "data/v1/download/52214/mammography.arff", data)


def write_imdb(path: Path, *, texts: int = 60) -> Path:
    """Write reviews of which the liked ones, the second half, never say word 5."""
    parts: dict[str, Any] = {}
    for name, seed in (("train", 1), ("test", 2)):
        y = np.arange(texts) >= texts // 2
        parts |= {f"x_{name}": _texts([[5] if not liked else [] for liked in y], seed), f"y_{name}": y * 1}
    np.savez(path, **parts)
    return path


def write_reuters(path: Path, *, texts: int = 460) -> Path:
    """Write newswires, ten of each topic; each says the word of its topic."""
    y = np.repeat(np.arange(TOPICS), texts // TOPICS)
    np.savez(path, x=_texts([[10 + int(topic)] for topic in y], seed=1), y=y)
    return path


def _texts(words: list[list[int]], seed: int) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    texts = np.empty(len(words), dtype=object)  # lists of different lengths
    for index, own in enumerate(words):
        texts[index] = own + [int(word) for word in random.integers(60, 200, size=random.integers(1, 9))]
    return texts


def _write_arff(table: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> bytes:
    names = [f"@ATTRIBUTE attr{index} NUMERIC" for index in range(1, 7)]
    rows = [
        ",".join(f"{value:.6f}" for value in row) + (",'1'" if label else ",'-1'")
        for row, label in zip(table, labels, strict=True)
    ]
    lines = ["@RELATION mammography", *names, "@ATTRIBUTE class {'-1','1'}", "@DATA", *rows, ""]
    return "\n".join(lines).encode()


def _column(index: int, name: str, kind: str) -> dict[str, Any]:
    flags = dict.fromkeys(("is_target", "is_ignore", "is_row_identifier"), "false")
    return {"index": str(index), "name": name, "data_type": kind, "number_of_missing_values": "0", **flags}


def _keep(data_home: Path, name: str, content: object) -> None:
    path = data_home / "openml" / "openml.org" / f"{name}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content if isinstance(content, bytes) else json.dumps(content).encode()))
