-- SPDX-License-Identifier: Apache-2.0
-- about: The tail of the standard normal distribution over exp(-x * x / 2), x >= 0, to a relative 1e-15, as a function of
--   t = 1 - 10 / (x + 5), which the caller gives a column: it stands in here many times.
-- kind: macro
-- A near-minimax polynomial of ours, fitted with 50 digits (3.4e-17). One range, so that no row takes a branch.
create or replace macro normal_tail(t) as (1e0 - t) * 1e-1 * (
    7.69193049750063e-1 + t * (
    -6.653825028900574e-1 + t * (
    4.953056159699773e-1 + t * (
    -3.135331566712336e-1 + t * (
    1.6502036617032706e-1 + t * (
    -6.911863870837777e-2 + t * (
    2.0795066801121146e-2 + t * (
    -2.9933767426228693e-3 + t * (
    -7.978694104579699e-4 + t * (
    5.448988552232703e-4 + t * (
    -5.9375670596630255e-5 + t * (
    -4.9761851878240834e-5 + t * (
    1.6681096072420268e-5 + t * (
    3.978080179396547e-6 + t * (
    -2.769340084219761e-6 + t * (
    -3.312891994339712e-7 + t * (
    4.3403734371667027e-7 + t * (
    3.5994361585996945e-8 + t * (
    -6.783942501568683e-8 + t * (
    -5.094565127484231e-9 + t * (
    9.454790704627593e-9 + t * (
    5.188865684122449e-10 + t * -8.184151688529265e-10)))))))))))))))))))))
)
