"""Count the wrong samples that rank before each right one, from half of all products and without ranking."""

from bisect import bisect_right
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from facerec.metrics.half_products import Factors, exact_products, half_factors
from facerec.metrics.similarity import similarity_blocks

_STRETCH = 8  # neighbouring rows whose largest similarity is looked at first
_START = 64  # rows that the first limits come from; then as many again, until a block is full
_PLACES = 2**25  # right samples whose places are counted at a time: 128 MiB of similarities and as much of counts
_HELD = 2**22  # values found before they are counted
_DENSE = 1 / 64  # identities that hold more of all samples leave too many values to count: sorting is faster
_HALF = {"cuda"}  # devices that multiply in half precision several times as fast as in float32 …
_FEW = 1 / 1024  # … which pays while identities are small, for what reaches a limit is computed once more


@torch.no_grad()
def wrong_before(vectors: Tensor, sizes: Tensor, block: int | None = None) -> Iterator[Tensor]:
    """Count, for each sample, those of other identities that are at least as similar as its i-th nearest own one.

    A tile of similarities serves its rows and, transposed, its columns. Only values are counted that reach the
    limit of their query: the similarity of its last own sample that can still be among its R nearest, where R is
    the number of its own ones. Limits rise with what has been counted.

    Similarities are rounded to float32: once where half precision selects them, else wherever a matrix product
    rounds.

    Args:
        vectors: `float [N, d]`, sorted by identity; similarity is the dot product.
        sizes: `int64 [I]`, how many samples each identity has, in their order; 2 or more of one of them.
        block: rows and columns of a tile, a multiple of 8; by default 1,024 on a CPU, and elsewhere what fills
            256 to 512 MiB.

    Yields:
        `int32 [rows, max(sizes) - 1]` for the next rows; only counts c at places i (from 0) with i + c < R are
        complete, and no other one comes to be below R.
    """
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    density = float((sizes.float() ** 2).sum()) / len(vectors) ** 2
    if density > _DENSE:
        yield from _by_sorting(vectors, sizes)
    else:
        yield from _by_tiles(vectors, sizes, block, half=vectors.device.type in _HALF and density <= _FEW)


def _by_sorting(vectors: Tensor, sizes: Tensor) -> Iterator[Tensor]:
    own = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    relevant = (sizes - 1).repeat_interleave(sizes)
    top = 0
    for similarity in similarity_blocks(vectors, vectors):
        bottom = top + len(similarity)
        right = _right_of(similarity, 0, own[top:bottom], relevant[top:bottom], top, int(sizes.max()) - 1)
        similarity.masked_fill_(own[top:bottom, None] == own, -torch.inf)
        below = torch.searchsorted(similarity.sort(dim=1).values, right.contiguous())
        yield (len(vectors) - below).int()
        top = bottom


