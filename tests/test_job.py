import re
import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationToMissingValueError, MissingMandatoryValue

from facerec.errors import ConfigError
from facerec.job.arguments import arguments, literal
from facerec.job.failures import message
from facerec.job.keys import CONFIG_DIR, check_keys
from facerec.job.tree import print_tree


def _composed(job: str, *given: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        return compose(job, arguments(list(given)))


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
    detector = _composed("prepare", "photos=x", "detector=face_alignment", f"detector.weights={path}").detector
    assert detector.weights == path


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
        ("data.root=[a=1, b]", shlex.quote("data.root=['a=1','b']")),
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

    with pytest.raises(
        ConfigError,
        match="backbone: is needed; give one of iresnet100, iresnet18, iresnet34, iresnet50, mobilefacenet, ",
    ):
        check_keys(_composed("train", "backbone=null"), CONFIG_DIR / "train.yaml")


@pytest.mark.parametrize(
    ("argument", "spelling"),
    [
        ("finder=none", "finder is now detector: give detector=none"),
        ("finder.smallest=16", "give detector.smallest=16"),
        ("finder.detector=sfd", "finder.detector is now detector.network: give detector.network=sfd"),
        ("part=val", "give split=val"),
        ("lfw.pairs=[pairs.txt]", "lfw.pairs is now pairs: give pairs=[pairs.txt]"),
        ("lfw.root=LFW", "lfw.root is now pairs_root: give pairs_root=LFW"),
        ("lfw={root: LFW}", "lfw is now pairs: give pairs=[FILE,…] and pairs_root=FOLDER"),
        ("+head.shard=true", "give loss.shard_classes=true"),
        ("ckpt_path=run/checkpoints/last.ckpt", "ckpt_path is now resume: give the folder of the run, resume=RUN"),
        ("trainer=debug", "trainer=debug is now debug=one_batch"),
        ("logger.offline=false", "give logger.wandb.offline=false"),
        ("~logger.project", "give logger.wandb.project"),
    ],
)
def test_old_spellings_are_refused_with_the_new_one(argument: str, spelling: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(spelling)):
        arguments(["backbone=resnet18", argument])


def test_keys_that_begin_like_an_old_one_are_left_alone() -> None:
    assert arguments(["partial=1", "trainer=debugger", "finders=2"]) == [
        "partial=1",
        "trainer=debugger",
        "finders=2",
    ]


def test_a_choice_or_key_that_is_not_there_is_one_line() -> None:
    with pytest.raises(MissingConfigException) as caught:
        _composed("train", "loss=arcfase")
    said = message(caught.value)
    assert said.startswith("loss=arcfase: there is none; give one of adaface, arcface, ")
    assert "_head" not in said
    unplugged = MissingConfigException("", "hydra/launcher/submitit_slurm", [])
    assert message(unplugged).endswith("submitit_slurm is not installed: pip install 'facerec[submitit]'")
    with pytest.raises(MissingConfigException) as caught:
        _composed("train", "callbacks=[default,stopping]")
    assert message(caught.value).startswith("callbacks=stopping: there is none; give one of checkpoint, default, ")
    with pytest.raises(ConfigCompositionException) as composition:
        _composed("train", "data.batch_sise=1")
    assert message(composition.value) == "Could not override 'data.batch_sise'."


def test_callbacks_and_loggers_may_be_several() -> None:
    cfg = _composed("train", "callbacks=[default,early_stopping]", "logger=[wandb,tensorboard]", "~callbacks.last")
    assert [*cfg.callbacks] == ["checkpoint", "learning_rate", "progress", "early_stopping"]
    assert [*cfg.logger] == ["wandb", "tensorboard"]
    assert [*_composed("evaluate", "logger=[csv,wandb]", "logger.wandb.offline=false").logger] == ["wandb"]


def test_debug_goes_with_any_trainer() -> None:
    cfg = _composed("train", "debug=one_batch", "trainer=ddp")
    assert (cfg.trainer.fast_dev_run, cfg.trainer.devices) == (True, "auto")


@pytest.mark.parametrize("folder", ["outputs/a run", "/x,y/z"])
def test_a_run_that_is_resumed_stays_where_it_is(folder: str) -> None:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        cfg = compose("train", arguments([f"resume={folder}"]), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        assert cfg.hydra.run.dir == folder
        cfg.resume, cfg.paths.outputs = None, "there"
        assert cfg.hydra.run.dir.startswith("there/train/")


def test_the_keys_of_paths_decide_where_things_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEREC_CACHE", "/cache")
    assert _composed("train").data.cache_dir == _composed("gallery").cache_dir == "/cache"
    assert _composed("train", "paths.cache=a b").data.cache_dir == "a b"
    assert _composed("enroll", "model=x", "photos=y", "paths.outputs=there").gallery.url == "there/gallery"
    assert _composed("train", "dataset=celeba", "paths.data=/data").dataset.root == "/data/celeba"


def test_the_configuration_is_printed_as_a_tree_by_the_first_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = _composed("enroll", "person=[red]x[/red]", "paths.outputs=there")
    print_tree(cfg)
    said = capsys.readouterr()
    assert said.out == ""
    for line in ("person: '[red]x[/red]'", "threshold: null", "photos: ???", "url: there/gallery", "model: sface"):
        assert line in said.err
    monkeypatch.setenv("LOCAL_RANK", "1")
    print_tree(cfg)
    assert capsys.readouterr().err == ""


def test_a_value_that_is_missing_or_does_not_fit_is_one_line() -> None:
    with pytest.raises(MissingMandatoryValue) as missing:
        _ = _composed("enroll").photos
    assert message(missing.value) == "photos: must be given, as in photos=…"
    with pytest.raises(InterpolationToMissingValueError) as needed:
        _ = OmegaConf.create({"out": "${study}/log", "study": "???"}).out
    assert message(needed.value) == "study: must be given, as in study=…"
    with pytest.raises(InterpolationKeyError) as unknown:
        _ = OmegaConf.create({"out": "${stude}/log"}).out
    assert message(unknown.value) == "out: Interpolation key 'stude' not found"
