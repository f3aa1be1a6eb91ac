//! The bookkeeping of the outbox: who is due when, and what chance does to them.
//!
//! Knows no network.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use crate::standin::webhooks::{Book, Delivery, Errand, SHUFFLE_WAIT, State};

impl Book {
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.clamp(0.0, 1.0))
    }

    /// Below 1 a probability, from 1 on a number.
    pub(super) fn extra_copies(&mut self) -> usize {
        let wanted = self.levers.duplicate;
        if wanted < 1.0 {
            return usize::from(self.chance(wanted));
        }
        (1..=100_u8).take_while(|copies| f64::from(*copies) <= wanted).count()
    }

    pub(super) fn record(&mut self, svix_id: &str, kind: &str, user_id: &str, body: &Arc<str>, state: State) {
        let delivery = Delivery {
            svix_id: svix_id.to_owned(),
            kind: kind.to_owned(),
            user_id: user_id.to_owned(),
            attempts: Vec::new(),
            state,
            body: Arc::clone(body),
        };
        if self.deliveries.insert(svix_id.to_owned(), delivery).is_none() {
            self.order.push(svix_id.to_owned());
        }
    }

    pub(super) fn schedule_first(&mut self, svix_id: &str, body: &Arc<str>) {
        let due = Instant::now() + Duration::from_millis(self.levers.delay_ms);
        self.enqueue(due, Errand { svix_id: svix_id.to_owned(), tries: 0, body: Arc::clone(body) });
    }

    /// With a reorder window, errands gather for a moment and then leave up to that many places late.
    pub(super) fn enqueue(&mut self, mut due: Instant, errand: Errand) {
        self.position += 1;
        let window = u64::from(self.levers.reorder);
        let mut shift = 0;
        if window > 1 {
            shift = self.rng.random_range(0..window);
            let gathers = (due - self.began).as_millis().div_ceil(SHUFFLE_WAIT.as_millis()) + 1;
            due = self.began + SHUFFLE_WAIT * u32::try_from(gathers).unwrap_or(u32::MAX);
        }
        self.queue.insert((due, self.position + shift, self.position), errand);
    }
}
