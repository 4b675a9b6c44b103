"""The Function app's deploy folder: small, complete, fit for Flex Consumption without being run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from azure_functions.registry import PACKAGES
from azure_infra.packaging import check, folder, targets
from azure_infra.packaging.check import problems
from azure_infra.packaging.folder import DeployFolder, DeployFolderTooLarge, build, our_modules, requirements_of
from azure_infra.packaging.pruning import keeps
from azure_infra.packaging.targets import CLOUD, LOCAL, SITE_PACKAGES, SIZE_LIMIT_BYTES
from cdk.packaging.distributions import Installed
from cdk.packaging.interpreters import find_python
from infra_tests.azure_infra.azd import kept

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cloud() -> DeployFolder:
    return build(CLOUD, ROOT)


@pytest.fixture(scope="module")
def local() -> DeployFolder:
    return build(LOCAL, ROOT)


@pytest.fixture
def broken(cloud: DeployFolder, tmp_path: Path) -> DeployFolder:
    """A copy of the cloud's folder, for breaking: links, so whatever is changed must be replaced."""
    shutil.copytree(cloud.path, tmp_path / "broken", copy_function=os.link)
    return replace(cloud, path=tmp_path / "broken")


def found(broken: DeployFolder) -> str:
    return "\n".join(problems(broken))


def test_a_folder_stays_within_its_limit(cloud: DeployFolder, local: DeployFolder) -> None:
    for each in (cloud, local):
        assert 0 < each.size_bytes <= SIZE_LIMIT_BYTES
        assert each.size_bytes == sum(path.stat().st_size for path in each.path.rglob("*") if path.is_file())


def test_azd_packs_the_folder_whole(cloud: DeployFolder, local: DeployFolder) -> None:
    """It reads ``.funcignore`` in there, whose names are of this repository's root, and not of what a dependency has."""
    for each in (cloud, local):
        there = {path for path in each.path.rglob("*") if path.is_file()}
        assert there - set(kept(each.path)) == {each.path / ".funcignore"}


def test_the_root_holds_the_app_and_nothing_else(cloud: DeployFolder) -> None:
    assert {path.name for path in cloud.path.iterdir()} - {"__pycache__"} == {
        ".funcignore",
        ".python_packages",
        "azure_functions",
        "function_app.py",
        "host.json",
        "model_artifacts",
        "requirements.txt",
        "response",
        "shared_model",
    }


def test_a_remote_build_would_install_what_the_folder_carries_by_hash(cloud: DeployFolder) -> None:
    text = (cloud.path / "requirements.txt").read_text()
    named = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", text))
    assert named == {each.name: each.version for each in cloud.distributions}
    assert named["ai-edge-litert"].startswith("2.3")
    for entry in re.split(r"(?m)^(?=[a-z])", text)[1:]:
        assert "--hash=sha256:" in entry, entry
        assert not entry.rstrip().endswith("\\")


def test_entries_of_other_versions_and_other_pythons_stay_out() -> None:
    lock = (
        'a==1 ; python_version < "3.12" \\\n    --hash=sha256:aa\n'
        "a==2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
        "b==1 \\\n    --hash=sha256:dd\n"
    )
    assert requirements_of(lock, [Installed("a", "2", (), (), ())]).splitlines()[1:] == [
        "a==2 \\",
        "    --hash=sha256:bb \\",
        "    --hash=sha256:cc",
    ]


def test_nothing_would_fail_on_azure(cloud: DeployFolder) -> None:
    assert problems(cloud) == []


def test_the_sdks_asynchronous_halves_and_all_tests_stay_out(cloud: DeployFolder) -> None:
    parts = [path.relative_to(cloud.path / SITE_PACKAGES) for path in (cloud.path / SITE_PACKAGES).rglob("*") if path.is_file()]
    assert not [path for path in parts if "tests" in path.parts]
    assert {path.parts[:3] for path in parts if "aio" in path.parts} == {("azure", "data", "tables")}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("azure/mgmt/network/_client.py", True),
        ("azure/mgmt/network/aio/_client.py", False),
        ("azure/data/tables/_generated/aio/__init__.py", True),
        ("azure/data/tables/aio/__init__.py", False),
        ("azure/mgmt/authorization/v2022_04_01/models/__init__.py", True),
        ("azure/mgmt/authorization/v2018_07_01_preview/models/__init__.py", False),
        ("azure/mgmt/authorization/models.py", True),
        ("ai_edge_litert/libLiteRtWebGpuAccelerator.so", False),
        ("azure_identity-1.dist-info/licenses/LICENSE", True),
        ("azure_identity-1.dist-info/RECORD", False),
    ],
)
def test_what_stays_out(name: str, kept: bool) -> None:
    assert keeps(Path(name)) is kept


