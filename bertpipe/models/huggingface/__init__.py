"""Published models in and out: the layout, the names and the arithmetic of Hugging Face's transformers."""
