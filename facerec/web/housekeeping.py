"""What the service does from time to time: wipe what has expired in the galleries."""

import logging
import threading
from collections.abc import Sequence

from facerec.errors import GalleryError
from facerec.gallery import Gallery

log = logging.getLogger(__name__)

_SECONDS = 3600.0


class Housekeeping:
    """A thread that wipes expired data every hour, until it is closed.

    Args:
        galleries: open; `close` does not close them.
        seconds: between two rounds.
    """

    def __init__(self, galleries: Sequence[Gallery], seconds: float = _SECONDS) -> None:
        self._galleries, self._seconds = galleries, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the round that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            for gallery in self._galleries:
                try:
                    if gallery.wipe_expired():
                        log.info("wiped what can't be undone any more")
                    if faces := gallery.index.expire():
                        log.info("wiped %d unnamed faces of the index of photos", faces)
                except GalleryError as error:  # the next round tries again
                    log.error("expired data could not be wiped: %s", str(error).partition("\n")[0])
