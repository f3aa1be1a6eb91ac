//! `POST /api/webhooks/clerk`: what is accepted, what is refused, and what it does to MongoDB.
//!
//! The attack list (requirements D3), row by row, each row's id in the name of a test:
//!
//! | rows | where |
//! |---|---|
//! | D3-01 … D3-11, D3-29 | `signature` |
//! | D3-12 … D3-15, D3-18, D3-19, D3-28, D3-31 | `transport` |
//! | D3-16, D3-17, D3-21 … D3-24 | `body` |
//! | D3-20, D3-22, D3-25 … D3-27 | `subject` |
//! | D3-30 | `cli`, and by a table in `server::settings::tests` |

mod body;
mod effect;
mod outage;
mod signature;
mod subject;
mod transport;

const NOW: i64 = 1_760_000_000_000;
