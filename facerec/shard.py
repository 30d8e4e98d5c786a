"""A share of work that several processes or machines divide."""

from typing import NamedTuple

from facerec.errors import ConfigError


class Shard(NamedTuple):
    """Every `count`-th piece from the `index`-th on."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`i/n`, such as 0/4.

        Raises:
            ConfigError: the text is not `i/n` with 0 <= i < n.
        """
        index, slash, count = str(text).partition("/")
        if not (slash and index.isdigit() and count.isdigit() and int(index) < int(count)):
            raise ConfigError(f"shard must be i/n with i from 0 to n-1, such as 0/4, not {text!r}")
        return cls(int(index), int(count))

    def has(self, number: int) -> bool:
        """Whether the piece of this number, from 0, is in this share."""
        return number % self.count == self.index


WHOLE = Shard(0, 1)
