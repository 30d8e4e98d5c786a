"""The faces of a photo are named jointly."""

from itertools import permutations, product
from uuid import UUID

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from facerec.gallery import Answer, DecisionRule, Match
from facerec.recognition import Named, assign

THRESHOLD, CERTAIN = 0.5, 0.75
RULE = DecisionRule(THRESHOLD, 1e-3, 1e-2, 10, 10.0, CERTAIN)
NAMES = ("Ann", "Bea", "Cleo", "Dora", "Eve")
PERSONS = [UUID(int=number) for number in range(len(NAMES))]


def answers(similarities: NDArray[np.float64], rule: DecisionRule = RULE) -> list[Answer]:
    """What searches return for faces (rows) and persons (columns)."""
    return [
        Answer(
            tuple(
                Match(PERSONS[person], NAMES[person], float(row[person]), None, bool(row[person] >= rule.threshold))
                for person in np.argsort(-row, kind="stable")
            ),
            rule,
        )
        for row in similarities
    ]


def names(decided: list[Named]) -> list[str | None]:
    return [named.person and named.person.name for named in decided]


def surplus(choice: tuple[int | None, ...], similarities: NDArray[np.float64]) -> float:
    return sum(similarities[face, person] - THRESHOLD for face, person in enumerate(choice) if person is not None)


GROUPS = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0.3, CERTAIN - 1e-3).map(lambda x: round(x, 3)))
)


@settings(deadline=None)  # the first call imports scipy.optimize
@given(GROUPS)
@example(np.full((3, 2), THRESHOLD))
@example(np.full((3, 3), 0.6))
@example(np.array([[0.6, 0.59], [0.58, 0.1]]))
def test_it_is_the_best_of_all_assignments(similarities: NDArray[np.float64]) -> None:
    faces, persons = similarities.shape
    decided = assign(answers(similarities))
    chosen = tuple(named.person and named.person.person.int for named in decided)
    taken = [person for person in chosen if person is not None]
    assert len(set(taken)) == len(taken)
    choices = [
        choice
        for choice in product([None, *range(persons)], repeat=faces)
        if len(used := [person for person in choice if person is not None]) == len(set(used))
        and all(person is None or similarities[face, person] >= THRESHOLD for face, person in enumerate(choice))
    ]
    assert chosen in choices
    best = max(surplus(choice, similarities) for choice in choices)
    assert abs(surplus(chosen, similarities) - best) < 1e-5
    for named in decided:  # whoever is passed over is told, with the face that is that person
        first = named.answer.person
        if first is None or first == named.person:
            assert (named.perhaps, named.rival, named.reason) == (None, None, None)
        else:
            assert named.perhaps == first
            assert named.rival is not None
            rival = decided[named.rival - 1].person
            assert rival is not None
            assert rival.person == first.person


@given(GROUPS)
def test_where_nobody_is_named_twice_the_searches_decide(similarities: NDArray[np.float64]) -> None:
    alone = [answer.person for answer in answers(similarities)]
    named = [match.person for match in alone if match]
    if len(named) == len(set(named)):
        assert assign(answers(similarities)) == [
            Named(answer, match) for answer, match in zip(answers(similarities), alone, strict=True)
        ]


@given(GROUPS)
def test_the_order_of_the_faces_does_not_matter(similarities: NDArray[np.float64]) -> None:
    totals = []
    for order in permutations(range(len(similarities))):
        rows = similarities[list(order)]
        chosen = tuple(named.person and named.person.person.int for named in assign(answers(rows)))
        totals.append(surplus(chosen, rows))
    assert max(totals) - min(totals) < 1e-5


def test_who_loses_is_unknown_and_told_why() -> None:
    winner, loser = assign(answers(np.array([[0.7, 0.2], [0.6, 0.3]])))
    assert winner.label == "Ann"
    assert loser.label == "unknown, perhaps Ann"
    assert loser.reason == "similar enough to Ann, but face 1 is Ann"


def test_the_next_person_is_named_if_similar_enough() -> None:
    _, second = assign(answers(np.array([[0.7, 0.2], [0.6, 0.55]])))
    assert second.label == "Bea"
    assert (second.perhaps and second.perhaps.name, second.rival) == ("Ann", 1)


def test_several_faces_beyond_doubt_are_one_person() -> None:
    group = np.array([[0.9, 0.2], [0.8, 0.7], [0.7, 0.6], [0.65, 0.3]])
    decided = assign(answers(group))
    assert names(decided) == ["Ann", "Ann", "Bea", None]
    assert [named.perhaps and named.perhaps.name for named in decided] == [None, None, "Ann", "Ann"]
    one_in_doubt = np.array([[0.9, 0.2], [0.7, 0.2]])
    assert names(assign(answers(one_in_doubt))) == ["Ann", None]
    by_hand = DecisionRule(THRESHOLD, None, None, 2, 2.0)
    assert names(assign(answers(group[:2], by_hand))) == ["Ann", "Bea"]


def test_no_faces() -> None:
    assert assign([]) == []
