//! What people do, in numbers (A2-34): read off indexes, whatever the number of people.

use jiff::{SignedDuration, Timestamp};

use crate::model::activity::{Activity, Share};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::statistics::chart::by_day;
use crate::server::store::statistics::Length;

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
    let (days, kinds, hours) = futures::try_join!(
        users.count_joined_by_day(start),
        users.count_kinds(),
        state.store.statistics.list(Length::Hour, start),
    )?;
    let here: Vec<(Timestamp, u64)> =
        hours.iter().filter(|hour| hour.active > 0).map(|hour| (hour.at, hour.active.unsigned_abs())).collect();
    let today_here = here.iter().filter(|(at, _)| *at >= back(0)).map(|(_, count)| count).sum();
    let since = |days_back: usize| {
        let first = back(days_back);
        days.iter().filter(|(at, _)| *at >= first).map(|(_, count)| count).sum()
    };
    let present = kinds.all.saturating_sub(kinds.deleted);
    let share = |name: &str, count: u64| Share { name: name.to_owned(), count, of: present };
    let plain = present.saturating_sub(kinds.admins + kinds.moderators);
    Ok(Activity {
        charts: vec![
            by_day("chart-joined", "joined", &days, start, DAYS),
            by_day("chart-active", "were here", &here, start, DAYS),
        ],
        active_today: today_here,
        joined_today: since(0),
        joined_in_week: since(6),
        joined_in_month: since(29),
        roles: vec![share("admin", kinds.admins), share("moderator", kinds.moderators), share("user", plain)],
        providers: vec![share("clerk", present.saturating_sub(kinds.local)), share("local", kinds.local)],
    })
}
