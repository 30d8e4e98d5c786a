"""Files and folders that nobody put there: what systems, network drives and editors leave behind."""

from fnmatch import fnmatchcase
from pathlib import PurePath

# as fnmatch reads them, in lower case; names that begin with a dot are hidden anyway
_PATTERNS = (
    *("@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),  # NAS
    *("lost+found", "~snapshot"),  # file systems
    *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
    *("thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),  # Windows
    *("$recycle.bin", "recycler", "system volume information"),
    *("*~", "~$*", "#*#"),  # editors: copies and locks
    *("*.part", "*.partial", "*.crdownload", "*.tmp"),  # downloads that have not ended
)


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is hidden or left by other software, not made by its owner."""
    return name.startswith(".") or any(fnmatchcase(name.lower(), pattern) for pattern in _PATTERNS)


def in_clutter(path: PurePath) -> bool:
    """Whether a relative path is, or leads through, such a file or folder."""
    return any(part != ".." and is_clutter(part) for part in path.parts)
