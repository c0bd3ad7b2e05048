-- SPDX-License-Identifier: Apache-2.0
-- about: The value at x on the straight line through (x0, y0) and (x1, y1), where x lies between them; null where a point is
--   missing. Where the points are one, their mean.
-- kind: macro
create or replace macro between_points(x, x0, y0, x1, y1) as (
    case when x0 = x1 then (y0 + y1) / 2 else y0 + (y1 - y0) * (x - x0) / (x1 - x0) end
)
