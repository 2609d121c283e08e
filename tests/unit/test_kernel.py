from __future__ import annotations

from pathlib import Path

import pytest

from harness.kernel import without_namespaces


@pytest.mark.parametrize(
    ("setting", "value", "allows"),
    [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
    ],
)
def test_what_keeps_namespaces_away_is_named_with_what_allows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, allows: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    file = tmp_path.joinpath(*setting.split("."))
    file.parent.mkdir()
    file.write_text(f"{value}\n")
    assert without_namespaces(tmp_path) == (
        f"{setting} is {value}, and `sudo sysctl -w {setting}={allows}` allows them"
    )
    file.write_text(f"{allows}\n")
    assert without_namespaces(tmp_path) == ""


def test_root_is_not_told_what_ordinary_users_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "apparmor_restrict_unprivileged_userns").write_text("1\n")
    assert without_namespaces(tmp_path) == ""


def test_a_kernel_without_such_settings_says_nothing(tmp_path: Path) -> None:
    assert without_namespaces(tmp_path) == ""
