"""Commands and other processes: what a shell, a socket, a file of JSON or of pickle does."""

from __future__ import annotations

from dataclasses import replace

from tests.live.causes.bench import BOOKWORM, Bench, Situation
from tests.live.causes.case import REACHED, Case, by_script, numpy

RSERVE = ("Rserve", "pbdZMQ", "reticulate")
PYTHON = 'python <- Sys.getenv("RETICULATE_PYTHON")\n'


def plain(_bench: Bench) -> Situation:
    return Situation()


def with_rserve(_bench: Bench) -> Situation:
    return Situation(packages=RSERVE, r=BOOKWORM)


def two_of_different_age(bench: Bench) -> Situation:
    new, old = bench.python("3.11"), bench.python("3.7")
    env = {"NEW": str(new.executable), "OLD": str(old.executable)}
    # R's own libraries come first for its children, and one is a libpython 3.11.
    return Situation(env=env, binds=(new.prefix, old.prefix))


def ascii_locale(bench: Bench) -> Situation:
    situation = numpy(bench)
    plain_c = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    return replace(situation, env={**situation.env, **plain_c})


SILENT = """library(reticulate)
socket <- import("socket")
server <- serverSocket(46314)
line <- socket$create_connection(tuple("127.0.0.1", 46314L))
line$send(charToRaw("are you there?"))
"""
PICKLE = """new <- Sys.getenv("NEW")
old <- Sys.getenv("OLD")
write <- "import pickle; pickle.dump([1, 2], open('data.pkl', 'wb'){})"
read <- "import pickle; print(pickle.load(open('data.pkl', 'rb')))"
stopifnot(system2(new, c("-c", shQuote(write))) == 0L)
stopifnot(system2(old, c("-c", shQuote(read))) == 0L)
"""

