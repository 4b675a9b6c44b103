"""What the blob triggers hand over: where a blob is, not what is in it.

For a parameter of any other type the host downloads the whole blob. One whose type is an ``SdkType`` with a converter is indexed
with ``SupportsDeferredBinding``, and for it the host sends ``ModelBindingData`` of source ``AzureStorageBlobs``: a few hundred
bytes of JSON that name connection, container and blob. See docs/decisions/009-blobs-by-reference.md.

Format: ``azurefunctions-extensions-bindings-blob`` in https://github.com/Azure/azure-functions-python-extensions. The types of
that distribution would import the storage and identity SDKs into every instance as soon as it starts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from azurefunctions.extensions.base import Datum, InConverter, SdkType


@dataclass(frozen=True, slots=True)
class BlobReference(SdkType):  # type: ignore[misc]  # the base carries no types
    """Where a blob is: its container and its name in there, in the account of the trigger's connection."""

    container: str
    name: str

    @property
    def path(self) -> str:
        """``container/name``."""
        return f"{self.container}/{self.name}"


# Silenced: the base carries no types, so that its two words of a subclass are unknown too.
class BlobReferenceConverter(InConverter, binding="blob", trigger="blobTrigger"):  # type: ignore[misc,call-arg]
    """Tells the Functions library that blob triggers take a :class:`BlobReference`, and makes it of what the host sends."""

    @classmethod
    def check_input_type_annotation(cls, pytype: type) -> bool:
        """Whether a parameter of this type can be given."""
        return issubclass(pytype, BlobReference)

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: object = None, pytype: type = BlobReference) -> BlobReference:
        """Read the reference. Raises ValueError where the host sent something else, such as the blob's content.

        ``pytype`` may be missing: the library's way without Protocol Buffers leaves it out.
        """
        kind = getattr(data, "type", None)
        if kind != "model_binding_data":
            raise ValueError(f"the host sent {kind or 'nothing'} in place of a blob's reference: it must be 4.34.1 or newer")
        said: dict[str, Any] = json.loads(data.value.content)
        return BlobReference(said["ContainerName"], said["BlobName"])
