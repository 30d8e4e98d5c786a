"""What README and docs tell to type can be typed: commands are composed with their configuration, Python is run."""

import hashlib
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from markdown_it import MarkdownIt
from omegaconf import OmegaConf

import facerec
from facerec.data import orl
from facerec.gallery.__main__ import _ACTIONS
from facerec.gallery.actions import ACTIONS
from facerec.job import CONFIG_DIR, recipes_of
from facerec.job.arguments import arguments
from facerec.job.keys import check_keys, choices
from facerec.web import api, corrections
from tests.gallery.conftest import short_folder
from tests.web import fisherfaces

ROOT = Path(facerec.__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {"extending.md"}  # test_extending.py installs and runs what that page says
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\s*")
PROGRAMS = ("facerec", "make", "python", "pip", "curl", "npm", "apt", "git", "podman", "docker", ".venv/bin/")
MODELS_ACTIONS = {"list", "show", "verify", "get"}
GALLERY_ACTIONS = {*ACTIONS, *_ACTIONS}


class Block(NamedTuple):
    """A block of code: where it stands, and its language, or "" where none is said."""

    place: str
    language: str
    code: str


def blocks() -> Iterator[Block]:
    """All that are not marked as not run."""
    for page in PAGES:
        before = ""
        for token in MarkdownIt().parse(page.read_text()) if page.name not in ELSEWHERE else []:
            if token.type in ("fence", "code_block") and not NOT_RUN.fullmatch(before):
                assert token.map is not None
                yield Block(f"{page.name}:{token.map[0] + 1}", token.info, token.content)
            before = token.content if token.type == "html_block" else ""


def lines(block: Block) -> list[str]:
    """The commands of a block of a shell; of another one none."""
    said = re.sub(r" *\\\n *", " ", block.code).splitlines()
    said = [line.strip() for line in said if line.strip() and not line.strip().startswith("#")]
    told = block.language in ("sh", "bash") or (
        not block.language and any(line.startswith(PROGRAMS) for line in said)
    )
    return said if told else []


def within_text() -> Iterator[tuple[str, str]]:
    """Commands between backquotes, of which the text may tell a part."""
    for page in (page for page in PAGES if page.name not in ELSEWHERE):
        for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text()):
            for child in token.children or []:
                if child.type == "code_inline" and re.match(r"(facerec|python -m facerec\.) ?\w", child.content):
                    assert token.map is not None
                    if not re.search(r"[…|]|JOB|=NAME|=$", child.content):
                        yield f"{page.name}:{token.map[0] + 1}", child.content


