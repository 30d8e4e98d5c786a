"""People who are measured and were trained on, found by their faces: names differ from data set to data set."""

from pathlib import Path
from typing import NamedTuple

from facerec.data import FaceImages
from facerec.data.live_crops import DatasetCrops
from facerec.doctor import People, find_links
from facerec.evaluation import embed_split
from facerec.evaluation.systems import model_embeddings
from facerec.models import Model


class SharedPerson(NamedTuple):
    """Somebody's names where they are measured and where a model was trained, and how alike their images are."""

    measured: str
    trained: str
    similarity: float


def shared_by_face(
    measured: tuple[FaceImages, DatasetCrops],
    trained: tuple[FaceImages, DatasetCrops],
    model: Model,
    *,
    split: str,
    expected: float,
    cache: Path,
    batch_size: int,
) -> list[SharedPerson]:
    """Compare all identities of `split` with all training identities of another data set; the most alike first.

    Args:
        measured: a data set and its crops.
        trained: the data set that a model was trained on, and its crops.
        model: whose vectors are compared.
        split: of `measured`.
        expected: how many pairs of different people may be found by chance.
        cache: folder of embeddings.
        batch_size: crops on the device at once.
    """

    def people(dataset: tuple[FaceImages, DatasetCrops], name: str) -> People:
        images, crops = dataset
        members = embed_split(model, images, crops, name, cache=cache, batch_size=batch_size)
        rows = images.rows(name)
        return People(model_embeddings(members, model.weights), images.identities[rows], images.splits[rows])

    ours, theirs = people(measured, split), people(trained, "train")
    return [
        SharedPerson(str(ours.names[link.left]), str(theirs.names[link.right]), link.similarity)
        for link in find_links(ours, expected, theirs)
    ]
