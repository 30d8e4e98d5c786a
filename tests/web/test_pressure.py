"""Overload, and a kill."""

import threading
import time

import httpx
import pytest

from facerec.gallery import Gallery
from tests.web.conftest import ANN, Running, Start, check_problem, enroll, identify, photo

PATIENCE = 240  # seconds: other work may keep the machine busy


@pytest.mark.slow
def test_a_full_queue_says_when_to_retry(start: Start) -> None:
    service = start("limits.waiting=1", "faces.batch_size=1")
    answers: list[httpx.Response] = []

    def both() -> bool:
        return {200, 503} <= {answer.status_code for answer in list(answers)}

    def ask() -> None:
        with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
            while not both() and time.monotonic() < end:
                answers.append(identify(client, photo(ANN, 1)))

    end = time.monotonic() + PATIENCE
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200, 503}
    full = next(answer for answer in answers if answer.status_code == 503)
    check_problem(full, 503)
    assert full.headers["Retry-After"] == "1"
    _kill_in_the_middle(service)


def _kill_in_the_middle(service: Running) -> None:
    """What was acknowledged survives a kill between, or during, later enrolments."""
    acknowledged: list[str] = []

    def fill() -> None:
        with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
            for number in range(100):
                try:
                    if enroll(client, f"p{number}", photo(31 + number % 10, 1 + number // 10)).is_success:
                        acknowledged.append(f"p{number}")
                except httpx.TransportError:
                    return

    filling = threading.Thread(target=fill)
    filling.start()
    while len(acknowledged) < 5 and filling.is_alive():
        time.sleep(0.01)
    service.process.kill()
    filling.join()
    service.process.wait()
    assert len(acknowledged) >= 5
    with Gallery.open(service.folder) as gallery:
        samples = {person.name: person.samples for person in gallery.persons()}
    assert set(acknowledged) <= samples.keys()
    assert set(samples.values()) == {1}
    assert len(samples) <= len(acknowledged) + 1  # the one in progress
