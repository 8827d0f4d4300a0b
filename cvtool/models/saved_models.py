"""Read a user's TensorFlow SavedModel, and run none of the code that could do harm.

A SavedModel is a graph of TensorFlow's operations, among which are some that read and write
files or call Python. Before TensorFlow loads the folder, every operation that could run is
looked at: it must only compute.
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
    r"|Summary|Print|Debug|Iterator|LookupTable|HashTable|Queue|ImmutableConst|Abort|Proto"
)
# Of the operations that do more than compute, those of networks: variables, control, chance.
STATEFUL = re.compile(
    r"(ReadVariableOp|VarHandleOp|VarIsInitializedOp|VariableShape|Assign(Add|Sub)?VariableOp"
    r"|ResourceGather(Nd)?|(Stateful)?PartitionedCall|If|While|Case|Assert|Empty|GuaranteeConst"
    r"|(Stateful|Stateless|Random|Truncated|Parameterized)\w*|Multinomial|TensorArray\w*)"
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
    if not graph.object_graph_def.nodes:
        # TensorFlow 1 would run an operation of the file's choice while loading.
        raise ModelError(f"{folder}: of TensorFlow 1; refused, export the model with Keras 3")
    kinds = {node.WhichOneof("kind") for node in graph.object_graph_def.nodes}
    # Resources and assets are set up while loading, by operations of the file's choice.
    if "resource" in kinds or "asset" in kinds or graph.asset_file_def:
        raise ModelError(f"{folder}: brings tables or files of its own; refused, {REMEDY}")
    for operation in sorted(set(_reached(graph))):
        if not _only_computes(operation):
            raise ModelError(
                f'{folder}: holds the operation "{operation}", which a network has no use for; '
                f"refused, {REMEDY}"
            )


def _reached(graph: Any) -> Iterator[str]:
    """The operations that can come to run, in functions that are called too.

    Those are what the signature names and what the objects do, for TensorFlow serves the objects'
    functions, whatever the signature says. Saving and restoring, which every SavedModel can, is
    of neither.
    """
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    outputs = graph.signature_def[SIGNATURE].outputs.values()
    waiting = [nodes[name] for o in outputs if (name := _node_name(o.name)) in nodes]
    seen, called = set(), set()

    def call(name: str) -> None:
        if name in functions and name not in called:
            called.add(name)
            waiting.extend(functions[name].node_def)

    for name in _functions_of_objects(graph.object_graph_def):
        call(name)
    while waiting:
        node = waiting.pop()
        if node.op not in functions:
            yield node.op
        for name in map(_node_name, node.input):
            if name in nodes and name not in seen:
                seen.add(name)
                waiting.append(nodes[name])
        # A function may also be called by its name as an operation.
        call(node.op)
        for value in node.attr.values():
            for name in [value.func.name, *(f.name for f in value.list.func)]:
                call(name)


def _functions_of_objects(objects: Any) -> Iterator[str]:
    """The names of the functions that the objects of a SavedModel have."""
    yield from objects.concrete_functions
    for node in objects.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _only_computes(operation: str) -> bool:
    """Whether an operation touches nothing but numbers, as far as TensorFlow knows it."""
    from tensorflow.core.framework.types_pb2 import DT_STRING
    from tensorflow.python.framework import op_def_registry

    known = op_def_registry.get(operation)
    if known is None or HARMFUL.search(operation):
        return False
    if known.is_stateful and not STATEFUL.fullmatch(operation):
        return False
    # Text is the name of a file, or the content of one.
    return all(a.type != DT_STRING for a in (*known.input_arg, *known.output_arg))


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]
