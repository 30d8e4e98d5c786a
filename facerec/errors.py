"""Errors that a user can cause, one class per source. Messages name the key or the file, and the cure."""


class FacerecError(Exception):
    """Base of every error that a job prints as one message, without a traceback.

    Attributes:
        status: that the job ends with.
    """

    status = 1


class ConfigError(FacerecError):
    """A configuration value that can't work; the message names its key path."""


class DataError(FacerecError):
    """A data set or cache that is missing, incomplete, damaged or too small."""


class PhotoSizeError(DataError):
    """A photo with more pixels than are accepted."""


class ModelError(FacerecError):
    """A model folder or checkpoint that can't be read, built or trusted."""


class GalleryError(FacerecError):
    """A gallery that can't be opened, reached, trusted or filled as asked."""


class TakenError(GalleryError):
    """A crop that is enrolled as somebody else."""


class RefusedError(GalleryError):
    """Some photos were refused; the others are enrolled."""

    status = 3


class UnknownPersonError(GalleryError):
    """Nobody of that name or id is enrolled."""


class AmbiguousNameError(GalleryError):
    """Several persons have that name."""


class UnknownSampleError(GalleryError):
    """There is no such sample."""


class UnknownGroupError(GalleryError):
    """There is no such group of unknown faces."""


class UndoError(GalleryError):
    """A change that can't be undone."""


class MachineError(FacerecError):
    """What the machine refuses or lacks: a full disk, a place that may not be written, a missing package."""


class NonFiniteLossError(FacerecError):
    """Training produced a NaN or infinite loss."""
