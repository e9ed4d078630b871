"""Pictures: decoding, facts, formats."""
