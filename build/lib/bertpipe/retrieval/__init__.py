"""Passages, vectors, words, fusion, the index and its report; no torch on the way to a hit."""
