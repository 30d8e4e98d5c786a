import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from facerec.errors import ConfigError
from facerec.job.arguments import literal
from facerec.job.failures import message
from facerec.job.keys import CONFIG_DIR, check_keys


def _composed(job: str, *arguments: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose(job, [literal(argument) for argument in arguments])


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
@example("José García")
@example("O'Brien")
@example("1.50")
@example("true")
@example("null")
@example("[a, b]")
@example("${oc.env:HOME} \\${x} \\\\")
@example("Ann, Bea\n\"it's\"=\\'")
def test_names_are_read_literally(name: str) -> None:
    overrides = OverridesParser.create().parse_overrides([literal(f"name={name}"), literal(f"+note={name}")])
    cfg = OmegaConf.create({override.key_or_group: override.value() for override in overrides})

    assert (cfg.name, cfg.note) == (name, name)


def test_names_reach_a_job_literally() -> None:
    name = "José O'Brien, \"it's\"=\\' ${oc.env:HOME} \\${x} \\\\\n[a, b]"
    cfg = _composed("gallery", f"name={name}", f"to={name}", f"+note={name}")

    assert (cfg.name, cfg.to, cfg.note) == (name, name, name)


@pytest.mark.parametrize("path", ["al bum [x] (1)*", "O'Brien/a,b.jpg", "C:\\x\\", "123", "a=b", "~/faces"])
def test_paths_reach_a_job_literally(path: str) -> None:
    cfg = _composed("enroll", f"photos={path}", f"gallery.url={path}", "model=x")

    assert (cfg.photos, cfg.gallery.url) == (path, path)


def test_paths_may_be_lists_interpolations_quoted_or_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/faces")
    cfg = _composed(
        "train", "dataset=celeba", "dataset.root=[a,'b c']", "data.cache_dir=${oc.env:PLACE}/x", "init_from=null"
    )

    assert (cfg.dataset.root, cfg.data.cache_dir, cfg.init_from) == (["a", "b c"], "/faces/x", None)
    assert _composed("enroll", 'photos="a b"').photos == "a b"


def test_a_sweep_over_paths_stays_a_sweep() -> None:
    assert literal("photos=a,b", multirun=True) == "photos=a,b"
    assert literal("photos=a,b") == "photos='a,b'"
    assert literal("person=Ann, Bea", multirun=True) == "person='Ann, Bea'"


@pytest.mark.parametrize(
    ("argument", "spelling"),
    [
        ("optimizer.lr=1e-3)", "'optimizer.lr=\"1e-3)\"'"),
        ("backbone.stem=a b(", "'backbone.stem=\"a b(\"'"),
        ("faces of my friends", "KEY=VALUE"),
    ],
)
def test_what_hydra_cannot_read_is_one_line_with_a_spelling_that_it_can(argument: str, spelling: str) -> None:
    with pytest.raises(OverrideParseException) as caught:
        _composed("train", argument)

    said = message(caught.value)
    assert spelling in said
    assert argument in said
    assert "\n" not in said
    assert "http" not in said


def test_a_group_that_is_switched_off_is_none_or_named_with_its_choices() -> None:
    cfg = _composed("train", "logger=null", "callbacks=null")
    check_keys(cfg, CONFIG_DIR / "train.yaml")
    assert cfg.logger is None
    assert cfg.callbacks is None

    with pytest.raises(ConfigError, match="backbone: is needed; give one of resnet18, resnet34, resnet50"):
        check_keys(_composed("train", "backbone=null"), CONFIG_DIR / "train.yaml")
