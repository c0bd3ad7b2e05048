-- SPDX-License-Identifier: Apache-2.0
-- about: A total deviation moved by Halley's method, newton being how far Newton's would move it, the rest as in newton_step.
-- kind: macro
create or replace macro halley_step(deviation, newton, near, far, gap, side) as
    deviation + newton / (1e0 + newton * 5e-1 * (near * far / deviation - side * 3.9894228040143265e-1 / gap))
