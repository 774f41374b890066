"""One file in two artefacts: what is published is never written to again, so that it need not lie on the disk twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def share_file(source: Path, target: Path) -> None:
    """Lets a file stand at another place too, as a link to the same bytes; a copy where the file system has no links.

    Args:
        source: A file that nobody will write to any more.
        target: Where it is to stand; what stands there is replaced, and never written through.

    Raises:
        OSError: The disk refused.
    """
    target.unlink(missing_ok=True)
    try:
        # A link to a symbolic link would be a symbolic link.
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
