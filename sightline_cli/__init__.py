"""One command, `sightline`, with both programs behind it; and what their command lines share."""
