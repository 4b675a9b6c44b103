"""Taking plain files out of a tar archive.

``tarfile`` has a filter for this since Python 3.11.4; Debian 12 comes with 3.11.2.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path


def take_out(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Write a file or folder of the archive below ``folder``, with ordinary rights and as the present user's.

    Raises
    ------
    tarfile.TarError
        It is neither, or its name leads out of the folder.
    """
    target = (folder / entry.name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"{entry.name} leads out of the folder")
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    content = archive.extractfile(entry) if entry.isfile() else None
    if content is None:
        raise tarfile.TarError(f"{entry.name} is neither file nor folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
