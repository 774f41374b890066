"""What a prediction means, and how it is scored: nothing here knows a model."""
