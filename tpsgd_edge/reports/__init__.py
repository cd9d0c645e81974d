"""What a run found, as JSON, Markdown and HTML."""
