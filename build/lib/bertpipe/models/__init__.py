"""BERT, its heads and the text encoder: shapes, weights on disk, export."""
