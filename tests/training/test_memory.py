"""The cache with a budget."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cvtool.training import memory
from cvtool.training.memory import BoundedCache, default_budget


def test_it_keeps_what_fits_and_nothing_more():
    cache = BoundedCache(budget=100)
    cache["a"] = np.zeros(60, np.uint8)
    cache["b"] = np.zeros(60, np.uint8)
    cache["c"] = (np.zeros(20, np.uint8), 3.5, np.zeros(20, np.uint8))
    assert "a" in cache and "c" in cache and "b" not in cache
    assert cache.get("b") is None and cache["c"][1] == 3.5
    assert len(cache) == 2 and cache.bytes == 100


def test_a_key_counts_once():
    cache = BoundedCache(budget=100)
    for value in (1, 2):
        cache["a"] = np.full(40, value, np.uint8)
    assert cache.bytes == 40 and cache["a"][0] == 1


def test_several_threads_do_not_exceed_the_budget():
    cache = BoundedCache(budget=500)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: cache.__setitem__(i % 97, np.zeros(10, np.uint8)), range(2000)))
    assert cache.bytes == 500 and len(cache) == 50


def test_the_default_budget_is_a_part_of_the_memory(monkeypatch):
    pages = {"SC_AVPHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__, raising=False)
    assert default_budget() == 1000 * 4096 // 4
    pages["SC_AVPHYS_PAGES"] = 10**9
    assert default_budget() == 4 << 30

    def untold(name):
        raise ValueError(name)

    monkeypatch.setattr(memory.os, "sysconf", untold, raising=False)
    assert default_budget() == 1 << 30
