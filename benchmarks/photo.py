"""One photo → names, beside face_recognition (dlib) and facenet-pytorch.

python benchmarks/photo.py photo=PHOTO model=MODEL persons=100 rounds=20 threads=1

The peers' networks come with their wheels, but for facenet-pytorch's embedder: that has its size and no weights.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from results import Figure, record
from timing import options, seconds

from facerec.backbones import ResNet
from facerec.crops import read_photo
from facerec.gallery import Gallery, Sample
from facerec.job import CONFIG_DIR
from facerec.models import Ensemble, ModelRecord, open_model
from facerec.models.embedder import Embedder
from facerec.recognition import embed_photos


def a_photo(folder: Path) -> Path:
    """640 x 480, one face: scikit-image's astronaut."""
    from skimage.data import astronaut

    file = folder / "astronaut.jpg"
    Image.fromarray(astronaut()).crop((0, 0, 512, 384)).resize((640, 480)).save(file, quality=95)
    return file


def directions(count: int, dim: int) -> np.ndarray:
    """Vectors of other people, `float32 [count, dim]`."""
    vectors = np.random.default_rng(0).standard_normal((count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    """Print milliseconds and ratios."""
    warnings.simplefilter("ignore")
    given = options(photo="", model="", persons=100, rounds=20, threads=1)
    torch.set_num_threads(given["threads"])
    import face_recognition
    from facenet_pytorch import MTCNN, InceptionResnetV1

    with tempfile.TemporaryDirectory(prefix="facerec-") as name:
        file = Path(given["photo"]) if given["photo"] else a_photo(Path(name))
        if given["model"]:
            embed = open_model(given["model"], "cpu", "outputs/cache").embed
        else:
            members = {f"{d}": Embedder(ResNet(d, stem="imagenet"), [128.0] * 3, [64.0] * 3) for d in (18, 34, 50)}
            embed = Ensemble(members, [1 / 3] * 3).embed
        detector = instantiate(OmegaConf.load(CONFIG_DIR / "detector" / "retinaface.yaml"))
        bounds = {"min_size": 20.0, "min_score": 0.8}
        size = "{} x {}".format(*Image.open(file).size)
        first = embed_photos([file], [read_photo(file)], detector, embed, **bounds)[0]
        with Gallery.open(Path(name) / "g", ModelRecord("0" * 64, first.vectors.shape[1])) as gallery:
            gallery.enroll("the one in the photo", [Sample(first.vectors[0])])
            for row, vector in enumerate(directions(given["persons"] - 1, first.vectors.shape[1])):
                gallery.enroll(f"other {row}", [Sample(vector)])
            known = face_recognition.face_encodings(face_recognition.load_image_file(file))
            assert known, f"{file}: face_recognition sees nobody"
            encodings = np.concatenate([known[:1], directions(given["persons"] - 1, 128)])
            mtcnn, facenet = MTCNN(keep_all=True), InceptionResnetV1(pretrained=None).eval()
            others = torch.from_numpy(directions(given["persons"], 512))
            counts: dict[str, int] = {}

            def ours() -> None:
                photo = embed_photos([file], [read_photo(file)], detector, embed, **bounds)[0]
                answers = gallery.identify(photo.vectors, top=3, threshold=0.5)
                counts["facerec"] = len(answers)
                assert any(answer.person and answer.person.name == "the one in the photo" for answer in answers)

            def dlib() -> None:
                photo = face_recognition.load_image_file(file)
                probes = face_recognition.face_encodings(photo, face_recognition.face_locations(photo))
                counts["face_recognition"] = len(probes)
                assert any(face_recognition.compare_faces(encodings, probe)[0] for probe in probes)

            def mtcnn_and_facenet() -> None:
                faces = mtcnn(Image.open(file).convert("RGB"))
                counts["facenet-pytorch"] = len(faces)
                with torch.inference_mode():
                    torch.cdist(facenet(faces), others).argmin(1)

            contenders = {"facerec": ours, "face_recognition": dlib, "facenet-pytorch": mtcnn_and_facenet}
            durations = seconds(contenders, given["rounds"])
    what = f"photo → names, {size}, {given['persons']} persons, threads: {given['threads']}"
    time = {name: value * 1000 for name, value in durations.items()}
    ours, found = time.pop("facerec"), counts.pop("facerec")
    record(
        [
            Figure(what, "ms", ours, time, dict.fromkeys(time, 1.0), less=True),
            Figure(f"{what}: faces found", "", found, dict(counts)),
        ]
    )


if __name__ == "__main__":
    main()
