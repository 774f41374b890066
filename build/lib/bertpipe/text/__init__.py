"""Readers, sentences, passages and the tokenizer."""