def places(told: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each command once, without its comment, with the place where it stands."""
    return {shlex.join(shlex.split(line, comments=True)): place for place, line in told}


COMMANDS = places((block.place, line) for block in blocks() for line in lines(block))
PARTS = places(within_text())


@pytest.fixture(scope="module")
def configuration() -> Iterator[None]:
    GlobalHydra.instance().clear()  # of another test of this process
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        yield


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize(("line", "place"), COMMANDS.items(), ids=COMMANDS)
def test_every_command_is_one(line: str, place: str) -> None:
    words = shlex.split(line)
    program, *given = words[: next((place for place, word in enumerate(words) if word in (">", "|", "&&")), None)]
    match program.removeprefix(".venv-small/bin/").removeprefix(".venv/bin/"):
        case "python" if given[:2] == ["-m", "pytest"]:
            assert all((ROOT / word).exists() for word in given if word.startswith("tests"))
        case "python" if given[0] == "-m":
            check_job(given[1].removeprefix("facerec."), given[2:], whole=True)
        case "python":
            assert (ROOT / given[0]).is_file()
        case "facerec":
            check_job(given[0], given[1:], whole=True)
        case "make":
            check_target(*given)
        case "pip":
            check_installation(given)
        case "curl":
            check_address(given[-1])
        case tool:
            assert program.startswith(".venv/bin/"), f"{place}: mark it, <!-- not run: REASON -->"
            assert re.search(rf"^{tool}==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize("line", PARTS)
def test_what_texts_say_of_commands_is_true(line: str) -> None:
    job, *given = shlex.split(line.replace("python -m facerec.", "facerec "))[1:]
    check_job(job, given, whole=False)


def check_job(job: str, given: list[str], *, whole: bool) -> None:
    """Compose it: every key and choice is there and, of a whole command, nothing that is needed is missing."""
    if job == "keys":
        assert len(given) == 3 or not whole
        return
    if job in ("--help", "--version") or given == ["--help"]:
        return
    flags = {"--multirun", "--help"} & set(given)
    bare = [word.split("|")[0] for word in given if "=" not in word and not word.startswith(("--", "~"))]
    overrides = [word for word in given if "=" in word or word.startswith("~")]
    if bare:
        actions = {"gallery": GALLERY_ACTIONS, "models": MODELS_ACTIONS}[job]
        assert bare[0] in actions
        overrides += [f"{key}={word}" for key, word in zip(("action", "name"), bare, strict=False)]
    overrides = [word.replace("STUDY", "orl") for word in overrides]
    if job == "study":
        overrides = [word.replace("experiment=", "study=") for word in overrides]
    overrides = [single(word) for word in arguments([*overrides, *flags]) if word not in flags]
    for word in [word for word in overrides if word.startswith("hydra/launcher=")]:
        assert word.partition("=")[2] in [*choices("hydra/launcher"), "joblib", "submitit_local", "ray"]
        overrides.remove(word)
    config = compose(job, overrides)
    check_keys(config, CONFIG_DIR / f"{job}.yaml")
    if whole:
        assert "???" not in yaml.safe_dump(OmegaConf.to_container(config))
    if whole and job == "gallery" and config.action in ACTIONS:
        assert [key for key in ACTIONS[config.action][0] if not config[key]] == []
    if job == "study" and whole:  # its recipes, with what is given for the trainings
        assert recipes_of(config.study)
        compose("train", [f"experiment={config.study}/resnet18", *config.train])


def single(word: str) -> str:
    """The first of the values that a sweep goes through."""
    override = OverridesParser.create().parse_override(word)
    if not override.is_sweep_override():
        return word
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"


def check_target(*given: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in given:
        name, is_variable, _ = word.partition("=")
        assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:", makefile, re.MULTILINE), word


def check_installation(given: list[str]) -> None:
    """Files of constraints are there, and so are the extras."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for option, value in pairwise(given):
        assert option not in ("-c", "-r") or (ROOT / value).is_file()
    for wanted in re.findall(r"\[([\w,-]+)\]", " ".join(given)):
        assert set(wanted.split(",")) <= extras.keys()


def check_address(url: str) -> None:
    paths = {getattr(route, "path", "") for route in [*api.router.routes, *corrections.router.routes]}
    assert re.sub(r"^\w+://[\w.:]+", "", url) in paths


PYTHON = [block for block in blocks() if block.language == "python"]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return fisherfaces.make(tmp_path_factory.mktemp("model"))


@pytest.mark.server
@pytest.mark.parametrize("block", PYTHON, ids=[block.place for block in PYTHON])
def test_python_runs(block: Block, contract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small model in place of the one that is named."""
    monkeypatch.chdir(tmp_path)
    [photo] = [file for file in orl().files if file.match("s31/1.pgm")]
    fisherfaces.doubled(photo).save("party.jpg")
    folder, vectors = short_folder(), unit_vectors()
    code = block.code.replace('"MODEL"', f'"{contract}"').replace('"sface"', f'"{contract}"')
    names: dict[str, Any] = {"vectors": vectors, "vector": vectors[0]}
    names["crops"] = np.random.default_rng(0).integers(0, 256, (3, 3, 112, 112), dtype=np.uint8)
    try:
        exec(compile(code.replace('"outputs/gallery"', f'"{folder}/g"'), block.place, "exec"), names)
    finally:
        shutil.rmtree(folder)


def unit_vectors() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Three, the first of which the gallery's page calls 3fa9, as if its crop were at hand."""
    values = np.random.default_rng(0).normal(size=(2**20, fisherfaces.DIM)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    first = next(
        row for row, value in enumerate(values) if hashlib.sha256(value.tobytes()).hexdigest()[:4] == "3fa9"
    )
    return values[[first, first + 1, first + 2]]


DATA = [block for block in blocks() if block.language in ("yaml", "toml")]


@pytest.mark.parametrize("block", DATA, ids=[block.place for block in DATA])
def test_files_of_settings_can_be_read(block: Block) -> None:
    assert (yaml.safe_load if block.language == "yaml" else tomllib.loads)(block.code)


def test_every_block_says_what_it_is() -> None:
    known = {"", "sh", "python", "yaml", "toml", "text"}
    assert {block.language for block in blocks()} <= known
    assert len(COMMANDS) > 80
    assert len(PARTS) > 10
    assert len(PYTHON) >= 4
