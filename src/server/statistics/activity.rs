//! What people do, in numbers (A2-34): read off indexes, whatever the number of people.

use jiff::{SignedDuration, Timestamp};

use crate::model::activity::{Activity, Share};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::statistics::chart::joined;

const DAYS: usize = 90;
const DAY_SECONDS: i64 = 86_400;

/// Who joined on which day, and who is here.
///
/// # Errors
/// MongoDB away.
pub async fn get_activity(state: &AppState) -> Result<Activity, Error> {
    let today = Timestamp::now().as_second().div_euclid(DAY_SECONDS) * DAY_SECONDS;
    let back = |days: usize| {
        let back = SignedDuration::from_hours(24 * i64::try_from(days).unwrap_or_default());
        Timestamp::from_second(today).and_then(|today| today.saturating_sub(back)).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    let start = back(DAYS - 1);
    let users = &state.store.users;
    let (days, kinds) = futures::try_join!(users.count_joined_by_day(start), users.count_kinds())?;
    let since = |days_back: usize| {
        let first = back(days_back);
        days.iter().filter(|(at, _)| *at >= first).map(|(_, count)| count).sum()
    };
    let present = kinds.all.saturating_sub(kinds.deleted);
    let share = |name: &str, count: u64| Share { name: name.to_owned(), count, of: present };
    let plain = present.saturating_sub(kinds.admins + kinds.moderators);
    Ok(Activity {
        charts: vec![joined(&days, start, DAYS)],
        joined_today: since(0),
        joined_in_week: since(6),
        joined_in_month: since(29),
        roles: vec![share("admin", kinds.admins), share("moderator", kinds.moderators), share("user", plain)],
        providers: vec![share("clerk", present.saturating_sub(kinds.local)), share("local", kinds.local)],
    })
}
