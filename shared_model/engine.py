"""The model's runtime: a TFLite file in, logits out. One thread, no state between calls."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared_model.errors import ArtifactError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Runtimes that load the file with equal results, in the order in which ``auto`` tries them.
RUNTIMES = ("ai_edge_litert", "tflite_runtime")
#: Batch sizes that are laid out in memory, each once: any number of windows is a few of them, and none is padded.
_BATCHES = (512, 64, 8, 1)


class Engine:
    """Runs one model.

    Parameters
    ----------
    model : bytes or Path
        TFLite file with one input, float32 (batch, T, F), and one output, float32 (batch, K); the batch is dynamic.
    runtime : str
        ``ai_edge_litert``, ``tflite_runtime``, or ``auto`` for whichever is installed.

    Raises
    ------
    ArtifactError
        No runtime is installed, or the file is no such model.
    """

    def __init__(self, model: bytes | Path, *, runtime: str = "auto") -> None:
        self._model = model if isinstance(model, bytes) else _read(model)
        self._interpreter_type, self.runtime = _interpreter(runtime)
        self._laid_out: dict[int, tuple[Any, int, int]] = {}
        details, outputs = self._details()
        if len(details["shape"]) != 3 or details["dtype"] is not np.float32 or len(outputs["shape"]) != 2:
            raise ArtifactError(
                f"the model takes {details['shape'].tolist()} {np.dtype(details['dtype'])} "
                f"and gives {outputs['shape'].tolist()}, "
                "but detectors need float32 (batch, events, features) → (batch, classes): export it again with `make train`"
            )
        #: Events of a window, features of an event, classes.
        self.window, self.features = int(details["shape"][1]), int(details["shape"][2])
        self.classes = int(outputs["shape"][1])

    def logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (B, K) of windows (B, T, F). Raises ValueError where T or F is not the model's."""
        if windows.shape[1:] != (self.window, self.features):
            raise ValueError(f"windows are {windows.shape[1:]}, the model takes {(self.window, self.features)}")
        result = np.empty((len(windows), self.classes), np.float32)
        done = 0
        while done < len(windows):
            size = next(batch for batch in _BATCHES if batch <= len(windows) - done)
            interpreter, source, sink = self._of_size(size)
            interpreter.set_tensor(source, np.ascontiguousarray(windows[done : done + size], np.float32))
            interpreter.invoke()
            result[done : done + size] = interpreter.get_tensor(sink)
            done += size
        return result

    def _of_size(self, size: int) -> tuple[Any, int, int]:
        """Interpreter laid out for a batch size, with its tensors' numbers."""
        if size not in self._laid_out:
            interpreter = self._interpreter_type(model_content=self._model, num_threads=1)
            source = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(source, (size, self.window, self.features), strict=True)
            interpreter.allocate_tensors()
            self._laid_out[size] = (interpreter, source, interpreter.get_output_details()[0]["index"])
        return self._laid_out[size]

    def _details(self) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            interpreter = self._interpreter_type(model_content=self._model, num_threads=1)
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{self.runtime} cannot load the model ({error}): export it again with `make train`") from error
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ArtifactError(f"the model has {len(inputs)} inputs and {len(outputs)} outputs, but detectors have one of each")
        return inputs[0], outputs[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}: build the detector with `make train`") from error


def _interpreter(runtime: str) -> tuple[Any, str]:
    if runtime not in ("auto", *RUNTIMES):
        raise ArtifactError(f"unknown runtime {runtime!r}: choose auto, {' or '.join(RUNTIMES)}")
    wanted = RUNTIMES if runtime == "auto" else (runtime,)
    for name in wanted:
        try:
            return import_module(f"{name}.interpreter").Interpreter, name
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != name:
                raise
    raise ArtifactError(f"none of {', '.join(wanted)} is installed: `pip install ai-edge-litert`")
