"""``python -m training.promotion.trial MODEL``: load and run a model once, in a process of its own, and print its operators.

The runtime does not verify a file before it reads it: a damaged one ends the process. That process is this one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from training.promotion.refusal import Refused

_SECONDS = 120
_BATCH = 8


def operators_of(model: Path) -> frozenset[str]:
    """Operators of a model that ran once in a process of its own. Raises Refused where it did not."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "training.promotion.trial", str(model.resolve())],
            cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=False, timeout=_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Refused(f"the model did not answer within {_SECONDS} s: it is no detector") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said and done.returncode > 0 else f"the runtime died of signal {-done.returncode}"
        raise Refused(f"the runtime cannot run the model ({reason}): fetch the result again, or train again")
    return frozenset(json.loads(done.stdout))


def main() -> None:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
    # Before tensors are laid out: afterwards a delegate stands among them.
    operators = sorted({item["op_name"] for item in interpreter._get_ops_details()})
    source = interpreter.get_input_details()[0]
    shape = (_BATCH, *source["shape"][1:])
    interpreter.resize_tensor_input(source["index"], shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], np.zeros(shape, source["dtype"]))
    interpreter.invoke()
    print(json.dumps(operators))


if __name__ == "__main__":
    main()
