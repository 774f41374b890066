"""The steps of pipelines that learn to understand: classes, tags, similarity, answers."""
