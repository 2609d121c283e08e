"""Source trees as the user names them, and what is said where there is none."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MachineFault, UsageError
from harness.provision import trees
from harness.provision.store import FolderStore
from harness.provision.trees import Brought, bring, check, digest_of, unpack

Bring = Callable[[object], Brought]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def brought(store: FolderStore) -> Bring:
    return lambda place: bring(str(place), store=store, notify=lambda _line: None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "R").mkdir(parents=True)
    (folder / "DESCRIPTION").write_text("Package: tiny\n")
    (folder / "R" / "tiny.R").write_text("one <- 1\n")
    return folder


def git(folder: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": os.devnull}
    who |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        ["git", *arguments], cwd=folder, env=who, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


@pytest.fixture
def repository(tree: Path) -> Path:
    """A repository with a tag `old`, and a later commit that changes the code."""
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "one")
    git(tree, "tag", "old")
    (tree / "R" / "tiny.R").write_text("one <- 2\n")
    git(tree, "commit", "--quiet", "--all", "-m", "two")
    return tree


def code(found: Brought) -> str:
    return (found.folder / "R" / "tiny.R").read_text()


def test_a_folder_is_copied_as_it_is_without_what_was_compiled(brought, tree):
    (tree / "tiny.o").write_text("of another R")
    (tree / "__pycache__").mkdir()
    found = brought(tree)
    assert (found.origin, found.commit) == ("folder", None)
    assert sorted(path.name for path in found.folder.iterdir()) == ["DESCRIPTION", "R"]
    (tree / "R" / "tiny.R").write_text("one <- 3\n")
    assert code(found) == "one <- 1\n"
    assert brought(tree).digest != found.digest


def test_results_in_a_tree_are_no_part_of_it(brought, tree):
    """`harness gate --bridge reticulate=. --results out`: they grow while it runs."""
    first = brought(tree)
    for place in (".harness/results/gate", ".harness-itself", "out/head"):
        (tree / place).mkdir(parents=True)
    (tree / ".harness/results/gate/journal.jsonl").write_text("{}")
    (tree / ".harness-itself/x.py").write_text("")
    (tree / "out/head/journal.jsonl").write_text('{"event":"run-started"}\n')
    (tree / "out/head/results.json").write_text("{}")
    assert brought(tree) == first
    (tree / "inst").mkdir()
    (tree / "inst/journal.jsonl").write_text("a file of its own\n")
    assert brought(tree).digest != first.digest


def test_what_does_not_change_has_one_digest_and_one_copy(brought, tree):
    first = brought(tree)
    (tree / "tiny.so").write_text("built meanwhile")
    assert brought(tree) == first


def test_an_archive_with_one_folder_or_with_none(brought, tree, tmp_path):
    for name, top in (("a.tar.gz", "tree-main"), ("b.tgz", ".")):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(tree, top)
    found = [brought(tmp_path / name) for name in ("a.tar.gz", "b.tgz")]
    assert [one.origin for one in found] == ["archive", "archive"]
    assert {one.digest for one in found} == {brought(tree).digest}


def test_a_damaged_archive_is_told(brought, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"a\.tar\.gz cannot be unpacked"):
        brought(tmp_path / "a.tar.gz")


def test_a_folder_under_git_says_its_commit_and_whether_it_was_edited(brought, repository):
    head = git(repository, "rev-parse", "HEAD")
    assert brought(repository).commit == head
    (repository / "R" / "tiny.R").write_text("one <- 3\n")
    found = brought(repository)
    assert found.commit == f"{head}+changes"
    assert code(found) == "one <- 3\n"


@pytest.mark.parametrize("ref", ["old", "main~1", "HEAD^"])
def test_a_local_repository_at_a_reference(brought, repository, ref):
    found = brought(f"{repository}@{ref}")
    assert code(found) == "one <- 1\n"
    assert (found.origin, found.commit) == ("git", git(repository, "rev-parse", "old"))
    assert not (found.folder / ".git").exists()


def test_a_folder_within_a_repository_and_a_bare_one(brought, repository, tmp_path):
    assert sorted(p.name for p in brought(f"{repository / 'R'}@old").folder.iterdir()) == ["tiny.R"]
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")
    assert code(brought(f"{tmp_path / 'bare.git'}@old")) == "one <- 1\n"


def test_a_branch_that_only_the_origin_has(brought, repository, tmp_path):
    """A checkout of CI has one branch or commit by its own name, and no other."""
    git(repository, "branch", "feature/x", "old")
    git(tmp_path, "clone", "--quiet", str(repository), "checkout")
    checkout = tmp_path / "checkout"
    git(checkout, "checkout", "--quiet", "--detach", "old")
    git(checkout, "branch", "--quiet", "-D", "main")
    assert code(brought(f"{checkout}@main")) == "one <- 2\n"
    assert code(brought(f"{checkout}@main~1")) == "one <- 1\n"
    assert code(brought(f"{checkout}@feature/x")) == "one <- 1\n"
    git(checkout, "branch", "main", "old")
    assert code(brought(f"{checkout}@main")) == "one <- 1\n", "its own comes first"
    git(checkout, "checkout", "--quiet", "--orphan", "new")
    git(checkout, "commit", "--quiet", "-m", "three")
    for ref in ("nothing", "HEAD^"):
        with pytest.raises(UsageError) as error:
            brought(f"{checkout}@{ref}")
        assert f"checkout has no '{ref}': " in str(error.value)


def test_an_address_at_a_tag_a_branch_a_whole_commit_and_a_part_of_one(brought, repository):
    old = git(repository, "rev-parse", "old")
    for ref in ("old", old, old[:9]):
        found = brought(f"git+file://{repository}@{ref}")
        assert (code(found), found.commit) == ("one <- 1\n", old)
    assert code(brought(f"git+file://{repository}@main")) == "one <- 2\n"
    assert code(brought(f"git+{repository}")) == "one <- 2\n"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{}@nothing", "has no 'nothing'"),
        ("git+file://{}@nothing", "has no 'nothing': give a branch, a tag or a whole commit"),
        ("{}@--upload-pack=x", "'--upload-pack=x' is no reference of git"),
        ("git+{}@a b", "'a b' is no reference of git"),
    ],
)
def test_a_reference_that_is_none(brought, repository, place, said):
    with pytest.raises(UsageError) as error:
        brought(place.format(repository))
    assert said in str(error.value)


def test_a_folder_without_git_has_no_reference(brought, tree):
    with pytest.raises(UsageError, match="is no git repository, so it has no 'main'"):
        brought(f"{tree}@main")


def test_an_at_sign_of_the_folder_is_no_reference(brought, tree):
    other = tree.rename(tree.parent / "tree@home")
    assert brought(other).origin == "folder"


def test_an_address_out_of_reach_is_told_without_the_password_and_nobody_is_asked(brought):
    with pytest.raises(MachineFault) as error:
        brought("git+http://me:secret@127.0.0.1:9/x@main")
    assert str(error.value).startswith("git cannot reach http://***@127.0.0.1:9/x: ")
    assert "secret" not in str(error.value)


def test_a_machine_without_git(brought, tree, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert brought(tree).commit is None
    with pytest.raises(MachineFault, match=r"no git.*apt-get install git"):
        brought(f"git+{tree}@main")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("https://host/x.git@v1", ("https://host/x.git", "v1")),
        ("https://me@host/x.git", ("https://me@host/x.git", "HEAD")),
        ("ssh://git@host/x@feature/y", ("ssh://git@host/x", "feature/y")),
        ("git@host:x/y@v1", ("git@host:x/y", "v1")),
        ("git@host:x/y", ("git@host:x/y", "HEAD")),
        ("/srv/x@v1", ("/srv/x", "v1")),
    ],
)
def test_an_address_and_its_reference(address, parts):
    assert trees._parted(address) == parts


@given(st.from_regex(r"[a-z0-9][a-z0-9./_-]{0,20}", fullmatch=True))
def test_a_reference_comes_back_from_an_address(ref):
    assert trees._parted(f"https://me:x@host/a/b.git@{ref}") == ("https://me:x@host/a/b.git", ref)


def test_places_are_looked_at_before_anything_is_copied(tree, tmp_path):
    check(str(tree))
    check("git+https://nowhere.example/x@y")
    with pytest.raises(UsageError, match=r"there is no .*nothing: give a folder"):
        check(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="neither a folder nor a tar archive"):
        check(str(tree / "DESCRIPTION"))
    with pytest.raises(UsageError, match="no place is named"):
        check("")


def test_a_digest_is_of_names_contents_modes_and_links(tree):
    seen = {digest_of(tree)}
    (tree / "R" / "tiny.R").chmod(0o755)
    seen.add(digest_of(tree))
    (tree / "R" / "tiny.R").rename(tree / "R" / "other.R")
    seen.add(digest_of(tree))
    (tree / "link").symlink_to("R", target_is_directory=True)
    seen.add(digest_of(tree))
    assert len(seen) == 4


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_an_archive_that_is_not_whole_is_not_unpacked_in_part(
    tmp_path: Path, mode: str, damage: str
) -> None:
    """A download that broke off between two files would be a tree that lacks the later ones."""
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, mode) as made:
        for number in range(9):
            content = random.Random(number).randbytes(5000)
            entry = tarfile.TarInfo(f"p/{number}")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    whole = archive.read_bytes()
    unpack(archive, tmp_path / "whole")
    assert len(list((tmp_path / "whole" / "p").iterdir())) == 9
    for place in range(2000, len(whole), 3001) if damage != "empty" else [0]:
        other = whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        archive.write_bytes(other if damage == "other" else whole[:place])
        with pytest.raises((OSError, tarfile.TarError)) as told:
            unpack(archive, tmp_path / f"{place}")
        assert len(str(told.value).splitlines()) == 1
