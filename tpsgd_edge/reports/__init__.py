"""Reports of a run as JSON, Markdown and HTML."""
