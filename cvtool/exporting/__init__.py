"""Models in files that other programs run: conversion, and a check of each file on pictures."""
