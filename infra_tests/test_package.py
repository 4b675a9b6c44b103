"""Function folders: small, reproducible, complete on this machine, and fit for Lambda without being run there."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cdk.packaging import bytecode, installer, static_check
from cdk.packaging.assembly import FolderTooLarge, FunctionFolder, build
from cdk.packaging.distributions import DistributionMissing, Installed, closure
from cdk.packaging.elf import NotElf, is_elf, read_shared_object, without_sections
from cdk.packaging.fitness import wheel_problems
from cdk.packaging.imports import closure as import_closure
from cdk.packaging.imports import imports
from cdk.packaging.pruning import keeper, used_services
from cdk.packaging.targets import CLOUD, LOCAL
from lambdas.registry import FUNCTIONS, PAGE, FunctionSpec

ROOT = Path(__file__).parents[1]
SPECS = {spec.name: spec for spec in (*FUNCTIONS, PAGE)}
each_function = pytest.mark.parametrize("name", SPECS)


@pytest.fixture(scope="module")
def cloud() -> dict[str, FunctionFolder]:
    return {folder.function: folder for folder in build((*FUNCTIONS, PAGE), CLOUD, ROOT)}


@pytest.fixture(scope="module")
def local() -> dict[str, FunctionFolder]:
    return {folder.function: folder for folder in build((*FUNCTIONS, PAGE), LOCAL, ROOT)}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what goes into a package."""
    for name in ("lambdas", "shared_model", "response", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "build").mkdir()
    return tmp_path


