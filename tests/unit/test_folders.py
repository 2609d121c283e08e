"""What is written or cleared in a folder of results stays in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFault
from harness.folders import refuse_links


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "a").mkdir(parents=True)
    root = tmp_path / "root"
    root.mkdir()
    refuse_links(root, "cells", "cells/a/b")
    (root / "cells").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileFault, match=r"root/cells: is a link, .* remove the link, or name"):
        refuse_links(root, "other", "cells/a/b")


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "gone")
    with pytest.raises(FileFault, match="is a link"):
        refuse_links(tmp_path, "file")


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    refuse_links(tmp_path / "results", "cells", "n" * 5000)
