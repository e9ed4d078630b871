"""From cosines to results: calibration, fusion, near-duplicates."""