def fingerprint(folder: Path) -> str:
    """Hash of names, bytes, times and modes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        digest.update(f"{path.relative_to(folder)} {status.st_mtime_ns} {status.st_mode}".encode() + path.read_bytes())
    return digest.hexdigest()


@each_function
def test_a_folder_stays_within_its_limit(cloud: dict[str, FunctionFolder], local: dict[str, FunctionFolder], name: str) -> None:
    for folder, target in ((cloud[name], CLOUD), (local[name], LOCAL)):
        assert 0 < folder.size_bytes <= target.size_limit_bytes
        assert folder.size_bytes == sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())


@each_function
def test_nothing_is_compiled_at_the_start(local: dict[str, FunctionFolder], name: str) -> None:
    """Every module of the folder that the start loads has its bytecode beside it, and the interpreter takes it."""
    program = (
        "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [sys.argv[1]]\n"
        "import importlib; importlib.import_module(sys.argv[2]); import boto3\n"
        "[boto3.client(s, region_name='us-east-1') for s in sys.argv[3].split(',') if s]\n"
        "import os; files = [m.__spec__ for m in sys.modules.values() if getattr(m, '__spec__', None)]\n"
        "here = [s for s in files if (s.origin or '').startswith(sys.argv[1]) and s.origin.endswith('.py')]\n"
        "print(len(here)); [print(s.name) for s in here if not os.path.exists(s.cached)]"
    )
    services = ",".join(sorted(used_services(ROOT, f"lambdas.{name}")))
    command = [sys.executable, "-I", "-S", "-B", "-c", program, str(local[name].path), f"lambdas.{name}", services]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=True)
    count, *compiled_then = done.stdout.split()
    assert int(count) > 200
    assert compiled_then == []


def test_bytecode_for_lambda_is_made_where_no_python_of_its_version_is(tmp_path: Path) -> None:
    """Node's Python writes what the machine's own would: the same code for the same source, but for where its columns end."""
    command = bytecode.in_node(CLOUD, ROOT / "node_modules" / "pyodide")
    if command is None:
        pytest.skip("node_modules has no Pyodide: make setup")
    source = tmp_path / "module.py"
    source.write_text("def double(value):\n    return 2 * value\n")
    bytecode.compile_files({source: "/var/task/module.py"}, command)
    (compiled,) = tmp_path.glob("__pycache__/module.cpython-312.pyc")
    data = compiled.read_bytes()
    assert data[:4] == b"\xcb\r\r\n", "the number of 3.12"
    assert int.from_bytes(data[4:8], "little") == 1, "by hash, and the hash is not asked"
    assert b"/var/task/module.py" in data
    source.write_text("def broken(:\n")
    with pytest.raises(bytecode.CompilationFailed, match="broken"):
        bytecode.compile_files({source: "/var/task/module.py"}, command)


def test_a_list_of_files_longer_than_a_pipe_holds_is_compiled_in_node(tmp_path: Path) -> None:
    command = bytecode.in_node(CLOUD, ROOT / "node_modules" / "pyodide")
    if command is None:
        pytest.skip("node_modules has no Pyodide: make setup")
    sources = {tmp_path / f"module_{number}.py": f"/var/task/{'long/' * 50}module_{number}.py" for number in range(500)}
    for source in sources:
        source.write_text("")
    assert sum(len(f"{path}{name}") for path, name in sources.items()) > 2 * 65_536
    bytecode.compile_files(sources, command)
    assert len([*tmp_path.glob("__pycache__/*.pyc")]) == len(sources)


def test_a_pyodide_of_another_python_compiles_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "pyodide-lock.json"
    lock.write_text('{"info": {"python": "3.13.2"}}')
    assert bytecode.in_node(CLOUD, tmp_path) is None
    lock.write_text('{"info": {"python": "3.12.7"}}')
    assert bytecode.in_node(CLOUD, tmp_path) is not None
    assert bytecode.in_node(CLOUD, tmp_path / "absent") is None


def test_no_file_of_a_folder_is_one_that_a_running_process_may_have_mapped(
    local: dict[str, FunctionFolder], tmp_path: Path
) -> None:
    """The native code in folders is rewritten: in a file that environments share, that would end their processes."""
    for number in (1, 2):  # the second finds everything in the installer's cache
        installer.install(ROOT / "requirements" / "functions.lock", LOCAL, tmp_path / str(number))
    for path in (tmp_path / "2").rglob("*.so*"):
        assert path.stat().st_nlink == 1, path
    importlib.import_module("numpy")
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    inodes = {(Path(name).stat().st_dev, Path(name).stat().st_ino) for name in mapped if Path(name).exists()}
    for folder in local.values():
        for path in folder.path.rglob("*.so*"):
            assert (path.stat().st_dev, path.stat().st_ino) not in inodes, path


@each_function
def test_nothing_would_fail_on_lambda(cloud: dict[str, FunctionFolder], name: str) -> None:
    assert static_check.problems(cloud[name], SPECS[name], CLOUD) == []


@each_function
def test_a_folder_runs_with_nothing_else_on_the_path(local: dict[str, FunctionFolder], name: str) -> None:
    program = (
        "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p] + [sys.argv[1]]\n"
        "import importlib; module = importlib.import_module(sys.argv[2]); assert callable(module.handler)\n"
        "import boto3; [boto3.client(s, region_name='us-east-1') for s in sys.argv[3].split(',') if s]"
    )
    services = ",".join(sorted(used_services(ROOT, f"lambdas.{name}")))
    command = [sys.executable, "-I", "-S", "-B", "-c", program, str(local[name].path), f"lambdas.{name}", services]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 0, done.stderr


@each_function
def test_a_folder_carries_neither_tests_nor_other_services(cloud: dict[str, FunctionFolder], name: str) -> None:
    paths = [path.relative_to(cloud[name].path) for path in cloud[name].path.rglob("*")]
    assert not [path for path in paths if "tests" in path.parts]
    carried = {path.parts[2] for path in paths if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3}
    assert carried == used_services(ROOT, f"lambdas.{name}")


def test_a_folder_is_the_same_wherever_it_is_built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checkout"
    shutil.copytree(checkout, elsewhere)
    (here,) = build([SPECS["respond"]], CLOUD, checkout)
    (there,) = build([SPECS["respond"]], CLOUD, elsewhere)
    assert here.path != there.path
    assert fingerprint(here.path) == fingerprint(there.path)


def test_a_folder_is_built_again_only_when_something_in_it_changed(checkout: Path) -> None:
    def fresh() -> bool:
        (folder,) = build([SPECS["respond"]], CLOUD, checkout)
        return folder.fresh

    assert [fresh(), fresh()] == [True, False]
    (checkout / "response" / "journal.py").write_text("STEPS = ()\n")
    assert [fresh(), fresh()] == [True, False]
    assert (checkout / "build/cloud/respond/response/journal.py").read_text() == "STEPS = ()\n"


def test_a_folder_that_grew_too_large_names_its_largest_parts(checkout: Path) -> None:
    (checkout / "response" / "weights.bin").write_bytes(b"\0" * CLOUD.size_limit_bytes)
    with pytest.raises(FolderTooLarge, match=r"more than 60: response 60\.\d MB, \w+ \d"):
        list(build([SPECS["respond"]], CLOUD, checkout))


@pytest.fixture
def broken(cloud: dict[str, FunctionFolder], tmp_path: Path) -> FunctionFolder:
    """A copy of a good folder, for breaking."""
    shutil.copytree(cloud["triage_findings"].path, tmp_path / "broken")
    return replace(cloud["triage_findings"], path=tmp_path / "broken")


def found(folder: FunctionFolder) -> str:
    return "\n".join(static_check.problems(folder, SPECS["triage_findings"], CLOUD))


def test_a_missing_module_is_found(broken: FunctionFolder) -> None:
    (broken.path / "shared_model" / "verdicts.py").unlink()
    shutil.rmtree(broken.path / "urllib3")
    assert "imports shared_model.verdicts at once: it is not in the folder" in found(broken)
    assert "imports urllib3" in found(broken)


def test_a_module_that_is_imported_late_is_found_too(broken: FunctionFolder) -> None:
    handler = broken.path / "lambdas" / "triage_findings.py"
    handler.write_text(handler.read_text() + "\n\ndef later() -> None:\n    import pandas\n")
    assert "imports pandas when a function runs: it is not in the folder" in found(broken)


def test_use_of_a_part_of_numpy_that_is_left_out_is_found(broken: FunctionFolder) -> None:
    handler = broken.path / "lambdas" / "triage_findings.py"
    handler.write_text(handler.read_text() + "\n\nimport numpy as np\nNOISE = np.random.default_rng()\n")
    assert "uses numpy.random, which is left out" in found(broken)


def test_a_missing_handler_is_found(broken: FunctionFolder) -> None:
    (broken.path / "lambdas" / "triage_findings.py").unlink()
    assert "lambdas.triage_findings, which Lambda calls, is not in the folder" in found(broken)


def test_a_missing_library_is_found(broken: FunctionFolder) -> None:
    for library in (broken.path / "numpy.libs").glob("*openblas*"):
        library.unlink()
    assert "openblas" in found(broken)
    assert "neither in the folder nor on the system" in found(broken)


def test_native_code_for_another_machine_is_found(cloud: dict[str, FunctionFolder]) -> None:
    other = replace(CLOUD, machine="riscv64")
    said = "\n".join(static_check.problems(cloud["triage_findings"], SPECS["triage_findings"], other))
    assert "is for aarch64, not for riscv64" in said
    assert "does not fit cloud" in said


def test_symbols_newer_than_the_system_has_are_found(cloud: dict[str, FunctionFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(static_check.NEWEST_SYMBOLS, "GLIBC", (2, 16))
    said = "\n".join(static_check.problems(cloud["triage_findings"], SPECS["triage_findings"], CLOUD))
    assert "needs GLIBC_2.17, newer than Amazon Linux 2023 has" in said


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("py2-none-any", False),
        ("cp312-cp312-manylinux_2_28_aarch64", True),
        ("cp311-cp311-manylinux_2_28_aarch64", False),
        ("cp39-abi3-manylinux2014_aarch64", True),
        ("cp313-abi3-manylinux2014_aarch64", False),
        ("cp312-cp312-manylinux_2_28_x86_64", False),
        ("cp312-cp312-musllinux_1_2_aarch64", False),
        ("nonsense", False),
    ],
)
def test_wheel_tags(tag: str, fits: bool) -> None:
    assert (not list(wheel_problems([Installed("name", "1", (), (), (tag,))], CLOUD))) is fits


def test_the_closure_of_requirements_follows_what_each_needs() -> None:
    installed = {
        name: Installed(name, "1", (), needs, ()) for name, needs in {"a": ("b",), "b": ("a", "c"), "c": (), "d": ()}.items()
    }
    assert [distribution.name for distribution in closure(["A"], installed)] == ["a", "b", "c"]


def test_a_requirement_that_the_lock_does_not_name_is_said_with_who_needs_it() -> None:
    with pytest.raises(DistributionMissing, match=r"a needs missing: add it to requirements/functions\.in"):
        closure(["a"], {"a": Installed("a", "1", (), ("missing",), ())})


def test_imports_are_told_apart(tmp_path: Path) -> None:
    source = """
