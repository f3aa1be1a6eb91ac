//! How late events are, in classes that can be added up over minutes and processes. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// The first class ends at 10 ms, each further one at twice as much; the last, past 5 h, has no end.
const FIRST_MS: u64 = 10;
pub const CLASSES: usize = 22;

/// The class of a lag.
pub fn class_of(lag: Duration) -> usize {
    let ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
    (0..CLASSES - 1).find(|class| ms <= end_ms(*class)).unwrap_or(CLASSES - 1)
}

fn end_ms(class: usize) -> u64 {
    FIRST_MS << class
}

/// The lag that so many of a thousand events do not exceed, in milliseconds; `None` without events. Within a class events
/// are taken for spread evenly.
pub fn percentile_ms(counts: &BTreeMap<String, i64>, permille: u64) -> Option<u64> {
    let of_class = |class: usize| counts.get(&class.to_string()).map_or(0, |count| count.unsigned_abs());
    let total: u64 = (0..CLASSES).map(of_class).sum();
    let rank = (total * permille).div_ceil(1_000).max(1);
    let mut before = 0;
    for class in 0..CLASSES {
        let here = of_class(class);
        if here > 0 && before + here >= rank {
            let from = if class == 0 { 0 } else { end_ms(class - 1) };
            return Some(from + (end_ms(class) - from) * (rank - before) / here);
        }
        before += here;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn classes(lags_ms: &[u64]) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for ms in lags_ms {
            *counts.entry(class_of(Duration::from_millis(*ms)).to_string()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn nothing_has_no_percentile_and_the_last_class_no_end() {
        assert_eq!(percentile_ms(&BTreeMap::new(), 500), None);
        assert_eq!(class_of(Duration::from_millis(10)), 0);
        assert_eq!(class_of(Duration::from_millis(11)), 1);
        assert_eq!(class_of(Duration::MAX), CLASSES - 1);
    }

    proptest! {
        #[test]
        fn e_06_a_percentile_is_within_its_class_and_merging_is_adding(
            mut lags in proptest::collection::vec(1_u64..4_000_000, 1..200),
            permille in 1_u64..=1_000,
        ) {
            let counts = classes(&lags);
            lags.sort_unstable();
            let rank = usize::try_from((lags.len() as u64 * permille).div_ceil(1_000)).unwrap();
            let exact = lags[rank - 1];
            let found = percentile_ms(&counts, permille).unwrap();
            prop_assert!(found <= exact.max(FIRST_MS) * 2 && found * 2 >= exact.min(found * 2), "{found} for {exact}");
            prop_assert_eq!(class_of(Duration::from_millis(found)), class_of(Duration::from_millis(exact)));
        }
    }
}
