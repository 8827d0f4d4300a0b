"""Read a user's TensorFlow SavedModel, and run none of the code that could do harm.

A SavedModel is a graph of TensorFlow's operations, among which are some that read and write
files or call Python. Those are looked for before TensorFlow loads the folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cvtool.errors import ModelError
from cvtool.tensorflow_import import import_tensorflow, quiet_stderr

GRAPH_FILE = "saved_model.pb"
SIGNATURE = "serving_default"
# What a network of layers has no use for: files, Python, other processes, endless streams.
HARMFUL = re.compile(
    r"PyFunc|File|Reader|Dataset|Save|Restore|Checkpoint|Rpc|Remote|Send|Recv|Sql|BigQuery"
    r"|Summary|Print|Debug|Iterator|LookupTable|HashTable|Fifo|Queue"
)
REMEDY = "save the network alone, with its layers only"


def is_saved_model(path: str | Path) -> bool:
    """Whether a path is the folder of a SavedModel."""
    return (Path(path) / GRAPH_FILE).is_file()


def load_signature(folder: str | Path) -> Any:
    """The function that a SavedModel serves by default.

    Args:
        folder: as `keras.Model.export` and `tf.saved_model.save` write it.
    Returns:
        a tf.ConcreteFunction, which keeps the loaded model as its attribute `owner`.
    Raises:
        ModelError: it cannot be read, or holds operations other than a network's.
    """
    folder = Path(folder)
    check_saved_model(folder)
    tensorflow = import_tensorflow()
    try:
        with quiet_stderr():
            loaded = tensorflow.saved_model.load(folder)
        function = loaded.signatures[SIGNATURE]
    except Exception as error:
        # Of any kind: a graph may be damaged anywhere.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{folder}: cannot be loaded ({lines[0][:160]}); export it again"
        ) from None
    function.owner = loaded
    return function


def check_saved_model(folder: str | Path) -> None:
    """See that a SavedModel serves a network and nothing else; loads nothing.

    Raises:
        ModelError: it does not.
    """
    folder = Path(folder)
    import_tensorflow()
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((folder / GRAPH_FILE).read_bytes())
    except OSError as error:
        raise ModelError(
            f"{folder}: {GRAPH_FILE} cannot be read ({error.strerror}); give the folder of a "
            "SavedModel"
        ) from None
    except DecodeError:
        raise ModelError(f"{folder}: {GRAPH_FILE} is damaged; export the model again") from None
    graphs = [graph for graph in model.meta_graphs if SIGNATURE in graph.signature_def]
    if len(model.meta_graphs) != 1 or not graphs:
        raise ModelError(
            f'{folder}: has no signature "{SIGNATURE}"; export the model with Keras 3, '
            'model.export("FOLDER")'
        )
    graph = graphs[0]
    kinds = {node.WhichOneof("kind") for node in graph.object_graph_def.nodes}
    # Resources and assets are set up while loading, by operations of the file's choice.
    if "resource" in kinds or "asset" in kinds or graph.asset_file_def:
        raise ModelError(f"{folder}: brings tables or files of its own; refused, {REMEDY}")
    for operation in sorted(set(_served(graph))):
        if HARMFUL.search(operation):
            raise ModelError(
                f'{folder}: holds the operation "{operation}", which a network has no use for; '
                f"refused, {REMEDY}"
            )


def _served(graph: Any) -> Iterator[str]:
    """The operations that the signature's outputs depend on, in functions that they call too."""
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    outputs = graph.signature_def[SIGNATURE].outputs.values()
    waiting = [nodes[name] for o in outputs if (name := _node_name(o.name)) in nodes]
    seen, called = set(), set()
    while waiting:
        node = waiting.pop()
        yield node.op
        for name in map(_node_name, node.input):
            if name in nodes and name not in seen:
                seen.add(name)
                waiting.append(nodes[name])
        for value in node.attr.values():
            for name in [value.func.name, *(f.name for f in value.list.func)]:
                if name in functions and name not in called:
                    called.add(name)
                    waiting.extend(functions[name].node_def)
        # A function may also be called by its name as an operation.
        if node.op in functions and node.op not in called:
            called.add(node.op)
            waiting.extend(functions[node.op].node_def)


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]
