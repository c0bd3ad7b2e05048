-- SPDX-License-Identifier: Apache-2.0
-- about: As normal_tail, to a relative 1.2e-6 and of another argument: t = 1 - 8 / (x + 4). For the first steps of a solver.
-- kind: macro
create or replace macro normal_tail_rough(t) as (1e0 - t) * 1.25e-1 * (
    7.552843508e-1 + t * (
    -6.078930452e-1 + t * (
    3.871653403e-1 + t * (
    -1.865825822e-1 + t * (
    6.024636057e-2 + t * (
    -7.282914946e-3 + t * (
    -3.226259412e-3 + t * 1.230586161e-3))))))
)
