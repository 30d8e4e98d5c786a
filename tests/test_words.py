"""One vocabulary, the field's: `docs/glossary.md`. Words of earlier versions must not come back."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = (
    *("facerec", "conf", "docs", "tests", "benchmarks", "experiments", "Makefile"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
)

# old word, as a case-insensitive regular expression of whole words → what it is called now
OLD_WORDS = {
    r"finders?": "detector",
    r"lookers?": "recognition pipeline, inference queue",
    r"doors?": "what it is: authentication, an input, a kind of model",
    r"launched|as_one_run": "relaunch",
    r"(?<!benchmark )peer'?s? (model|embedder|contract|ONNX)|peer\.(yaml|py)|peer_dlib": "external model",
    r"seen,? unseen people|unseen people|seen people": "mated, non-mated probes; closed, open set",
    r"taken? (\w+ )?for somebody|taking a stranger": "false accept, false positive",
    r"accepting pairs": "ROC curve",
    r"probability said|probabilities said": "predicted probability",
    r"faces? (is|are) cut|cut (the |its |out )*(faces?|crops?)|find, cut|crop is cut": "cropped",
    r"part=\w+|parts? of (a|the) data set": "split",
    r"class divisions?|whole classes|shart": "class shards: local, global",
    r"photos any more": "native English",
}
# the same in what is written for readers; in code, a picture may be Pillow's
OLD_WORDS_OF_TEXTS = {r"pictures?": "photo; image of a data set; figure"}
TEXTS = (".md", ".yaml", ".html", ".j2")
# places where a word is meant as everybody means it: (file, text of the line)
LEGITIMATE = {
    ("tests/test_words.py", ""),
    ("tests/distributed/test_processes.py", "shart_classes"),  # a misspelt key, which is refused
    ("facerec/web/templates/macros.html", "person.picture"),  # the API's field
    # old spellings that are refused with the new one
    *(("facerec/job/arguments.py", f'"{key}') for key in ("finder", "part")),
    *(("tests/test_job.py", key) for key in ("finder", "part=val")),
    *((name, '"finder"') for name in ("facerec/prepare.py", "tests/test_prepare.py")),
}
UNSEARCHABLE = {"of", "its", "said", "here", "found", "one"}


@cache
def texts() -> dict[str, str]:
    """Content of every text file of the project, by its path."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *PLACES]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    if not listed:
        pytest.skip("not a git checkout")
    wanted = (".py", ".md", ".yaml", ".html", ".j2", ".js", ".css", ".sql", "Makefile")
    return {name: (ROOT / name).read_text() for name in listed if name.endswith(wanted) and (ROOT / name).is_file()}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for name, text in texts().items():
        if name.startswith("facerec/") and name.endswith(".py"):
            yield name, ast.parse(text)


def legitimate(name: str, line: str) -> bool:
    return any(name == file and text in line for file, text in LEGITIMATE)


@pytest.mark.parametrize("word", [*OLD_WORDS, *OLD_WORDS_OF_TEXTS])
def test_old_words_do_not_come_back(word: str) -> None:
    suffixes = TEXTS if word in OLD_WORDS_OF_TEXTS else ("",)
    pattern = re.compile(rf"(?<![\w-])(?:{word})(?![\w])", re.IGNORECASE)
    hits = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if name.endswith(suffixes) and pattern.search(line) and not legitimate(name, line)
    ]
    hits += [f"{name}: its name" for name in texts() if pattern.search(Path(name).stem.replace("_", " "))]
    assert not hits, f"now called {(OLD_WORDS | OLD_WORDS_OF_TEXTS)[word]}:\n" + "\n".join(hits)


def test_variables_have_names_that_can_be_searched() -> None:
    hits = []
    for name, tree in trees():
        for node in ast.walk(tree):
            bound = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
            bound = node.arg if isinstance(node, ast.arg) else bound
            if bound in UNSEARCHABLE:
                hits.append(f"{name}:{node.lineno}: {bound}")  # type: ignore[attr-defined]
    assert not hits, "name what it is, with a noun:\n" + "\n".join(hits)


def test_no_two_public_classes_share_a_name() -> None:
    places = [
        (node.name, name)
        for name, tree in trees()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    counts = Counter(name for name, _ in places)
    assert not [place for place in places if counts[place[0]] > 1]


def test_files_that_texts_name_are_there() -> None:
    """Paths such as `facerec/….py` and `docs/….md`, from the root; capitals stand for any name."""
    pattern = re.compile(
        r"(?<![\w/.])(?:facerec|docs|tests|benchmarks|experiments)/[a-z_\d/]+\.(?:py|md|j2|yaml)\b"
    )
    hits = [
        f"{name}:{number}: {path}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        for path in pattern.findall(line)
        if not (ROOT / path).exists()
    ]
    assert not hits, "there are no such files:\n" + "\n".join(hits)
