"""Commands of remedies in the words of what they are for: the path, and the package index."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Final

from harness.causes.model import Fact

_DISTRIBUTIONS: Final = {
    "absl": "absl-py",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "PyMuPDF",
    "jwt": "PyJWT",
    "keras_cv": "keras-cv",
    "keras_hub": "keras-hub",
    "keras_nlp": "keras-nlp",
    "keras_tuner": "keras-tuner",
    "mpl_toolkits": "matplotlib",
    "openssl": "pyOpenSSL",
    "pil": "pillow",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_hub": "tensorflow-hub",
    "tf_keras": "tf-keras",
    "umap": "umap-learn",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
}
"""What is installed for what is imported, where the names differ by more than a case."""

_PY_INSTALL: Final = re.compile(
    r"reticulate::py_install\((?P<packages>(?:c\([^()]*\)|\"[^\"]*\"))(?P<rest>[^()]*)\)"
)
_QUOTED: Final = re.compile(r"\"([^\"]*)\"")
_OPTIONS: Final = re.compile(r"pip_options = \"([^\"]*)\"")
_RECORDED: Final = {
    "ENV": ".venv",
    "PYTHON": "/path/to/python",
    "R_LIBRARY": "/path/to/R/library",
    "CELL": "/path/to/folder",
}
"""What stands in a command for the short names that folders have in a record."""
_SHORT_NAME: Final = re.compile(rf"(?<![\w$./{{}}-])({'|'.join(_RECORDED)})(?=/)")
_SETENV: Final = re.compile(r"Sys\.setenv\((?P<name>\w+) = \"(?P<value>[^\"]*)\"\)")


def distribution_of(module: str) -> str:
    """Return what is to be installed for a module that is imported: ``cv2``: opencv-python."""
    return _DISTRIBUTIONS.get(module.partition(".")[0].lower(), module)


def with_places(command: str) -> str:
    """Return a command with words that a reader can put a place for.

    A record calls the cell's environment ``ENV``, wherever it lay; no machine has such a folder.
    """
    return _SHORT_NAME.sub(lambda found: _RECORDED[found[1]], command)


def for_path(command: str, facts: Mapping[str, Fact]) -> str | None:
    """Return a remedy's command as the integration path needs it.

    reticulate's own functions act on the Python that reticulate takes, which another path does
    not start: what they install is installed with pip there, and of others there is no command
    (``None``).  Where the path is not known, reticulate is what most people have.
    """
    if facts.get("path", "reticulate") == "reticulate" or "reticulate::" not in command:
        return command
    python = shlex.quote(str(facts.get("python.executable") or facts.get("python.requested")
                             or "python"))  # fmt: skip

    def with_pip(found: re.Match[str]) -> str:
        options = _OPTIONS.search(found["rest"])
        words = [f" {options[1]}"] if options else []
        words += [f' "{package}"' for package in _QUOTED.findall(found["packages"])]
        return f"{python} -m pip install" + "".join(words)

    changed = _PY_INSTALL.sub(with_pip, command)
    if "reticulate::" in changed:
        return None
    return _SETENV.sub(r"export \g<name>=\g<value>", changed)
