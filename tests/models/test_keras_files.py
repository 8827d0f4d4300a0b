"""What a .keras file or a SavedModel may hold, and what is refused before it is loaded."""

import json
import zipfile

import h5py
import numpy as np
import pytest

from cvtool.errors import ModelError
from cvtool.models.keras_files import check_keras_file, load_keras_file
from cvtool.models.saved_models import check_saved_model, is_saved_model, load_signature


@pytest.fixture(scope="module")
def small():
    import keras
    from keras import layers

    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(2, 3, activation="relu", kernel_regularizer="l2"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    network.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return network


@pytest.fixture
def file(small, tmp_path):
    path = tmp_path / "small.keras"
    small.save(path)
    return path


def rewritten(path, change=None, entries=()):
    """The archive with its config changed in place, and more entries."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    if change is not None:
        config = json.loads(contents["config.json"])
        change(config)
        contents["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (contents | dict(entries)).items():
            archive.writestr(name, content)
    return path


def last_layer(config):
    return config["config"]["layers"][-1]


def test_a_network_of_plain_layers_is_loaded_with_its_weights(small, file):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(load_keras_file(file)(pixels), small(pixels), atol=1e-6)


def test_how_it_was_trained_is_not_looked_at(file):
    def own_loss(config):
        config["compile_config"]["loss"] = {
            "module": "my_losses",
            "class_name": "Odd",
            "registered_name": "my>Odd",
            "config": {},
        }

    load_keras_file(rewritten(file, own_loss))


def test_lambda_layers_are_refused_and_do_not_run(tmp_path):
    import keras

    marker = tmp_path / "was here"

    def leave_a_mark(x):
        marker.touch()
        return x

    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.Lambda(leave_a_mark, name="mark", output_shape=(4,))]
    )
    path = tmp_path / "code.keras"
    network.save(path)
    marker.unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r'code.keras: layer "mark" \(Lambda\) is refused'):
        load_keras_file(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"module": "os", "class_name": "system"}, "not one of Keras's own"),
        ({"module": "builtins", "class_name": "function"}, "names a function"),
        ({"module": "keras.utils", "class_name": "get_file"}, "not one of Keras's own"),
        ({"module": "keras.models", "class_name": "load_model"}, "not one of Keras's own"),
        ({"module": "keras.src.saving.saving_lib", "class_name": "H5"}, "not one of Keras's own"),
        ({"compile_config": {"loss": {"module": "os", "class_name": "X"}}}, "not one of Keras's"),
        ({"class_name": "Shift", "registered_name": "mine>Shift"}, "not one of Keras's own"),
        ({"class_name": "TFSMLayer"}, "loads another file"),
        ({"class_name": "TorchModuleWrapper"}, "pickled"),
    ],
)
def test_layers_with_code_from_elsewhere_are_refused(file, change, words):
    rewritten(file, lambda config: last_layer(config).update(change))
    with pytest.raises(ModelError, match=words):
        load_keras_file(file)


def test_code_is_found_inside_a_layer_too(file):
    def hide(config):
        last_layer(config)["config"]["kernel_initializer"] = {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {"name": "hidden"},
        }

    with pytest.raises(ModelError, match='"hidden" .Lambda. is refused'):
        check_keras_file(rewritten(file, hide))


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/cron.d/job", "model.pkl"])
def test_entries_that_a_network_does_not_need_are_refused(file, name):
    with pytest.raises(ModelError, match="no use for"):
        check_keras_file(rewritten(file, entries={name: b"x"}.items()))


def test_an_archive_that_unpacks_to_very_much_is_refused(file):
    rewritten(file, entries={"metadata.json": bytes(200_000_000)}.items())
    with pytest.raises(ModelError, match="unpacks from"):
        check_keras_file(file)


def test_an_archive_is_as_large_as_its_file_and_not_as_it_says(file):
    rewritten(file, entries={"metadata.json": bytes(200_000_000)}.items())
    content = bytearray(file.read_bytes())
    # The size of the packed entry, in the table at the end of the archive.
    entry = content.rindex(b"metadata.json") - 46
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 20 : entry + 24] = (100_000_000).to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(ModelError, match="unpacks from"):
        check_keras_file(file)


def test_weights_of_which_hardly_anything_is_stored_are_refused(file, tmp_path):
    weights = tmp_path / "weights.h5"
    with h5py.File(weights, "w") as written:
        written.create_dataset("vars/0", (10**6, 10**6), "f4", chunks=(100, 100))
    rewritten(file, entries={"model.weights.h5": weights.read_bytes()}.items())
    with pytest.raises(ModelError, match="its weights unpack to 4,000,000,000,000 bytes"):
        check_keras_file(file)


def test_weights_that_point_to_other_files_are_refused(file, tmp_path):
    weights = tmp_path / "weights.h5"
    with h5py.File(weights, "w") as written:
        written["layers"] = h5py.ExternalLink("/etc/passwd", "/")
    rewritten(file, entries={"model.weights.h5": weights.read_bytes()}.items())
    with pytest.raises(ModelError, match="point to other files"):
        check_keras_file(file)


def test_what_is_no_keras_file_is_said_to_be_none(file, tmp_path):
    text = tmp_path / "notes.keras"
    text.write_text("not a zip")
    with pytest.raises(ModelError, match="not a .keras file"):
        check_keras_file(text)
    with pytest.raises(ModelError, match="missing.keras: cannot be read"):
        check_keras_file(tmp_path / "missing.keras")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ModelError, match="cut.keras"):
        check_keras_file(cut)
    rewritten(file, entries={"config.json": b"{"}.items())
    with pytest.raises(ModelError, match="damaged"):
        check_keras_file(file)


def serve(folder, body):
    """A SavedModel of a function of pictures."""
    import tensorflow

    module = tensorflow.Module()
    module.offset = tensorflow.Variable(1.0)
    signature = [tensorflow.TensorSpec((None, 4, 4, 3), tensorflow.float32, name="x")]
    module.serve = tensorflow.function(lambda x: body(x) + module.offset, input_signature=signature)
    tensorflow.saved_model.save(module, folder, signatures={"serving_default": module.serve})
    return folder


def test_a_saved_model_is_served(tmp_path):
    import tensorflow

    folder = serve(tmp_path / "mean", lambda x: tensorflow.reduce_mean(x, (1, 2)))
    assert is_saved_model(folder) and not is_saved_model(tmp_path)
    pixels = np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    (output,) = load_signature(folder)(x=tensorflow.constant(pixels)).values()
    np.testing.assert_allclose(output, pixels.mean(axis=(1, 2)) + 1, rtol=1e-5)


def test_a_saved_model_that_touches_files_or_python_is_refused(tmp_path):
    import tensorflow

    marker = tmp_path / "written"

    def write(x):
        with tensorflow.control_dependencies([tensorflow.io.write_file(str(marker), "x")]):
            return tensorflow.reduce_mean(x, (1, 2))

    # Hidden in a function that the served one calls.
    inner = tensorflow.function(write)
    folder = serve(tmp_path / "writes", lambda x: inner(x))
    marker.unlink(missing_ok=True)
    with pytest.raises(ModelError, match='holds the operation "WriteFile"'):
        load_signature(folder)
    assert not marker.exists()

    def python(x):
        return tensorflow.numpy_function(lambda v: v, [x], tensorflow.float32)

    with pytest.raises(ModelError, match="PyFunc"):
        check_saved_model(serve(tmp_path / "python", python))


def test_a_saved_model_is_judged_by_what_tensorflow_would_run(tmp_path):
    import tensorflow
    from tensorflow.core.protobuf import saved_model_pb2

    marker = tmp_path / "written"

    def write(x):
        with tensorflow.control_dependencies([tensorflow.io.write_file(str(marker), "x")]):
            return tensorflow.reduce_mean(x, (1, 2))

    # The signature names a harmless function, the object that serves it another one.
    folder = serve(tmp_path / "signature", write)
    harmless = serve(tmp_path / "harmless", lambda x: tensorflow.reduce_mean(x, (1, 2)))
    graphs = {}
    for each in (folder, harmless):
        graphs[each] = saved_model_pb2.SavedModel()
        graphs[each].ParseFromString((each / "saved_model.pb").read_bytes())
    served = graphs[folder].meta_graphs[0]
    other = graphs[harmless].meta_graphs[0].graph_def.node
    served.graph_def.node.extend(n for n in other if n.op == "Placeholder" and "x" in n.name)
    for output in served.signature_def["serving_default"].outputs.values():
        output.name = served.graph_def.node[-1].name + ":0"
    (folder / "saved_model.pb").write_bytes(graphs[folder].SerializeToString())
    with pytest.raises(ModelError, match='holds the operation "WriteFile"'):
        load_signature(folder)

    # Without objects, TensorFlow would run the graph's own initialisation.
    graph = graphs[harmless].meta_graphs[0]
    graph.ClearField("object_graph_def")
    (harmless / "saved_model.pb").write_bytes(graphs[harmless].SerializeToString())
    with pytest.raises(ModelError, match="of TensorFlow 1; refused"):
        load_signature(harmless)
    assert not marker.exists()


def test_a_saved_model_that_reads_files_without_naming_them_as_text_is_refused(tmp_path):
    import tensorflow

    def mapped(x):
        return x + tensorflow.raw_ops.ImmutableConst(
            dtype="float32", shape=(3,), memory_region_name="/etc/hostname"
        )

    with pytest.raises(ModelError, match="ImmutableConst"):
        check_saved_model(serve(tmp_path / "mapped", mapped))
    with pytest.raises(ModelError, match="DecodeRaw"):
        check_saved_model(
            serve(tmp_path / "text", lambda x: x + tensorflow.io.decode_raw(b"abcd", "float32"))
        )


def test_damaged_saved_models_are_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff not a graph")
    with pytest.raises(ModelError, match="saved_model.pb is damaged"):
        check_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelError, match='no signature "serving_default"'):
        check_saved_model(tmp_path)
