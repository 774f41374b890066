"""Turn a folder of private text into a search engine that learned from that text."""
