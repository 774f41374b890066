"""Where documents come from: one reader a source, one small file a format."""
