"""The detectors of face-alignment: real weights where there are any, else files of the right shape."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from facerec.crops import align
from facerec.errors import ConfigError
from facerec.faces import FaceAlignmentDetector, RetinaFaceDetector
from facerec.faces.fan import FILE, five_of_68

PHOTO = astronaut()


@pytest.fixture(scope="session")
def weights() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "weights"
    if not folder.is_dir():
        pytest.skip(f"no detector weights at {folder}")
    return folder


def _detector(network: str, folder: Path | None, landmarks: str = "detector") -> FaceAlignmentDetector:
    where = None if folder is None else str(folder)
    return FaceAlignmentDetector(network, landmarks, where, 32, 0.5, 4, True, "cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("network", ["retinaface", "yunet"])
def test_detectors_agree_about_a_face(network: str, weights: Path) -> None:
    ours = RetinaFaceDetector(32, 0.5, 4, True).find([PHOTO])[0][0]
    face = _detector(network, weights).find([PHOTO])[0][0]
    between = np.linalg.norm(ours.landmarks[1] - ours.landmarks[0])
    assert np.linalg.norm(face.landmarks - ours.landmarks, axis=1).max() / between < 0.3
    corner, far = np.maximum(face.box[:2], ours.box[:2]), np.minimum(face.box[2:], ours.box[2:])
    union = (face.box[2:] - face.box[:2]).prod() + (ours.box[2:] - ours.box[:2]).prod() - (far - corner).prod()
    assert (far - corner).prod() / union > 0.5
    assert 0.5 <= face.score <= 1


@pytest.mark.parametrize(
    ("network", "landmarks", "message"),
    [
        ("scrfd", "fan", r"detector\.network must be one of sfd, retinaface, yunet, not 'scrfd'"),
        ("sfd", "detector", r"detector\.landmarks: sfd has no landmarks of its own"),
        ("sfd", "five", r"detector\.landmarks must be fan or detector"),
        (
            "sfd",
            "fan",
            r"detector\.weights: s3fd-619a316812\.pth, 2DFAN4-11f355bf06\.pth\.tar must be in .*retinaface",
        ),
        ("yunet", "detector", r"detector\.weights: face_detection_yunet_2023mar\.onnx must be in"),
    ],
)
def test_impossible_choices_are_one_message(network: str, landmarks: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        _detector(network, tmp_path, landmarks)
    assert "\n" not in str(error.value)


def test_missing_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"detector\.device"):
        FaceAlignmentDetector("sfd", "fan", str(tmp_path), 32, 0.5, 4, True, "tpu")


def test_weights_are_looked_up_where_the_package_keeps_them(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = "retinaface_mobilenet0.25.pth"
    (folder / name).write_bytes((weights / name).read_bytes())
    assert len(_detector("retinaface", None).find([PHOTO])[0]) == 1
    (folder / name).write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=rf"{name} can't be loaded from .*detector=retinaface"):
        _detector("retinaface", None)


@pytest.mark.parametrize(
    ("network", "landmarks"), [("sfd", "fan"), ("retinaface", "detector"), ("yunet", "detector")]
)
def test_a_download_that_fails_is_one_message(
    network: str, landmarks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens: as without a network
    with pytest.raises(
        ConfigError, match=r"must be in .*checkpoints \(.*refused.*take detector=retinaface"
    ) as error:
        _detector(network, None, landmarks)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def _save_s3fd(folder: Path, level: str = "conv6_2") -> None:
    """A file of the right shape that sees one face at each place of one level, as large as its anchors."""
    from face_alignment.detection.sfd.net_s3fd import s3fd

    state = {key: torch.zeros_like(value) for key, value in s3fd().state_dict().items()}
    for key in state:
        if key.endswith("mbox_conf.bias"):
            state[key][0] = 9.0
    state[f"{level}_mbox_conf.bias"][-2:] = torch.tensor([0.0, 9.0])
    torch.save(state, folder / "s3fd-619a316812.pth")


def test_s3fd_and_fan_equal_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from face_alignment import FaceAlignment, LandmarksType
    from face_alignment.models import FAN

    torch.manual_seed(0)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(FAN(4).state_dict(), folder / FILE)
    _save_s3fd(folder)
    photo = PHOTO[:128, :192]
    faces = _detector("sfd", folder, "fan").find([photo])[0]
    assert faces
    centres = np.array([(face.box[:2] + face.box[2:]) / 2 for face in faces])
    assert ((centres > 0) & (centres < [192, 128])).all()

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    package = FaceAlignment(LandmarksType.TWO_D, device="cpu", face_detector="sfd", compile=False)
    boxes = [[*face.box.tolist(), face.score] for face in faces]
    points = package.get_landmarks_from_image(photo, detected_faces=boxes)
    np.testing.assert_allclose(np.array([face.landmarks for face in faces]), five_of_68(np.array(points)), atol=1)
    assert align(photo, np.array([face.landmarks for face in faces])).shape[0] == len(faces)


def test_five_of_68_are_eyes_nose_and_mouth_corners() -> None:
    points = np.arange(68, dtype=np.float32)[None, :, None].repeat(2, axis=2)
    assert five_of_68(points)[0, :, 0].tolist() == [38.5, 44.5, 30, 48, 54]