CASES = (
    Case(
        cause="sys-python-not-on-path",
        made="the command is named nosuchpython",
        make=lambda _bench: Situation(arguments=("--path", "system", "--python", "nosuchpython")),
        remedy="whole-path",
        mend=lambda bench, _situation: replace(
            numpy(bench),
            arguments=("--path", "system", "--python", numpy(bench).env["RETICULATE_PYTHON"]),
        ),
        layer="command",
        quick=True,
    ),
    by_script(
        "sys-python-not-on-path",
        'system("nosuchpython script.py")',
        'system("nosuchpython script.py")\nprint("on we go")\n',
        base=plain,
        remedy="whole-path",
        mended='system("/usr/bin/python3 --version")\nprint("on we go")\n',
    ),
    by_script(
        "sys-quoting",
        "system2() with parentheses that the shell reads",
        PYTHON + 'out <- system2(python, c("-c", "print((1, 2))"))\nstopifnot(out == 0L)\n',
        remedy="shquote",
        mended=PYTHON
        + 'out <- system2(python, c("-c", shQuote("print((1, 2))")))\nstopifnot(out == 0L)\n',
        quick=True,
    ),
    by_script(
        "sys-exit-status-lost",
        "system2(stdout = TRUE) of a program that fails",
        PYTHON + 'out <- system2(python, c("-c", shQuote("import sys; sys.exit(3)")), stdout = '
        'TRUE)\nprint("on we go")\n',
        remedy="check-status",
        mended=PYTHON
        + 'out <- system2(python, c("-c", shQuote("import sys; sys.exit(0)")), stdout = TRUE)\n'
        'status <- attr(out, "status")\n'
        'if (!is.null(status)) stop("ended with status ", status)\n',
        quick=True,
    ),
    by_script(
        "sys-encoding",
        "a letter outside ASCII in the plain locale",
        PYTHON + 'code <- shQuote("print(chr(239))")\n'
        'stopifnot(system2(python, c("-c", code)) == 0L)\n',
        base=ascii_locale,
        remedy="utf8-mode",
    ),
    by_script(
        "sys-pickle-protocol",
        "pickle's fifth protocol, read by Python 3.7",
        PICKLE.format(", 5"),
        base=two_of_different_age,
        remedy="older-protocol",
        mended=PICKLE.format(", 4"),
    ),
    by_script(
        "rpc-peer-refused",
        "a socket to a port at which nothing listens",
        'line <- socketConnection("127.0.0.1", 46311, blocking = TRUE, open = "r+", timeout = 5)\n',
        base=plain,
        remedy="start-it",
        mended="server <- serverSocket(46311)\n"
        'line <- socketConnection("127.0.0.1", 46311, blocking = TRUE, open = "r+", timeout = 5)\n',
        quick=True,
    ),
    by_script(
        "rpc-peer-refused",
        "Python's client of a server that has died",
        "library(reticulate)\nsocket <- import('socket')\nserver <- serverSocket(46312)\n"
        "one <- socket$create_connection(tuple('127.0.0.1', 46312L))\n"
        "close(server)\nother <- socket$create_connection(tuple('127.0.0.1', 46312L))\n",
        remedy="start-it",
        mended="library(reticulate)\nsocket <- import('socket')\nserver <- serverSocket(46312)\n"
        "one <- socket$create_connection(tuple('127.0.0.1', 46312L))\n"
        "other <- socket$create_connection(tuple('127.0.0.1', 46312L))\n",
    ),
    by_script(
        "port-in-use",
        "two servers at one port",
        "library(reticulate)\nserver <- import('socketserver')\n"
        "handler <- server$BaseRequestHandler\n"
        "one <- server$TCPServer(tuple('127.0.0.1', 46313L), handler)\n"
        "other <- server$TCPServer(tuple('127.0.0.1', 46313L), handler)\n",
        remedy="free-port",
        mended="library(reticulate)\nserver <- import('socketserver')\n"
        "handler <- server$BaseRequestHandler\n"
        "one <- server$TCPServer(tuple('127.0.0.1', 46313L), handler)\n"
        "other <- server$TCPServer(tuple('127.0.0.1', 0L), handler)\n",
    ),
    by_script(
        "rpc-peer-silent",
        "a server that takes the call and never answers",
        SILENT + "got <- line$recv(100L)\n",
        remedy="receive-limit",
        mended=SILENT + "line$settimeout(0.5)\n"
        "got <- tryCatch(line$recv(100L), error = function(e) 'no answer in half a second')\n"
        "stopifnot(is.character(got))\n",
    ),
    by_script(
        "rserve-not-on-path",
        "R CMD Rserve of Debian's R",
        'status <- system("R CMD Rserve --no-save")\nstopifnot(status == 0L)\n',
        base=with_rserve,
        remedy="start-from-R",
        mended=REACHED + 'Rserve::Rserve(args = "--no-save")\nline <- reached(6311)\n',
    ),
    by_script(
        "json-precision-lost",
        "jsonlite::toJSON() with its own digits",
        "x <- pi\ntext <- jsonlite::toJSON(x)\nprint(text)\n"
        "stopifnot(identical(jsonlite::fromJSON(text), pi))\n",
        base=plain,
        remedy="digits-na",
        mended="x <- pi\ntext <- jsonlite::toJSON(x, digits = NA)\nprint(text)\n"
        "stopifnot(all.equal(jsonlite::fromJSON(text), pi, tolerance = 1e-14))\n",
    ),
    by_script(
        "json-nan-inf",
        "Python's json writes NaN, and R reads it",
        "library(reticulate)\njson <- import('json')\ntext <- json$dumps(list(1, NaN))\n"
        "jsonlite::fromJSON(text)\n",
        remedy="text-in-python",
        mended="library(reticulate)\njson <- import('json')\ntext <- json$dumps(list(1, NULL))\n"
        "jsonlite::fromJSON(text)\n",
        quick=True,
    ),
    by_script(
        "json-python-repr",
        "print() of a dict, read as JSON",
        PYTHON
        + "text <- system2(python, c('-c', shQuote(\"print({'a': None})\")), stdout = TRUE)\n"
        "jsonlite::fromJSON(text)\n",
        remedy="json-dumps",
        mended=PYTHON + "code <- \"import json; print(json.dumps({'a': None}))\"\n"
        "text <- system2(python, c('-c', shQuote(code)), stdout = TRUE)\n"
        "jsonlite::fromJSON(text)\n",
    ),
)