def test_every_module_of_ours_and_what_it_loads_is_compiled(local: DeployFolder) -> None:
    for module in our_modules(local.path):
        source = local.path.joinpath(*module.split("."))
        source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.{sys.implementation.cache_tag}.pyc")), module
    management = local.path / SITE_PACKAGES / "azure" / "mgmt"
    assert not list(management.rglob("*.py"))
    assert (management / "network" / "__init__.pyc").is_file()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what goes into the folder."""
    root = tmp_path_factory.mktemp("checkout")
    for name in (*PACKAGES, "requirements", "cdk/packaging"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("function_app.py", "host.json", ".funcignore"):
        shutil.copyfile(ROOT / name, root / name)
    return root


@pytest.fixture
def no_other_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has no Python of the cloud's version."""
    monkeypatch.setattr(folder, "find_python", lambda version: None)


@pytest.mark.usefixtures("no_other_python")
def test_without_a_python_of_its_version_a_folder_keeps_its_sources(checkout: Path) -> None:
    built = build(CLOUD, checkout)
    assert not built.compiled
    assert not list(built.path.rglob("*.pyc"))
    assert (built.path / SITE_PACKAGES / "azure" / "mgmt" / "network" / "__init__.py").is_file()
    assert built.size_bytes <= SIZE_LIMIT_BYTES
    assert problems(built) == []


@pytest.mark.usefixtures("no_other_python")
def test_a_folder_is_built_again_only_when_something_in_it_changed(checkout: Path) -> None:
    build(CLOUD, checkout)
    assert not build(CLOUD, checkout).fresh
    (checkout / "host.json").write_text('{"version": "2.0"}')
    changed = build(CLOUD, checkout)
    assert changed.fresh
    assert (changed.path / "host.json").read_text() == '{"version": "2.0"}'
    assert not build(CLOUD, checkout).fresh


@pytest.mark.usefixtures("no_other_python")
def test_a_folder_that_grew_too_large_names_its_largest_parts(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "SIZE_LIMIT_BYTES", 50_000_000)
    with pytest.raises(DeployFolderTooLarge, match=r"more than 50: \w+(\.libs)? \d+\.\d MB, "):
        build(CLOUD, checkout)


def test_a_missing_module_is_found(broken: DeployFolder) -> None:
    (broken.path / "shared_model" / "verdicts.py").unlink()
    shutil.rmtree(broken.path / SITE_PACKAGES / "msal")
    said = found(broken)
    assert "imports shared_model.verdicts at once: it is not in the folder" in said
    assert "imports msal" in said


def test_an_import_inside_a_module_that_is_loaded_by_name_is_found(broken: DeployFolder) -> None:
    action = broken.path / "azure_functions" / "actions" / "block_address.py"
    text = action.read_text()
    action.unlink()
    action.write_text(f"{text}\n\ndef later() -> None:\n    import pandas\n")
    assert "imports pandas when a function runs: it is not in the folder" in found(broken)


def test_an_import_that_python_3_13_no_longer_has_is_found(broken: DeployFolder) -> None:
    (broken.path / "response" / "old.py").write_text("import telnetlib\n")
    assert "imports telnetlib at once: it is not in the folder" in found(broken)


@pytest.mark.parametrize("name", ["host.json", "function_app.py"])
def test_a_root_without_what_the_host_needs_is_found(broken: DeployFolder, name: str) -> None:
    (broken.path / name).unlink()
    assert f"{name} is not at the root of the folder" in found(broken)


def test_native_code_for_another_machine_is_found(cloud: DeployFolder) -> None:
    said = found(replace(cloud, target=replace(CLOUD, machine="riscv64")))
    assert "is for x86_64, not for riscv64" in said
    assert "does not fit cloud" in said


def test_symbols_newer_than_the_system_has_are_found(cloud: DeployFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    older = replace(targets.SYSTEM, newest_symbols={**targets.SYSTEM.newest_symbols, "GLIBC": (2, 16)})
    monkeypatch.setattr(check, "SYSTEM", older)
    assert "needs GLIBC_2.17, newer than Debian 12 has" in found(cloud)


def test_another_python_is_found_where_pyenv_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version, status in (("3.99.1", 0), ("3.99.2", 1)):
        program = tmp_path / "versions" / version / "bin" / "python3.99"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_python((3, 99)) == str(tmp_path / "versions" / "3.99.1" / "bin" / "python3.99")
    assert find_python((3, 98)) is None
    ours = find_python(sys.version_info[:2])
    assert ours is not None
    assert subprocess.run([ours, "-I", "-c", "import sys; sys.exit(sys.prefix != sys.base_prefix)"], check=False).returncode == 0
