"""The query of the page is that of the command line: both answer, and refuse, alike."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.errors import UsageError
from harness.query import compile_query

CELLS = (
    {
        "id": "reticulate-1.41__r4.5.0__py3.12__keras3.15.1-jax__cpu__numpy1.26.4",
        "path": "reticulate", "transport": None, "r": "4.5.0", "bridge": "1.41",
        "python": "3.12", "framework": "keras[jax]==3.15.1", "cuda": "cpu",
        "numpy": "==1.26.4", "status": "crash", "message": "Killed by [SIGSEGV]",
    },
    {
        "id": "rpc-zmq__r4.2.2__py3.9__torch__cuda12.4", "path": "rpc", "transport": "zmq",
        "r": "4.2.2", "bridge": None, "python": "3.9.18", "framework": "torch==2.13.0rc1",
        "cuda": "12.4", "numpy": None, "status": "pass", "message": None,
    },
    {
        "id": "rpython-0.0-6-remedies__r4.2.2__py3.10", "path": "rpython", "transport": None,
        "r": "system", "bridge": "0.0-6+remedies", "python": "3.10", "framework": None,
        "cuda": "cpu", "numpy": "<2", "status": "fail", "message": "naïve ÄÖ “quoted” 💥",
    },
)  # fmt: skip
QUERIES = (
    "path:reticulate r:>=4.2 status:crash", "r:4.5", "r:4.5.0", "r:4", "r:45", "r:4.", "r:",
    "python:>=3.10,<3.13", "python:>=3.10, <3.13", "python:!=3.12", "python:~=3.9", "python:==3.*",
    "python:===3.12", "python:>3.9", "python:>=3.9.0", "python:<3.9.18", "python:~=3.9.1",
    "framework:keras", "framework:KERAS", "framework:jax", "framework:keras>=3.15",
    "framework:keras[jax]==3.15.1", "framework:torch>=2.13", "framework:torch<2.13",
    "framework:torch==2.13.0rc1", "framework:tor?h*", "framework:[kt]*", "framework:none",
    "numpy:<2", "numpy:>=1", "numpy:==1.26.4", "numpy:none", "transport:none", "transport:z[a-m]q",
    "bridge:>=1.28", "bridge:0.0-6", "bridge:0.0-6+remedies", "r:system", "r:>=4",
    "path:ret*", "path:r??", "keras3.15.1", '"py3.12__keras"', "PY3.9", '"path:rpc"',
    "!path:native", "! path:rpc", "not path:native and not path:system", "not not path:rpc",
    "path:native or r:4.5", "(path:rpc or path:reticulate) cuda:cpu", "not (path:rpc or r:4.2)",
    "path:rpc AND r:4.2 OR status:fail", "message:killed", "message:*[sigsegv]", "message:[!x]*",
    "message:ÄÖ", "message:💥", "message:“quoted”", 'message:"naïve äö"',
    "id:*py3.1?*", "id:torch",
    "cuda:>=12", "cuda:12", "status:none", "cause:none", "phase:none", "probe:none",
    "", "   ", "(", ")", "()", "path:", "path:rpc )", "(path:rpc", "and", "or", "not",
    "path:rpc or",
    "path:rpc and", "or path:rpc", '"', 'path:"rpc', "framwork:torch", "pathh:rpc", "zzz:1",
    "R:4.2",
    "r:>=", "r:>=4.x", "r:~=4", "r:<>4", "r:=4", "r:==4.*", "r:>4.*", "r:>=4,", "r:,>=4",
    "r:>=4,,<5", "💥:1", "💥 zzz:1", "message:💥 r:>=",
    "!", "!!path:rpc", "!=3", "a!b", "((((r:4))))",
    "(" * 51 + "r:4" + ")" * 51,
)  # fmt: skip
PIECES = (
    "path:rpc", "r:4.2", "r:>=4.5", "python:<3.12", "not", "!", "and", "or", "(", ")",
    "status:pass",
    "framework:keras", "numpy:<2", "torch", '"py3"', "bad:key", "r:>=", "transport:none", "id:*9*",
)  # fmt: skip
FRAGMENTS = ("*", "?", "[", "]", "!", "-", "a", "r", "s", "e", "^", "\\", ".", "t", "+", "1")


def by_python(query: str) -> list[bool | str]:
    try:
        covers = compile_query(query, ["numpy"])
    except UsageError as error:
        return [str(error)] * len(CELLS)
    return [covers(cell) for cell in CELLS]


@pytest.fixture
def by_page(load) -> Callable[[list[str]], list[list[bool | str]]]:
    page = load("index.html")

    def asked(queries: list[str]) -> list[list[bool | str]]:
        found: list[list[bool | str]] = page.evaluate(
            """([queries, cells]) => queries.map(
                query => cells.map(cell => harnessQuery(query, cell, ["numpy"])))""",
            [queries, list(CELLS)],
        )
        return found

    return asked


def test_both_answer_alike(by_page):
    differ = {
        query: (mine, its)
        for query, its in zip(QUERIES, by_page(list(QUERIES)), strict=True)
        if (mine := by_python(query)) != its
    }
    assert differ == {}


def test_both_answer_alike_whatever_is_put_together(by_page):
    chance = random.Random(11)
    queries = [" ".join(chance.choices(PIECES, k=chance.randint(1, 7))) for _ in range(800)]
    queries += [
        f"{key}:{''.join(chance.choices(FRAGMENTS, k=chance.randint(1, 6)))}"
        for key in ("path", "message", "id", "status")
        for _ in range(150)
    ]
    differ = {
        query: (mine, its)
        for query, its in zip(queries, by_page(queries), strict=True)
        if (mine := by_python(query)) != its
    }
    assert differ == {}
