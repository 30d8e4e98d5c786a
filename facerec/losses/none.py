"""No head: where a teacher alone says what to learn."""


def no_head(embedding_dim: int, num_classes: int) -> None:
    """Nothing, for a configuration that has to make something.

    Args:
        embedding_dim: ignored.
        num_classes: ignored.
    """
