"""The store in a process of its own: its calls hold no lock of ours, may be given up, and may die."""

from mats.store.isolation.remote import IsolatedArctic, StoreProcessError, isolated_store

__all__ = [
    "IsolatedArctic",
    "StoreProcessError",
    "isolated_store",
]