from __future__ import annotations
from typing import TYPE_CHECKING
import at_once
from . import sibling
if TYPE_CHECKING:
    import only_types
try:
    import maybe
except ImportError:
    maybe = None
def f():
    from late import thing
type Alias[T] = list[T]
def generic[T: tuple[int, ...]](x: T) -> T: ...
class Generic[T]:
    import inside
"""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "sibling.py").write_text("import deep\n")
    (tmp_path / "package" / "__init__.py").write_text(source)
    seen = {found.module: (found.lazy, found.optional) for found in imports(tmp_path / "package" / "__init__.py", "package")}
    assert {name: seen[name] for name in ("at_once", "package.sibling", "maybe", "late", "inside")} == {
        "at_once": (False, False),
        "package.sibling": (False, False),
        "maybe": (False, True),
        "late": (True, False),
        "inside": (False, False),
    }
    assert "only_types" not in seen
    wanted = {missing.wanted.module for missing in import_closure(tmp_path, "package").unresolved}
    assert wanted == {"at_once", "maybe", "late", "inside", "deep"}


def test_what_stays_out_of_a_folder() -> None:
    keeps = keeper(frozenset({"sqs"}))
    kept = [
        "numpy/__init__.py",
        "botocore/data/sqs/2012-11-05/service-2.json.gz",
        "botocore/data/endpoints.json",
        "x-1.dist-info/METADATA",
    ]
    dropped = [
        "numpy/_core/tests/test_api.py",
        "numpy/random/mtrand.so",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "a/b.pyi",
    ]
    assert [path for path in kept if not keeps(Path(path))] == []
    assert [path for path in [*dropped, "x-1.dist-info/RECORD", "bin/tqdm"] if keeps(Path(path))] == []


def test_an_elf_file_without_sections_asks_for_the_same(tmp_path: Path) -> None:
    python = Path(sys.executable).resolve()
    slim = tmp_path / "slim"
    slim.write_bytes(without_sections(python))
    assert is_elf(slim)
    assert read_shared_object(slim) == read_shared_object(python)
    assert read_shared_object(slim).machine == LOCAL.machine
    assert slim.stat().st_size <= python.stat().st_size


def test_what_is_no_elf_file_is_said(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("#!/bin/sh\n" * 20)
    assert not is_elf(text)
    with pytest.raises(NotElf, match="no 64-bit little-endian ELF file"):
        read_shared_object(text)


def test_the_installer_uses_the_index_that_pip_is_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example.com/simple")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    assert installer._index_settings()["UV_DEFAULT_INDEX"] == "https://packages.example.com/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://other.example.com/simple")
    assert "UV_DEFAULT_INDEX" not in installer._index_settings()


def test_a_file_that_differs_from_its_hash_is_not_installed(tmp_path: Path) -> None:
    lock = tmp_path / "wrong.lock"
    lock.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(installer.InstallFailed, match=r"(?i)hash"):
        installer.install(lock, LOCAL, tmp_path / "folder")


def test_a_function_reads_what_its_registry_entry_names(cloud: dict[str, FunctionFolder]) -> None:
    spec: FunctionSpec = SPECS["respond"]
    top = {path.name for path in cloud["respond"].path.iterdir() if not path.name.endswith(".dist-info")}
    assert set(spec.packages) <= top
    assert not {"numpy", "ai_edge_litert", "model_artifacts", "cdk", "infra_tests"} & top
