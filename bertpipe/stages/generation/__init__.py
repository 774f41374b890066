"""The steps of pipelines that learn to write: translation, summaries, replies."""
