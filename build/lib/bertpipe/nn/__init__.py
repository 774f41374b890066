"""Attention, layers, positions, packing, pooling: tensors in, tensors out."""
