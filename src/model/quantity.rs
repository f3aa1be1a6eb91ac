//! Numbers where there is little room: how many at least, and for how long.
//!
//! Pure. Whole sentences are `health`'s.

use crate::model::health::grouped;

/// `1 000+` where there are more.
pub fn at_least(count: u64, is_more: bool) -> String {
    format!("{}{}", grouped(count), if is_more { "+" } else { "" })
}

/// Seconds in the largest unit that they fill.
pub fn span(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_05_what_is_short_says_as_much_as_is_known() {
        assert_eq!([at_least(7, false), at_least(1_000, true)], ["7", "1\u{202f}000+"]);
        assert_eq!([span(7), span(61), span(3_720), span(200_000)], ["7 s", "1 min", "1 h", "2 days"]);
    }
}
