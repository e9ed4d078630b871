#!/usr/bin/env bash
# torch resizes float16 and bfloat16 by bicubic interpolation on a CPU, but not with antialias=True. open_clip interpolates
# position embeddings that way, in the type in which the file has them: weights that were saved in float16 load at their own
# size, and at any other they fail. Turned to float32 before, they load.
#
# Expected: a model whose weights are float16 is made for another picture size as one in float32 is.
# Seen with torch 2.13.0, open_clip_torch 3.3.0 (Python 3.11):
#   bicubic: float16 is resized; antialiased: "compute_index_ranges_weights" not implemented for 'Half'
#   open_clip.model.resize_pos_embed: float32 is resized, float16 NotImplementedError, bfloat16 NotImplementedError
