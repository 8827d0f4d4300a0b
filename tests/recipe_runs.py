"""The recipes of pretrained/, run on a handful of pictures."""

import importlib
import runpy
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "pretrained" / "recipes"


def recipe_module(name):
    """The module of a recipe, or of what the recipes share, for its functions."""
    with patch.object(sys, "path", [str(RECIPES), *sys.path]):
        return importlib.import_module(name)


def run_here(recipe, *arguments):
    """In this process and step by step: quicker than to import and compile for a few steps."""
    import cv2
    import tensorflow

    threads = cv2.getNumThreads()
    tensorflow.config.run_functions_eagerly(True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(RECIPES)
            patch.setattr(sys, "argv", [recipe, *map(str, arguments)])
            runpy.run_path(str(RECIPES / recipe), run_name="__main__")
    finally:
        tensorflow.config.run_functions_eagerly(False)
        cv2.setNumThreads(threads)
