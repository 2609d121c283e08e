from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.execute import mounts
from harness.execute.mounts import CannotShowError, MountTools, mount_options
from harness.model.cell import Limits
from harness.model.job import Bind, Job


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in ("usr/lib/x86", "usr/local", "etc", "dev", "proc", "tmp", "run", "sys", "work"):
        (folder / name).mkdir(parents=True)
    (folder / "lib").symlink_to("usr/lib")
    (folder / "etc" / "hosts").write_text("")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "inner").mkdir(parents=True)
    return folder


def options(root: Path | None, *binds: Bind, **fields: Any) -> list[str]:
    path = Path("/nonexistent")
    job = Job(
        argv=("x",),
        env={},
        cwd=path,
        root=root,
        binds=binds,
        events=path,
        stdout=path,
        stderr=path,
        limits=Limits(memory_mb=100),
        network=fields.pop("network", False),
    )
    return mount_options(job, home=fields.pop("home", path), **fields)


def follows(words: list[str], *expected: str) -> bool:
    return any(words[at : at + len(expected)] == list(expected) for at in range(len(words)))


def test_root_is_bound_as_a_whole_where_every_mount_point_is_there(root: Path) -> None:
    words = options(root)
    assert words[:3] == ["--ro-bind", str(root), "/"]
    assert follows(words, "--proc", "/proc")
    assert follows(words, "--dev", "/dev")
    assert follows(words, "--size", str(100 * 2**20), "--perms", "1777", "--tmpfs", "/tmp")
    assert words.index("/dev") < words.index("/dev/shm")


def test_old_bubblewrap_gets_no_option_that_it_lacks(root: Path) -> None:
    words = options(root, tools=MountTools(sizes=False, modes=False))
    assert not {"--size", "--perms"} & set(words)


def test_folder_without_its_mount_point_is_rebuilt(root: Path, source: Path) -> None:
    words = options(root, Bind(source, Path("/usr/local/x")))
    assert not follows(words, "--ro-bind", str(root), "/")
    assert follows(words, "--dir", "/usr")
    assert follows(words, "--dir", "/usr/local")
    assert follows(words, "--ro-bind", str(root / "usr/lib"), "/usr/lib")
    assert follows(words, "--symlink", "usr/lib", "/lib")
    assert follows(words, "--ro-bind", str(root / "etc"), "/etc")
    assert follows(words, "--ro-bind", str(source), "/usr/local/x")


def test_links_of_the_root_are_followed(root: Path, source: Path) -> None:
    words = options(root, Bind(source, Path("/lib/x86")))
    assert follows(words, "--ro-bind", str(source), "/usr/lib/x86")


def test_links_in_a_circle_do_not_hang(root: Path, source: Path) -> None:
    (root / "a").symlink_to("/b")
    (root / "b").symlink_to("/a")
    options(root, Bind(source, Path("/a/x")))


def test_link_in_the_place_of_a_mount_point_gives_way(root: Path, source: Path) -> None:
    words = options(root, Bind(source, Path("/lib")))
    assert follows(words, "--ro-bind", str(source), "/lib")
    assert "--symlink" not in words


def test_outer_bind_comes_before_inner(root: Path, source: Path) -> None:
    inner = Bind(source / "inner", Path("/work/inner"), writable=True)
    words = options(root, inner, Bind(source, Path("/work")))
    assert words.index("/work") < words.index("/work/inner")
    assert follows(words, "--bind", str(source / "inner"), "/work/inner")


def test_missing_place_inside_a_read_only_bind(root: Path, source: Path) -> None:
    words = options(root, Bind(source, Path("/work")), Bind(source / "inner", Path("/work/new")))
    assert follows(words, "--dir", "/work")
    assert follows(words, "--ro-bind", str(source / "inner"), "/work/inner")
    assert follows(words, "--ro-bind", str(source / "inner"), "/work/new")


def test_devices(root: Path) -> None:
    words = options(root, devices=[Path("/dev/nvidia0")])
    assert follows(words, "--dev-bind-try", "/dev/nvidia0", "/dev/nvidia0")


def test_name_service_only_with_a_network(root: Path) -> None:
    assert not follows(options(root), "--ro-bind", "/etc/hosts", "/etc/hosts")
    if Path("/etc/hosts").exists():
        assert follows(options(root, network=True), "--ro-bind", "/etc/hosts", "/etc/hosts")


def test_secrets_are_hidden_and_named_ones_shown(tmp_path: Path) -> None:
    home = Path(__file__).parent / "home-of-nobody"
    words = options(None, home=home)
    assert str(home) not in " ".join(words)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known").write_text("")
    (tmp_path / ".netrc").write_text("")
    words = options(None, Bind(tmp_path / ".ssh" / "known"), home=tmp_path)
    ssh = str(tmp_path / ".ssh")
    assert follows(words, "--tmpfs", ssh)
    assert follows(words, "--ro-bind", f"{ssh}/known", f"{ssh}/known", "--remount-ro", ssh)
    assert follows(words, "--ro-bind", "/dev/null", str(tmp_path / ".netrc"))


def test_what_a_secret_s_link_leads_to_is_hidden(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    (away / "ssh").mkdir(parents=True)
    (away / "netrc").write_text("")
    (home / ".ssh").symlink_to(away / "ssh")
    (home / ".netrc").symlink_to("../away/netrc")
    # Above the home: to hide it would hide all that the cell needs.
    (home / ".gnupg").symlink_to("..")
    (home / ".docker").symlink_to("gone")
    (home / ".kube").symlink_to(".kube")
    words = options(None, home=home)
    assert follows(words, "--tmpfs", str(away / "ssh"))
    assert follows(words, "--ro-bind", "/dev/null", str(away / "netrc"))
    assert not {str(tmp_path), str(home), str(home / ".ssh"), str(home / ".docker")} & set(words)


def test_secret_places_are_each_named_once() -> None:
    assert len(set(mounts.SECRET_PLACES)) == len(mounts.SECRET_PLACES)
    assert all(
        not first.startswith(f"{second}/") for first, second in pairwise(mounts.SECRET_PLACES)
    )


def test_bind_of_nothing(root: Path, source: Path) -> None:
    with pytest.raises(CannotShowError, match="none does not exist"):
        options(root, Bind(source / "none"))


@pytest.mark.parametrize("target", ["/", "relative"])
def test_target_that_cannot_be(root: Path, source: Path, target: str) -> None:
    with pytest.raises(CannotShowError, match="give an absolute path"):
        options(root, Bind(source, Path(target)))


def test_target_below_a_file(root: Path, source: Path) -> None:
    with pytest.raises(CannotShowError, match=r"below /etc/hosts, which is no folder"):
        options(root, Bind(source, Path("/etc/hosts/x")))


def test_folder_too_large_to_rebuild(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "_MAX_ENTRIES", 1)
    with pytest.raises(CannotShowError, match="make it there, empty"):
        options(root, Bind(source, Path("/usr/new")))


def test_root_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CannotShowError, match="does not exist"):
        options(tmp_path / "none")
