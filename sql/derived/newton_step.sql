-- SPDX-License-Identifier: Apache-2.0
-- about: How far Newton's method moves a total deviation towards the logarithm of a target, see bsm_implied. With side 1
--   the target is the option's value, with -1 what it lacks to its bound, over the bound. near and far are the distance
--   to the forward over the deviation, less and plus half the deviation; gap is normal_tail at |near| less side times that at far.
-- kind: macro
create or replace macro newton_step(near, gap, target, side) as
    side * 2.5066282746310005e0 * gap * (near * near * 5e-1 - ln(greatest(gap, 1e-300)) + target)
