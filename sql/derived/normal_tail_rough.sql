-- SPDX-License-Identifier: Apache-2.0
-- about: As normal_tail, to a relative 4e-8, a half less it too, and of another argument: t = 1 - 8 / (x + 4). For the first
--   steps of a solver.
-- kind: macro
create or replace macro normal_tail_rough(t) as (1e0 - t) * 1.25e-1 * (
    7.552851175387957e-1 + t * (
    -6.07896336693e-1 + t * (
    3.87137926626e-1 + t * (
    -1.86527959013e-1 + t * (
    6.03933336088e-2 + t * (
    -7.50677544007e-3 + t * (
    -3.47296875839e-3 + t * (
    1.55560749139e-3 + t * (
    1.27734079626e-4 + t * -1.53393250488e-4))))))))
)
