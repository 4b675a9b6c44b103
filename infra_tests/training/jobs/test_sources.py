"""The archive of sources: equal bytes for equal sources, all that training imports, and no data."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from training.jobs.hyperparameters import JobError
from training.jobs.sources import MOST_BYTES, bundle, digest, unpack


def checkout(folder: Path) -> Path:
    for package in ("training", "shared_model"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("")
    (folder / "training" / "build.py").write_text("print('built')\n")
    return folder


def test_equal_sources_are_equal_bytes(tmp_path):
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other")
    (other / "training" / "build.py").touch()
    (other / "training" / "build.py").chmod(0o755)
    assert bundle(one).content == bundle(other).content


def test_another_line_is_another_digest(tmp_path):
    one, other = checkout(tmp_path / "one"), checkout(tmp_path / "other")
    (other / "training" / "build.py").write_text("print('built otherwise')\n")
    assert digest(one) != digest(other)


@pytest.mark.parametrize("name", ["flows.csv", "sample.npz", "capture.log.gz", "rows.parquet", "day.xz", "__pycache__/build.py"])
def test_what_may_be_data_stays_here(tmp_path, name):
    folder = checkout(tmp_path)
    (folder / "training" / name).parent.mkdir(exist_ok=True)
    (folder / "training" / name).write_bytes(b"192.0.2.1")
    assert f"training/{name}" not in bundle(folder).files


def test_a_table_too_large_for_a_source_is_refused(tmp_path):
    folder = checkout(tmp_path)
    (folder / "training" / "rows.json").write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(JobError, match=r"training/rows\.json"):
        bundle(folder)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(JobError, match="shared_model"):
        bundle(tmp_path)


def test_this_checkout_unpacks_to_the_same_sources_and_imports(tmp_path):
    packed = bundle()
    unpack(packed.content, tmp_path)
    assert digest(tmp_path) == packed.digest == digest()
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        assert [(entry.mtime, entry.uid, entry.uname) for entry in archive] == [(0, 0, "")] * len(packed.files)
    found = subprocess.run(
        [sys.executable, "-c", "import training.build, training.jobs.entry; print(training.build.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == str(tmp_path / "training" / "build.py")
