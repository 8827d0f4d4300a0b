"""The parts of a training loop that every task shares; `keras.Model.fit` is the loop."""
