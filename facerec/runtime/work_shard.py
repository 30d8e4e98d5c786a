"""A share of work that several processes or machines divide."""

from typing import NamedTuple

from facerec.errors import ConfigError


class Shard(NamedTuple):
    """Every `step`-th piece from the `first` on."""

    first: int
    step: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`i/n`, such as 0/4.

        Raises:
            ConfigError: the text is not `i/n` with 0 <= i < n.
        """
        first, slash, step = str(text).partition("/")
        if not (slash and first.isdigit() and step.isdigit() and int(first) < int(step)):
            raise ConfigError(f"shard must be i/n with i from 0 to n-1, such as 0/4, not {text!r}")
        return cls(int(first), int(step))

    def has(self, number: int) -> bool:
        """Whether the piece of this number, from 0, is in this share."""
        return number % self.step == self.first


WHOLE = Shard(0, 1)
