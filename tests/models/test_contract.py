import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facerec.backbones import ResNet
from facerec.errors import ModelError
from facerec.models import Embedder, building, contract

PATH = Path("somewhere/model.yaml")
GOOD = building.describe(ResNet(18, embedding_dim=4, stem="imagenet"), origin={"dataset": "orl", "seed": 0})
TEXT = contract.dump(GOOD)
CROP, BACKBONE = GOOD["crop"], GOOD["backbone"]


def refusal(text: str | bytes) -> str:
    """The message `text` is refused with, in one line."""
    with pytest.raises(ModelError) as caught:
        building.build(contract.parse(text.encode() if isinstance(text, str) else text, PATH), PATH)
    assert str(PATH) in str(caught.value)
    return " ".join(str(caught.value).split())


def test_a_dumped_contract_builds_the_backbone_it_describes() -> None:
    parsed = contract.parse(TEXT.encode(), PATH)
    assert parsed == GOOD
    built = building.build(parsed, PATH)
    assert isinstance(built, Embedder)
    assert built.backbone.options == {key: BACKBONE[key] for key in BACKBONE if key != "class"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 4}, "format is 4, this facerec wants 1 to 3"),
        ({"format": True}, "format is True"),
        ({"kind": "classifier"}, "kind is 'classifier'"),
        ({"crop": {**CROP, "size": 96}}, "this facerec wants {'size': 112"),
        ({"crop": None}, "crop is None"),
        ({"embedding_dim": 5}, "embedding_dim is 5, but this backbone gives 4"),
        ({"_target_": "os.system"}, "'_target_' is unknown"),
        ({1: 2}, "1 is unknown"),
        ({"backbone": "ResNet"}, "backbone must hold class and plain options, not 'ResNet'"),
        ({"backbone": {"depth": 18}}, "backbone must hold class and plain options"),
        ({"embedding_dim": "4"}, "embedding_dim must be of type int, not '4'"),
        (
            {"backbone": {**BACKBONE, "class": "os.system"}},
            "backbone.class must be one of IResNet, MobileFaceNet, ResNet, TimmNetwork, TorchvisionNetwork, "
            "not 'os.system'",
        ),
        ({"backbone": {**BACKBONE, "class": ["ResNet"]}}, "backbone must hold class and plain options"),
        ({"backbone": {"class": "ResNet", "depth": 18}}, "backbone.embedding_dim is missing"),
        ({"backbone": {**BACKBONE, "_target_": "os.system"}}, "backbone.'_target_' is unknown"),
        ({"backbone": {**BACKBONE, "depth": 18.0}}, "backbone.depth must be of type int, not 18.0"),
        ({"backbone": {**BACKBONE, "embedding_dim": True}}, "backbone.embedding_dim must be of type int, not True"),
        ({"backbone": {**BACKBONE, "final_fc": 1}}, "backbone.final_fc must be of type bool, not 1"),
        ({"backbone": {**BACKBONE, "depth": 19}}, "backbone.depth must be one of 18, 34, 50, not 19"),
        ({"backbone": {**BACKBONE, "embedding_dim": 10**30}}, "backbone.embedding_dim must be from 1 to 16384"),
    ],
)
def test_what_we_cannot_keep_is_refused_by_key(changes: dict[Any, Any], message: str) -> None:
    assert message in refusal(yaml.safe_dump({**GOOD, **changes}))


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_named(key: str) -> None:
    assert f"{key} is missing" in refusal(yaml.safe_dump({name: GOOD[name] for name in GOOD if name != key}))


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:pathlib.Path.touch [{}]", "!!python/name:os.system", "!Ours {{}}"]
)
def test_tags_are_refused_and_never_obeyed(tmp_path: Path, tag: str) -> None:
    victim = tmp_path / "obeyed"
    text = TEXT.replace("dataset: orl", f"dataset: {tag.format(victim)}")
    assert "not plain YAML" in refusal(text)
    assert not victim.exists()


def test_aliases_that_unfold_to_2_to_the_60_are_refused() -> None:
    bomb = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 61))
    assert "'a0' is unknown" in refusal(bomb + TEXT)
    assert len(refusal(bomb + TEXT.replace("kind: embedder", "kind: *a60"))) < 10_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)
PLACES = [(key,) for key in GOOD if key != "origin"] + [("backbone", key) for key in BACKBONE] + [("crop", "size")]


@given(place=st.sampled_from(PLACES), value=VALUES)
@example(place=("backbone", "final_norm"), value=False)
@settings(deadline=None, max_examples=80)
def test_another_value_is_refused_or_is_another_backbone(place: tuple[str, ...], value: Any) -> None:
    changed = copy.deepcopy(GOOD)
    (changed if len(place) == 1 else changed[place[0]])[place[-1]] = value
    text = yaml.safe_dump(changed)
    if isinstance(value, bool) and place[0] == "backbone" and isinstance(BACKBONE.get(place[-1]), bool):
        assert contract.parse(text.encode(), PATH)["backbone"][place[-1]] is value
    elif changed != GOOD:
        assert place[0] in refusal(text)


@given(start=st.integers(0, len(TEXT)), length=st.integers(0, 40), insert=st.binary(max_size=20))
@example(start=0, length=len(TEXT), insert=b"")
@example(start=0, length=0, insert=b"[" * 20_000)
@example(start=0, length=0, insert=b"2020-13-45: 1\n")
@example(start=0, length=0, insert=b"x: !!int ''\n")
@example(start=0, length=0, insert=b"x: !!bool maybe\n")
@settings(deadline=None, max_examples=100)
def test_a_damaged_file_is_refused_or_still_a_contract(start: int, length: int, insert: bytes) -> None:
    whole = TEXT.encode()
    try:
        parsed = contract.parse(whole[:start] + insert + whole[start + length :], PATH)
    except ModelError:
        return
    # a comment, the origin or a truth value was hit
    assert {**parsed, "origin": {}, "backbone": {}} == {**GOOD, "origin": {}, "backbone": {}}
