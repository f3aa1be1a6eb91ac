//! Whether it is worth asking Clerk at all (D2-14): after some failures in a row nobody does for a while, then one goes ahead
//! to see, and the while grows until that succeeds. Pure: time and chance are parameters.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open the circuit.
const FAILURES_IN_A_ROW: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// While one has gone ahead, the others come back after this.
const PROBE_TAKES: Duration = Duration::from_secs(1);

/// With which right a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Normal,
    /// The one that has gone ahead.
    Probe,
}

/// What a call did to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Opened(Duration),
    Closed,
}

#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    /// Doubles with each probe that fails.
    pause: Duration,
    has_probe: bool,
}

impl Breaker {
    /// # Errors
    /// How long nobody is let through.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        self.check(now)?;
        let Some(open) = &mut self.open else { return Ok(Pass::Normal) };
        open.has_probe = true;
        Ok(Pass::Probe)
    }

    /// The same, without going.
    ///
    /// # Errors
    /// How long nobody is let through.
    pub fn check(&self, now: Instant) -> Result<(), Duration> {
        match &self.open {
            Some(open) if open.until > now => Err(open.until.duration_since(now)),
            Some(open) if open.has_probe => Err(PROBE_TAKES),
            _ => Ok(()),
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// How a call ended: whether Clerk answered. `chance` is from 0 to 1, so that many processes do not probe at once.
    pub fn record(&mut self, pass: Pass, has_answered: bool, now: Instant, chance: f64) -> Option<Turn> {
        match (&self.open, pass, has_answered) {
            (Some(_), Pass::Probe, true) => {
                *self = Self::default();
                Some(Turn::Closed)
            }
            (Some(open), Pass::Probe, false) => {
                let pause = (open.pause * 2).min(LONGEST_PAUSE);
                Some(self.open_for(pause, now, chance))
            }
            // A call that began before the circuit opened says nothing new.
            (Some(_), Pass::Normal, _) => None,
            (None, _, true) => {
                self.failures = 0;
                None
            }
            (None, _, false) => {
                self.failures += 1;
                (self.failures >= FAILURES_IN_A_ROW).then(|| self.open_for(FIRST_PAUSE, now, chance))
            }
        }
    }

    /// A call that ends without a result, because nobody waits for it any more: another may go ahead.
    pub fn give_up(&mut self, pass: Pass) {
        if let (Some(open), Pass::Probe) = (&mut self.open, pass) {
            open.has_probe = false;
        }
    }

    fn open_for(&mut self, pause: Duration, now: Instant, chance: f64) -> Turn {
        let until = now + pause.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0));
        self.open = Some(Open { until, pause, has_probe: false });
        Turn::Opened(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No earlier and no later than the pause says.
    const MIDDLE: f64 = 0.5;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for failure in 1..=FAILURES_IN_A_ROW {
            let pass = breaker.admit(now).unwrap();
            let turn = breaker.record(pass, false, now, MIDDLE);
            assert_eq!(turn, (failure == FAILURES_IN_A_ROW).then_some(Turn::Opened(FIRST_PAUSE)));
        }
        breaker
    }

    #[test]
    fn d2_14_failures_in_a_row_open_the_circuit_and_one_success_between_them_does_not() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..10 {
            for _ in 1..FAILURES_IN_A_ROW {
                assert_eq!(breaker.record(Pass::Normal, false, now, MIDDLE), None);
            }
            assert_eq!(breaker.record(Pass::Normal, true, now, MIDDLE), None);
        }
        assert_eq!(breaker.admit(now), Ok(Pass::Normal));
        assert_eq!(opened(now).admit(now), Err(FIRST_PAUSE));
    }

    #[test]
    fn d2_14_after_each_pause_one_goes_ahead_and_the_pause_grows_until_it_succeeds() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            let wait = breaker.admit(now).unwrap_err();
            now += wait;
            assert_eq!(breaker.admit(now), Ok(Pass::Probe));
            assert_eq!(breaker.admit(now), Err(PROBE_TAKES), "one at a time");
            assert_eq!(breaker.record(Pass::Normal, true, now, MIDDLE), None, "it began before");
            let pause = Duration::from_secs(seconds);
            assert_eq!(breaker.record(Pass::Probe, false, now, MIDDLE), Some(Turn::Opened(pause)));
            assert_eq!(breaker.admit(now), Err(pause));
        }
        now += Duration::from_mins(1);
        assert_eq!(breaker.admit(now), Ok(Pass::Probe));
        assert_eq!(breaker.record(Pass::Probe, true, now, MIDDLE), Some(Turn::Closed));
        assert_eq!(breaker.admit(now), Ok(Pass::Normal));
        assert!(!breaker.is_open());
    }

    #[test]
    fn d2_14_a_probe_that_nobody_waits_for_any_more_blocks_nobody() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + FIRST_PAUSE;
        assert_eq!(breaker.admit(later), Ok(Pass::Probe));
        breaker.give_up(Pass::Normal);
        assert_eq!(breaker.admit(later), Err(PROBE_TAKES));
        breaker.give_up(Pass::Probe);
        assert_eq!(breaker.admit(later), Ok(Pass::Probe));
    }

    #[test]
    fn d2_14_the_pauses_of_many_processes_differ() {
        let now = Instant::now();
        for (chance, wait) in [(0.0, 800), (0.5, 1_000), (1.0, 1_200), (7.0, 1_200)] {
            let mut breaker = Breaker::default();
            for _ in 0..FAILURES_IN_A_ROW {
                breaker.record(Pass::Normal, false, now, chance);
            }
            assert_eq!(breaker.admit(now).unwrap_err().as_millis(), wait);
        }
    }
}