def _by_tiles(vectors: Tensor, sizes: Tensor, block: int | None, half: bool) -> Iterator[Tensor]:
    count = len(vectors)
    block = block or (1024 if vectors.device.type == "cpu" else 16384 if half else 8192)
    filling = -count % _STRETCH
    if filling:
        vectors = pad(vectors, (0, 0, 0, filling))
    sizes = torch.cat([sizes, sizes.new_ones(filling)])  # nobody's only sample: they ask for nothing
    places = int(sizes.max()) - 1
    own = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)  # first row of the identity: also its name
    name = own.tolist()  # for questions that should not wait for a GPU
    relevant = (sizes - 1).repeat_interleave(sizes)
    factors = half_factors(vectors) if half else Factors(vectors)
    buffer = factors.vectors.new_empty(block * block)
    group = max(_STRETCH, _PLACES // places // _STRETCH * _STRETCH)
    for start, end in _spans(0, len(vectors), group):
        right = _right(vectors, own, relevant, name, start, end, places, half)
        wrong = torch.zeros(end - start, places + 1, dtype=torch.int32, device=vectors.device)
        limits = _limits(right, wrong, relevant[start:end])
        for top, bottom in _growing(start, end, block):
            columns = [*_spans(0, start, block), *_spans(top, end, block), *_spans(end, len(vectors), block)]
            reaching: list[tuple[Tensor, Tensor, Tensor]] = []
            held = 0
            for left, to in columns:
                tile = buffer[: (bottom - top) * (to - left)].view(bottom - top, to - left)
                torch.mm(factors.vectors[top:bottom], factors.vectors[left:to].T, out=tile)
                tile[:, max(0, count - left) :] = -torch.inf
                if name[bottom - 1] >= name[left] and name[top] <= name[to - 1]:
                    tile.masked_fill_(own[top:bottom, None] == own[left:to], -torch.inf)
                # columns to the left of `bottom` have seen these rows, and others have no limits here
                across = limits.new_full((to - left,), torch.inf)
                if start <= left < end and to > bottom:
                    across[max(0, bottom - left) :] = limits[max(bottom, left) - start : to - start]
                for part in _reaching(
                    tile,
                    factors.floor(limits[top - start : bottom - start]),
                    factors.floor(across),
                    top - start,
                    left - start,
                ):
                    reaching.append(part)
                    held += len(part[0])
                if to == len(vectors) or held > _HELD:
                    rows, others, values = (torch.cat(parts) for parts in zip(*reaching, strict=True))
                    if half:
                        values = exact_products(vectors, start + rows, start + others)
                    _count(wrong, right, rows, values)
                    reaching, held = [], 0
            rest = slice(bottom - start, None)  # earlier rows have seen all
            limits[rest] = _limits(right[rest], wrong[rest], relevant[bottom:end])
        yield wrong[: count - start, :places].cumsum(dim=1, dtype=torch.int32)


def _spans(start: int, end: int, size: int) -> list[tuple[int, int]]:
    return [(at, min(at + size, end)) for at in range(start, end, size)]


def _growing(start: int, end: int, block: int) -> Iterator[tuple[int, int]]:
    at = start
    while at < end:
        to = min(end, at + min(block, max(_START, at - start)))
        yield at, to
        at = to


def _right(
    vectors: Tensor, own: Tensor, relevant: Tensor, name: list[int], start: int, end: int, places: int, half: bool
) -> Tensor:
    """Similarities to the samples of the same identity, largest first, then -inf: `[end - start, places]`."""
    parts = []
    for top, bottom in _spans(start, end, 512):
        left, to = name[top], bisect_right(name, name[bottom - 1])
        rows, near = slice(top, bottom), vectors[left:to]
        # with half factors as exact as `exact_products`: equals have to stay equal
        [similarity] = similarity_blocks(vectors[rows], near.double() if half else near, bottom - top)
        parts.append(_right_of(similarity.to(vectors.dtype), left, own[rows], relevant[rows], top, places))
    return torch.cat(parts)


def _right_of(similarity: Tensor, left: int, own: Tensor, relevant: Tensor, top: int, places: int) -> Tensor:
    """The same from the similarities of rows from `top` on to columns from `left` on."""
    place = torch.arange(places + 1, device=own.device)
    column = own[:, None] + place
    row = torch.arange(top, top + len(own), device=own.device)[:, None]
    values = similarity.gather(1, (column - left).clamp_(max=similarity.shape[1] - 1))
    values.masked_fill_((place > relevant[:, None]) | (column == row), -torch.inf)
    return values.sort(dim=1, descending=True).values[:, :places]


def _limits(right: Tensor, wrong: Tensor, relevant: Tensor) -> Tensor:
    """The similarity of the last right sample that can be among the R nearest, or else infinity: `[rows]`."""
    place = torch.arange(right.shape[1], device=right.device)
    before = wrong[:, :-1].cumsum(dim=1, dtype=torch.int32)
    matter = (place + before < relevant[:, None]).sum(dim=1, keepdim=True)
    return right.gather(1, (matter - 1).clamp(min=0)).masked_fill(matter == 0, torch.inf).squeeze(1)


def _reaching(
    tile: Tensor, limits: Tensor, across: Tensor, top: int, left: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Entries that reach the limit of their row, then those that reach that of their column: whose, whom, value."""
    stretches = tile.unflatten(0, (-1, _STRETCH))
    of_rows = limits.view(-1, _STRETCH)
    floor = torch.minimum(of_rows.amin(dim=1)[:, None], across)
    stretch, column = (stretches.amax(dim=1) >= floor).nonzero(as_tuple=True)
    values = stretches[stretch, :, column]
    for who, reached in ((0, of_rows[stretch]), (1, across[column, None])):
        hit, place = (values >= reached).nonzero(as_tuple=True)
        pair = (top + stretch[hit] * _STRETCH + place, left + column[hit])
        yield pair[who], pair[1 - who], values[hit, place]


def _count(wrong: Tensor, right: Tensor, rows: Tensor, values: Tensor) -> None:
    """Add each value at its place among the right ones of its row, before its equals (a binary search)."""
    places = right.shape[1]
    low, flat = torch.zeros_like(rows), right.flatten()
    step = 1 << places.bit_length()
    while step := step >> 1:
        probe = low + step
        at = (rows * places + probe - 1).clamp_(max=len(flat) - 1)
        low += step * ((probe <= places) & (flat[at] > values))
    unit = torch.ones(1, dtype=torch.int32, device=wrong.device)
    wrong.view(-1).index_add_(0, rows * (places + 1) + low, unit.expand(len(rows)))
