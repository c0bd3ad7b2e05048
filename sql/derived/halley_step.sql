-- SPDX-License-Identifier: Apache-2.0
-- about: A total deviation moved by Halley's method, on its side of the turn, see bsm_implied; newton is how far Newton's
--   would move it, the rest as in newton_step.
-- kind: macro
create or replace macro halley_step(deviation, newton, near, far, gap, side, turn) as
    side * least(
        side * turn,
        side * (deviation + newton / (1e0 + newton * 5e-1 * (near * far / deviation - side * 3.9894228040143265e-1 / gap)))
    )
