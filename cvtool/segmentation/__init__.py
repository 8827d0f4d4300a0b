"""Segmentation: a class for every pixel, with U-Net."""
