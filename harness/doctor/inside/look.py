"""Print, as JSON, what an interpreter is and which packages it would take from where.

Runs on Python 2.7 and on 3.5 to 3.14 with the standard library alone, in a child of its own.
"""

from __future__ import print_function

import json
import os
import re
import sys

NAMES = [
    "numpy",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "torch",
    "jax",
    "jaxlib",
    "pandas",
    "scipy",
    "protobuf",
    "ml-dtypes",
    "h5py",
    "pillow",
    "pydot",
    "typing-extensions",
    "pip",
    "setuptools",
    "rpy2",
    "cffi",
    "pyserve",
    "pyRserve",
    "pyzmq",
]


def normal(name):
    return name.lower().replace("_", "-").replace(".", "-")


def distributions(folder):
    """Yield name and version of each package whose metadata lie in a folder."""
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.endswith((".dist-info", ".egg-info")):
            parts = entry.rsplit(".", 1)[0].split("-")
            if len(parts) > 1:
                yield normal(parts[0]), parts[1]


def packages(user_site):
    """Return versions by name, those that are there twice in a folder, and the user's own."""
    versions, twice, users = {}, [], []
    for folder in sys.path:
        mine = {}
        for name, version in distributions(folder):
            if name in mine and mine[name] != version:
                twice.append(name)
            mine[name] = version
        for name, version in mine.items():
            if name not in versions:
                versions[name] = version
                if folder == user_site:
                    users.append(name)
    return versions, twice, users


def foreign(folders):
    """Return packages of PYTHONPATH that are another Python's, or hide one of this Python.

    What is put there for this very Python, and only adds to it, is no fault.
    """
    found = []
    own = {name for path in sys.path if path not in folders for name in modules_in(path)}
    for folder in folders:
        named = re.search(r"python(\d\.\d+)", folder)
        of_another = named is not None and named.group(1) != "%d.%d" % sys.version_info[:2]
        for name in modules_in(folder):
            if name not in found and (of_another or name in own):
                found.append(name)
    return found


def modules_in(folder):
    """Return the modules in a folder, installed or not: a source tree has no metadata."""
    try:
        entries = sorted(os.listdir(folder or "."))
    except OSError:
        return []
    names = [entry[:-3] if entry.endswith(".py") else entry for entry in entries]
    return [normal(name) for name in names if re.match(r"[A-Za-z]\w*$", name)]


def can_import(name):
    try:
        __import__(name)
    except Exception:
        return False
    return True


STDLIB = (
    "random types json io os re socket string time token code queue copy email enum inspect "
    "logging math operator signal statistics struct subprocess threading typing uuid"
)
"""Those that a file of a user's is named for most: Python tells all of them since 3.10."""


def shadows():
    """Return files of the working folder that hide a module of the standard library."""
    names = set(getattr(sys, "stdlib_module_names", STDLIB.split()))
    names.update(("numpy", "torch", "tensorflow", "keras", "jax", "pandas"))
    found = []
    for entry in sorted(os.listdir(os.getcwd())):
        stem = entry[:-3] if entry.endswith(".py") else entry
        package = os.path.isfile(os.path.join(entry, "__init__.py"))
        if stem in names and (entry.endswith(".py") or package):
            found.append(stem)
    return found


def look():
    import platform
    import sysconfig

    get = sysconfig.get_config_var
    try:
        import site

        user_site = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    except Exception:
        user_site = None
    variable = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    versions, twice, users = packages(user_site)
    library = None
    for folder in (get("LIBDIR"), get("LIBPL"), os.path.join(sys.prefix, "lib")):
        for name in (get("INSTSONAME"), get("LDLIBRARY")):
            path = os.path.join(folder, name) if folder and name else ""
            if library is None and ".so" in path and os.path.exists(path):
                library = path
    marker = os.path.join(sysconfig.get_paths()["stdlib"], "EXTERNALLY-MANAGED")
    return {
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "path": sys.path,
        "shared": bool(get("Py_ENABLE_SHARED")),
        "libpython": library,
        "soname": get("INSTSONAME"),
        "free_threaded": bool(get("Py_GIL_DISABLED")),
        "debug": bool(get("Py_DEBUG")),
        "has_pip": "pip" in versions,
        "has_venv": can_import("ensurepip") and can_import("venv"),
        "has_ssl": can_import("ssl"),
        "externally_managed": os.path.exists(marker),
        "encoding": str(getattr(sys.stdout, "encoding", None)).lower(),
        "machine": platform.machine(),
        "libc": platform.libc_ver()[1],
        "packages": {name: versions[name] for name in versions if name in NAMES},
        "twice": twice,
        "user_site": users,
        "pythonpath": foreign(variable),
        "shadows": shadows(),
    }


if __name__ == "__main__":
    # The folder of this file comes first on sys.path: it is none of the user's.
    sys.path[0] = ""
    TEXT = json.dumps(look())
    print("\n@harness@" + TEXT)
