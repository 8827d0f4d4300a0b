"""Pixels in and out; nothing here knows about models."""
