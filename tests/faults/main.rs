//! Faults: the built binary, a real MongoDB, the stand-in as Clerk, and something going badly wrong (requirements D2).
//!
//! Takes minutes, so `make test-faults` and CI run it, `make test` does not. After every fault the invariants of
//! `support::invariants` hold: MongoDB equals Clerk, the deleted stay deleted, everything acknowledged is finished, nothing
//! unexplained is in the log. A server's own faults that need seconds stay in `tests/it`.
//!
//! | id | proved by |
//! |---|---|
//! | D2-01 | `crash::d2_01_…`; in short form `it::crash` |
//! | D2-02, D2-03 | `crash::d2_02_…`, `crash::d2_03_…` |
//! | D2-04 | `it::jobs::webhook`, `it::jobs::welcome`: killed in between, by two processes; `crash::d2_01_d2_04_…`, killed in a burst with effects |
//! | D2-05 | `two_processes::d2_05_…`, with effects |
//! | D2-06 | `mongodb::d2_06_…`; answers in `it::webhooks`, pages in `it::pages` |
//! | D2-07 | `mongodb::d2_07_…` (an answer that is lost, too) |
//! | D2-08 | `mongodb::d2_08_…`; the connection string in `server::settings::tests::d2_08_…` |
//! | D2-09 | `mongodb::d2_09_…`, with connections that come back and with some that do not |
//! | D2-10 | `mongodb::d2_10_…` |
//! | D2-13 | `clerk::d2_13_…`; answers told apart in `server::clerk::client::tests` |
//! | D2-14 | `clerk::d2_14_…`; `it::provision::d2_14_…`, `it::webhooks` |
//! | D2-15, D2-16 | `clerk::d2_15_…`, `clerk::d2_16_…`; `server::clerk::client::tests` |
//! | D2-17 | `clerk::d2_17_…`; the cache's limits in `server::clerk::jwks::tests::d2_17_…` |
//! | D2-18 | `clerk::d2_18_…`; the doctor's words in `it::cli` |
//! | D2-19 | `clock::d2_19_…`; `server::clerk::jwks::tests::d2_19_…`; order is by versions (`server::sync::apply::tests`) |
//! | D2-20 | `order::d2_20_…`, `two_processes::d2_20_d2_32_…`; `it::webhooks` |
//! | D2-21 | `order::d2_21_…`, three times 720 orders |
//! | D2-22, D2-23, D2-24, D2-25 | `order`; by tables in `server::sync::apply::tests` |
//! | D2-28 | `order::d2_28_…`; `server::clerk::wire::tests::d2_28_…` |
//! | D2-29 | `order::d2_29_…`; `it::webhooks` |
//! | D2-30 | `order::d2_30_…`: nothing lost, memory bounded; how fast is measured by `benches` |
//! | D2-32 | `two_processes::d2_32_…`, `two_processes::d2_20_d2_32_…` |
//! | D2-26, D2-27, D2-33, D2-34, D2-36, C-1 | `scan`, with very many people; each alone in `it::sync` |
//! | D2-37 | `clerk::d2_37_…` |
//! | D2-38 | `clerk::d2_38_…`; `it::jobs::metadata::d2_38_…` |
//! | D2-39 | `two_processes::d2_39_…`; `it::webhooks` |
//! | D2-44 | `it::jobs::canary::d2_44_…` |
//! | D2-40 | `two_processes::d2_40_…`; two hundred at one process in `it::provision` |

#[path = "../it/sync/between.rs"]
#[expect(dead_code, reason = "the other test binary uses the rest")]
mod between;
mod clerk;
mod clock;
mod crash;
mod effects;
mod mongod;
mod mongodb;
mod order;
mod proxy;
mod scan;
mod site;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other test binary uses the rest")]
mod support;
mod two_processes;
