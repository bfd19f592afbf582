"""pyproject.toml is the one place of dependencies; environment.yml and constraints.txt follow it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
DECLARED = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *(d for extra in PROJECT["optional-dependencies"].values() for d in extra))
]
PYTHONS = ["3.11.9", "3.12.9", "3.13.9"]


def environment_for(python: str) -> dict[str, str]:
    return {
        "python_version": python.rsplit(".", 1)[0],
        "python_full_version": python,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def test_conda_installs_the_same_extras_through_pip():
    conda = [entry for entry in ENVIRONMENT["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict)]
    python = next(entry.removeprefix("python") for entry in conda if entry.startswith("python"))
    assert SpecifierSet(python) == SpecifierSet(PROJECT["requires-python"])
    assert set(conda) == {f"python{python}", "pip"}, "anything else belongs into pyproject.toml"
    assert "--constraint constraints.txt" in pip
    (editable,) = [line for line in pip if line.startswith("--editable")]
    extras = set(re.fullmatch(r"--editable \.\[(.*)\]", editable)[1].split(","))
    # `fid` is asked for by itself: torch-fidelity installs a package called `tests`, which hides ours
    assert extras == set(PROJECT["optional-dependencies"]) - {"fid"}
    assert len(pip) == 2


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_is_pinned_once_within_its_range(python):
    environment = environment_for(python)
    for requirement in DECLARED:
        pins = [
            pin
            for pin in PINS
            if pin.name.lower().replace("_", "-") == requirement.name.lower().replace("_", "-")
            and (pin.marker is None or pin.marker.evaluate(environment))
        ]
        assert len(pins) == 1, f"{requirement.name} on Python {python}: {[str(pin) for pin in pins]}"
        (version,) = [spec.version for spec in pins[0].specifier]
        assert requirement.specifier.contains(version), f"{requirement} is pinned at {version}"


def test_supported_pythons_are_those_named_everywhere():
    supported = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(8, 20) if f"3.{minor}.0" in supported] == [11, 12, 13]


def test_constraints_hold_versions_and_no_address():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--" not in text
    assert all(str(spec).startswith("==") for pin in PINS for spec in pin.specifier)
