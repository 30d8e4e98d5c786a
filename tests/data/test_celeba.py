from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facerec.crops.crop_file import crop_file
from facerec.data import FaceImages, celeba
from facerec.errors import DataError

MakeCeleba = Callable[..., Path]


def _identities(images: FaceImages, split: str) -> set[str]:
    return set(images.identities[images.rows(split)].tolist())


def test_official_partitions_are_kept(make_celeba: MakeCeleba) -> None:
    root = make_celeba(partition_of=lambda identity: {18: 1, 19: 1, 17: 2, 16: 2}.get(identity, 0))
    images = celeba(str(root), seen_share=0.25)
    assert _identities(images, "train") == _identities(images, "seen") == {str(n) for n in range(10, 16)}
    assert _identities(images, "val") == {"18", "19"}
    assert _identities(images, "test") == {"16", "17"}
    assert len(images.rows("seen")) == 6
    assert images.num_classes == 6


def test_training_identities_with_few_images_leave_and_nothing_else_changes(make_celeba: MakeCeleba) -> None:
    root = make_celeba(images_of={identity: 1 + identity % 4 for identity in range(10, 30)})
    every = celeba(str(root), val_share=0.3, seen_share=0.25, exclude=[11])
    some = celeba(str(root), val_share=0.3, seen_share=0.25, exclude=[11], min_images=3)
    trained = {name for name in _identities(every, "train") if int(name) % 4 >= 2}
    assert _identities(some, "train") == trained < _identities(every, "train")
    assert any(int(name) % 4 < 2 for name in _identities(some, "test"))

    def rows(images: FaceImages) -> list[tuple[object, ...]]:
        assert images.landmarks is not None
        table = zip(images.files, images.identities, images.splits, images.landmarks.tolist(), strict=True)
        return [(*row, str(points)) for *row, points in table if row[2] in ("val", "test") or row[1] in trained]

    assert rows(some) == rows(every)
    assert len(some.files) == len(rows(some))
    with pytest.raises(DataError, match=r"dataset\.min_images: 0 of"):
        celeba(str(root), min_images=5)


def test_validation_is_carved_out_of_training_where_partition_1_is_empty(
    make_celeba: MakeCeleba, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    root = str(make_celeba())
    images, again = celeba(root, val_share=0.4), celeba(root, val_share=0.4)
    assert len(_identities(images, "val")) == 2  # of 6
    assert _identities(images, "test") == {"16", "17", "18", "19"}
    assert "2 of 6 training identities are set aside for validation" in caplog.text
    np.testing.assert_array_equal(images.splits, again.splits)


def test_roots_are_joined_by_identity_and_common_files_counted_once(
    make_celeba: MakeCeleba, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    large = make_celeba("large")
    small = make_celeba("small", landmarks=False, size=(109, 89), first=39, images_of={19: 2, 30: 3, 10: 2})
    images = celeba([str(large), str(small)], val_share=0.4)
    assert len(images.files) == 40 + 5
    assert "2 images are in several roots" in caplog.text
    assert "no landmark file" in caplog.text
    assert (images.identities == "10").sum() == 4 + 2
    assert images.files[38].parts[-3] == "large"
    assert images.files[-1].parts[-3] == "small"


@pytest.mark.slow
def test_fixed_alignment_scales_with_the_images(real_data: Path) -> None:
    both = celeba([str(real_data / "celeba"), str(real_data / "celeba_small")])
    only_small = celeba(str(real_data / "celeba_small"))
    names = {file.name: row for row, file in enumerate(only_small.files)}
    assert both.landmarks is not None
    assert only_small.landmarks is not None
    differences = []
    for row, file in list(enumerate(both.files))[:2000]:
        if file.name in names and file.parts[-3] == "celeba":
            other = names[file.name]
            large = crop_file(file, both.landmarks[row])
            small = crop_file(only_small.files[other], only_small.landmarks[other])
            differences.append(float(np.corrcoef(large.flatten(), small.flatten())[0, 1]))
    # the same photos, once by their landmarks, once at half size by the fixed alignment
    assert len(differences) > 20
    assert np.median(differences) > 0.9


def test_real_subset_counts(real_data: Path) -> None:
    images = celeba(str(real_data / "celeba"))
    assert len(images.files) == 6261
    assert len(images.rows("test")) == 1241
    assert len(_identities(images, "test")) == 58
    assert images.num_classes + len(_identities(images, "val")) == 241


def _damage(root: Path, what: str) -> None:
    photos, identities = root / "img_align_celeba", root / "identity_CelebA.txt"
    partitions, landmarks = root / "list_eval_partition.txt", root / "list_landmarks_align_celeba.txt"
    match what:
        case "root":
            root.rename(root.with_name("gone"))
        case "photos":
            for file in sorted(photos.iterdir())[:30]:
                file.unlink()
        case "identities":
            identities.unlink()
        case "empty":
            identities.write_text("")
        case "partition":
            partitions.write_text("\n".join(partitions.read_text().splitlines()[:-3]))
        case "number":
            partitions.write_text(partitions.read_text().replace("000005.jpg 0", "000005.jpg 7"))
        case "line":
            identities.write_text(identities.read_text().replace("000004.jpg 10", "000004.jpg"))
        case "landmarks":
            landmarks.write_text("\n".join(landmarks.read_text().splitlines()[:-1]))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("root", "is missing\nGet CelebA"),
        ("photos", "30 of 40 images listed in identity_CelebA.txt are missing, first 000001.jpg"),
        ("identities", "identity_CelebA.txt is missing"),
        ("empty", "lists no images"),
        ("partition", "3 images are in only one of"),
        ("number", "the partition of 000005.jpg is not 0, 1 or 2"),
        ("line", "identity_CelebA.txt, line 4: expected"),
        ("landmarks", "no landmarks for 1 images, first 000040.jpg"),
    ],
)
def test_damage_is_named_and_counted(make_celeba: MakeCeleba, what: str, message: str) -> None:
    root = make_celeba()
    _damage(root, what)
    with pytest.raises(DataError, match=message):
        celeba(str(root))
