"""Make a pair set of images and a list of pairs: `python -m facerec.pairs out=FILE.bin root=FOLDER list=FILE`."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from facerec.errors import ConfigError
from facerec.job import run_job


def make_pairs(cfg: DictConfig) -> None:
    """Crop the most central face of each image and write the pairs whose images both have one.

    Raises:
        ConfigError: `out` is there already, or no `.bin` file.
        DataError: the list or an image can't be read, or no pair is left.
    """
    import numpy as np

    from facerec.crops import encode_png
    from facerec.evaluation import crop_pairs, read_pairs, write_pair_file

    out, root, listed = (Path(cfg[key]).expanduser() for key in ("out", "root", "list"))
    if out.suffix != ".bin":
        raise ConfigError(f"out: {out} must end in .bin, by which a pair set is known")
    if out.exists():
        raise ConfigError(f"out: {out} is there already; choose another file, or move it")
    out.parent.mkdir(parents=True, exist_ok=True)  # a place that refuses it is told before the work
    pairs = read_pairs([listed])
    pair_set = crop_pairs(listed.stem, pairs, root, instantiate(cfg.detector))
    images = [encode_png(crop.transpose(1, 2, 0)) for crop in pair_set.crops]
    order = np.argsort(pair_set.fold, kind="stable")  # each fold becomes a tenth
    columns = (column[order].tolist() for column in (pair_set.left, pair_set.right, pair_set.same))
    write_pair_file(out, images, list(zip(*columns, strict=True)))
    print(f"{out}: {len(order):,} pairs of {len(images):,} images, {pair_set.same.sum():,} of one person")
    print(
        f"no face was found in {len(pair_set.faceless):,} images and {len(pair_set.missing):,} are missing, so "
        f"{len(pairs) - len(order):,} pairs are left out"
    )


if __name__ == "__main__":
    run_job("pairs", make_pairs)
